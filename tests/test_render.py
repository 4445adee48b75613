"""A notebook as a page: no code, no address outside, nothing taken for markup, phone and paper thought of."""

import base64
import io
import re
from html.parser import HTMLParser

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from crm_analysis.report.render import TEMPLATES, render_notebook, render_template
from crm_analysis.report.text import Catalogue, read_catalogue

TEXT = read_catalogue("en")


def png():
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (4, 3)).save(file, format="png")
    return base64.b64encode(file.getvalue()).decode()


def display(data, metadata=None):
    return new_output("display_data", data=data, metadata=metadata or {})


def notebook(*cells):
    return new_notebook(cells=list(cells))


SAMPLE = notebook(
    new_markdown_cell("# Who *pays* & stays?\n\nTwo sentences.", id="title"),
    new_code_cell("secret_code = 1", id="parameters", metadata={"tags": ["parameters"]}),
    new_markdown_cell("## Key numbers\n\nText.", id="key-numbers"),
    new_code_cell(
        "page.table()",
        id="table",
        execution_count=2,
        outputs=[
            display({"text/html": "<table><tr><td>&lt;b&gt;</td></tr></table>", "text/plain": "plain"}),
            new_output("stream", name="stderr", text="/tmp/ipykernel_1/2.py: Warning"),
        ],
    ),
    new_markdown_cell("## A & B\n\nMore.", id="figure-words"),
    new_code_cell(
        "page.figure()",
        id="figure",
        execution_count=3,
        outputs=[
            display(
                {"image/png": png(), "text/plain": "[figure] x"},
                {"image/png": {"alt": 'Says "44%" <now>', "width": 768}},
            )
        ],
    ),
    new_code_cell(
        "1 + 1",
        id="result",
        execution_count=4,
        outputs=[new_output("execute_result", data={"text/plain": "<2>"}, execution_count=4)],
    ),
)


@pytest.fixture(scope="module")
def body():
    return render_notebook(SAMPLE, page="sample", text=TEXT)


def test_title_and_sections_come_from_the_headings(body):
    assert body.title == "Who pays & stays?"
    assert [section.title for section in body.sections] == ["Key numbers", "A & B"]
    assert "<h1>" not in body.markup
    assert [re.search(f'<h2 id="{s.id}">', body.markup) is not None for s in body.sections] == [True, True]


def test_code_prompts_and_warnings_are_not_shown(body):
    for hidden in ("secret_code", "page.table", "In [", "Out[", "ipykernel"):
        assert hidden not in body.markup


def test_tables_figures_and_results_are_shown(body):
    assert "&lt;b&gt;" in body.markup
    image = next(attributes for tag, attributes in Page(body.markup).tags if tag == "img")
    assert image["alt"] == 'Says "44%" <now>'
    assert image["width"] == "768"
    assert "<pre>&lt;2&gt;</pre>" in body.markup


def test_prose_is_in_the_language_of_the_report_and_the_notebook_stays_as_it_is():
    before = nbformat.writes(SAMPLE)
    words = {"sample": {"cells": {"title": "# 谁付钱？", "key-numbers": "## 关键数字"}}}
    body = render_notebook(SAMPLE, page="sample", text=Catalogue("zh", words))
    assert body.title == "谁付钱？"
    assert [section.title for section in body.sections] == ["关键数字", "A & B"]
    assert nbformat.writes(SAMPLE) == before


def whole(body, text=TEXT, **values):
    common = {
        "key": "sample",
        "title": body.title,
        "kicker": "Firm <A>",
        "headline": "Up & up",
        "body": body.markup,
        "sections": body.sections,
        "masthead": "Demo",
        "home": "index.html",
        "context": "Report",
        "parameters": "",
        "pages": [{"key": "sample", "file": "sample.html", "short": "Sample"}],
        "facts": ["Data until 2025-12-31"],
    }
    return render_template("page.html.j2", common | values, text=text)


class Page(HTMLParser):
    """Tags that are open at the end, and every address."""

    VOID = frozenset(("meta", "img", "br", "hr", "link", "input"))

    def __init__(self, markup):
        super().__init__()
        self.open, self.addresses, self.tags = [], [], []
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.addresses += [value for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_a_page_is_whole_and_needs_nothing_from_outside(body):
    markup = whole(body)
    page = Page(markup)
    assert page.open == []
    assert not re.search(r"https?://|//cdn|@import|url\(", markup)
    assert all(a.startswith(("#", "data:image/png;base64,")) or a.endswith(".html") or "html#" in a
               for a in page.addresses)  # fmt: skip
    assert "<script" not in markup


def test_every_image_has_words_and_every_link_on_the_page_arrives(body):
    page = Page(whole(body))
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    assert {a[1:] for a in page.addresses if a.startswith("#")} == ids & {s.id for s in body.sections}
    assert [tag for tag, _ in page.tags].count("h1") == 1


def test_values_of_the_page_are_escaped(body):
    markup = whole(body)
    assert "Firm &lt;A&gt;" in markup
    assert "Up &amp; up" in markup


@pytest.mark.parametrize(("language", "tag"), [("en", "en"), ("zh", "zh-Hans")])
def test_the_page_says_its_language(body, language, tag):
    assert f'<html lang="{tag}">' in whole(body, text=read_catalogue(language))


def test_the_style_serves_phone_paper_and_both_lights():
    style = (TEMPLATES / "style.css").read_text()
    for asked in ("prefers-color-scheme: dark", "@media print", "@page { size: A4", "max-width: 34rem"):
        assert asked in style
