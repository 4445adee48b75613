"""A notebook becomes one self-contained HTML page: no code, no address outside; for screen and paper."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import Any

from crm_analysis.report.text import Catalogue

TEMPLATES = Path(__file__).parent / "templates"
_ONE_AT_A_TIME = threading.Lock()
_TITLE = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)
_HEADLINE = re.compile(r'<p class="crm-headline">.*?</p>\n?', re.DOTALL)
_HEADING = re.compile(r"<h2>(.*?)</h2>", re.DOTALL)


@dataclass(frozen=True)
class Section:
    """A ## heading: where it is and what it says."""

    id: str
    title: str


@dataclass(frozen=True)
class Body:
    """A rendered notebook without the page around it."""

    title: str
    sections: tuple[Section, ...]
    markup: str


def render_notebook(notebook: Any, *, page: str, text: Catalogue) -> Body:
    """Prose and outputs of an executed notebook as HTML, prose in the language of `text`.

    Title and headline are left out: the page around it begins with them.
    """
    spoken = _in_language(notebook, page, text)
    # The exporter keeps state while it renders.
    with _ONE_AT_A_TIME:
        markup, _ = _exporter().from_notebook_node(spoken)
    title = _TITLE.search(markup)
    sections = tuple(
        Section(f"section-{i}", _plain(found)) for i, found in enumerate(_HEADING.findall(markup), start=1)
    )
    numbers = iter(sections)
    markup = _HEADLINE.sub("", _TITLE.sub("", markup, count=1))
    markup = _HEADING.sub(lambda found: f'<h2 id="{next(numbers).id}">{found[1]}</h2>', markup)
    return Body(_plain(title[1]) if title else page, sections, markup)


def render_template(template: str, values: Mapping[str, Any], *, text: Catalogue) -> str:
    """Whole HTML page from one of `templates/`; every value is escaped."""
    tag = {"zh": "zh-Hans"}.get(text.language, text.language)
    page = _environment().get_template(template)
    return str(page.render(**values, say=text.say, style=_style(), language_tag=tag))


def _in_language(notebook: Any, page: str, text: Catalogue) -> Any:
    """Return the notebook with its prose replaced where the catalogue has the cell's text."""
    import nbformat

    spoken = nbformat.from_dict(notebook)
    for cell in spoken.cells:
        if cell.cell_type == "markdown":
            cell.source = text.of_page(page, "cells", cell.id) or cell.source
    return spoken


def _plain(markup: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", markup)).strip()


@lru_cache
def _exporter() -> Any:
    from nbconvert.exporters.html import HTMLExporter

    return HTMLExporter(
        template_name="crm",
        extra_template_basedirs=[str(TEMPLATES)],
        exclude_input=True,
        exclude_output_prompt=True,
        exclude_input_prompt=True,
        exclude_anchor_links=True,
        embed_images=True,
    )


@lru_cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(TEMPLATES)
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@lru_cache
def _style() -> str:
    return (TEMPLATES / "style.css").read_text(encoding="utf-8").strip()
