"""Both languages say the same things with the same numbers."""

import json
import math
import re
from pathlib import Path

import pytest

from crm_analysis.errors import ReportError
from crm_analysis.report.text import Catalogue, fields, fill, read_catalogue

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
# Prose of a notebook is English in the notebook itself, and words inside figures are English in the code.
ONLY_CHINESE = {"cells", "figure_words"}


def leaves(table, *path):
    for key, value in table.items():
        if key in ONLY_CHINESE:
            continue
        if isinstance(value, dict):
            yield from leaves(value, *path, key)
        else:
            yield (*path, key), value


ENGLISH = dict(leaves(read_catalogue("en").content))
CHINESE = dict(leaves(read_catalogue("zh").content))


def test_chinese_has_every_text_that_english_has_and_no_other():
    assert sorted(ENGLISH) == sorted(CHINESE)


def test_every_text_has_the_same_fields_in_both_languages():
    texts = [key for key, value in ENGLISH.items() if isinstance(value, str)]
    assert len(texts) > 50
    different = {key: CHINESE[key] for key in texts if names(ENGLISH[key]) != names(CHINESE[key])}
    # A month has a name in English and a number in Chinese.
    assert set(different) == {("report", "month")}


def names(text):
    return fields(text)


def test_a_text_in_chinese_is_chinese():
    words = [value for key, value in CHINESE.items() if isinstance(value, str) and key[0] != "columns"]
    own = [re.sub(r"\{[^}]*\}", "", text) for text in words]
    english = [t for t in own if re.search("[A-Za-z]{3}", t) and not re.search("[\u4e00-\u9fff]", t)]
    assert english == []


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_prose_cell_of_a_notebook_is_there_in_chinese(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = {cell["id"] for cell in cells if cell["cell_type"] == "markdown"}
    assert set(read_catalogue("zh").content[path.stem]["cells"]) == prose


def test_a_sentence_is_filled_in():
    text = Catalogue("en", {"page": {"headline": "{share:.0%} of {n:,} customers"}})
    assert text.sentence("page", "headline", {"share": 0.417, "n": 12345}) == "42% of 12,345 customers"


def test_a_page_says_its_own_sentence_before_the_one_of_several_pages():
    text = Catalogue("en", {"sentences": {"who": "all", "what": "x"}, "page": {"who": "this one"}})
    assert text.sentence("page", "who", {}) == "this one"
    assert text.sentence("page", "what", {}) == text.sentence("other", "what", {}) == "x"


def test_a_missing_sentence_is_named_with_those_that_are_there():
    text = Catalogue("en", {"page": {"headline": "x", "captions": {"t": "y"}}})
    with pytest.raises(
        ReportError, match=r"en.toml: no sentence 'hedline' under \[page\]; it has \['headline'\]"
    ):
        text.sentence("page", "hedline", {})


def test_a_missing_field_is_named():
    with pytest.raises(ReportError, match=r"here: needs \['n', 'share'\]; given were \['x'\]"):
        fill("{share:.0%} of {n:,}", {"x": 1}, where="here")


def test_a_value_that_does_not_fit_its_field_is_named():
    with pytest.raises(ReportError, match=r"here: .*'abc'"):
        fill("{share:.0%}", {"share": "abc"}, where="here")


def test_fields_see_through_attributes_and_formats():
    assert fields("{firm.name} {rows[0]:,} {{literal}} {n!r:>{width}}") >= {"firm", "rows", "n"}


def test_a_label_is_the_pages_own_then_the_common_one_then_the_name():
    text = Catalogue("en", {"columns": {"n": "Number"}, "page": {"labels": {"n": "Deals"}}})
    assert text.label("n", page="page") == "Deals"
    assert text.label("n") == "Number"
    assert text.label("not_known") == "not known"


@pytest.mark.parametrize(
    ("template", "value", "text"),
    [
        ("{x:.0%}", -0.001, "0%"),
        ("{x:+.0%}", -0.001, "±0%"),
        ("{x:+.2f}", 0.001, "±0.00"),
        ("{x:.1f}", -0.06, "−0.1"),
        ("{x:+,.0f}", -1200.0, "−1,200"),
        ("{x}", "-0", "-0"),
        ("{x:p}", 0.0004, "<0.001"),
        ("p {x:=p}", 0.0004, "p < 0.001"),
        ("p {x:=p}", 0.0341, "p = 0.034"),
        ("{x:chance}", 0.9996, ">99%"),
        ("{x:chance}", 0.9949, "99%"),
        ("{x:,.1f}", math.nan, "–"),
        ("{x:.1f}", float("-inf"), "−∞"),
    ],
)
def test_minus_nothing_is_nothing(template, value, text):
    assert fill(template, {"x": value}, where="here") == text
