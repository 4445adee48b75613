"""The catalogue: every sentence, caption, label and heading, one TOML file per language.

```toml
[columns]                     # label of a column or a metric, wherever it appears
n_customers = "customers"
[values]                      # what a text cell of a table says, where it is a word of the package
"not returned" = "did not return"
[report]                      # what the report itself says
[sentences]                   # what several pages say
[rfm_segmentation]            # sentences of a page, with str.format fields
headline = "{share:.0%} of revenue comes from {n:,} customers."
[rfm_segmentation.captions]   # of tables; may have fields too
[rfm_segmentation.alts]       # of figures
[rfm_segmentation.labels]     # of columns and metrics that mean something else on this page
[rfm_segmentation.cells]      # Chinese only: prose of a notebook by cell id
```
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from numbers import Real
from string import Formatter
from typing import Any

from crm_analysis.errors import ReportError
from crm_analysis.report.format import format_number, with_minus

Tables = Mapping[str, Any]


@dataclass(frozen=True)
class Catalogue:
    """The text of one language."""

    language: str
    content: Tables

    def sentence(self, page: str, key: str, values: Mapping[str, object]) -> str:
        """Sentence `key` of a page with its fields filled in.

        Raises
        ------
        ReportError
            There is no such sentence, or one of its fields was not given.
        """
        sentences = self.sentences(page)
        template = sentences.get(key)
        if not isinstance(template, str):
            known = sorted(name for name, text in sentences.items() if isinstance(text, str))
            raise ReportError(
                f"{self.language}.toml: no sentence {key!r} under [{page}]; it has {known}. Write it there"
            )
        return fill(template, values, where=f"{self.language}.toml [{page}] {key}")

    def sentences(self, page: str) -> Tables:
        """Everything that a page may say: its own before what several pages say."""
        return {**self.content.get("sentences", {}), **self.content.get(page, {})}

    def of_page(self, page: str, kind: str, name: str) -> str | None:
        """Text of `kind` (captions, alts, labels, cells) called `name`, if the page has one."""
        return self.content.get(page, {}).get(kind, {}).get(name)

    def label(self, name: str, *, page: str = "") -> str:
        """Label of a column or metric: the page's own, the common one, a value's, or its name in words."""
        common = {**self.content.get("values", {}), **self.content.get("columns", {})}
        return self.of_page(page, "labels", name) or common.get(name) or name.replace("_", " ")

    def value(self, words: str) -> str:
        """Text cell of a table in this language: a segment, a step; anything else stays as it is."""
        return str(self.content.get("values", {}).get(words, words))

    def page_name(self, page: str) -> str:
        """Short name of a page, for lists of contents."""
        return str(self.content["pages"].get(page, page.replace("_", " ")))

    def month(self, number: int) -> str:
        """Name of a month, 1 to 12."""
        return str(self.content["calendar"]["months"][number - 1])

    def definitions(self) -> list[tuple[str, str]]:
        """Terms of the report, each with what it means."""
        return [(entry["term"], entry["meaning"]) for entry in self.content["definitions"].values()]

    def say(self, key: str, /, **values: object) -> str:
        """Sentence of the report itself."""
        return self.sentence("report", key, values)


def fill(template: str, values: Mapping[str, object], *, where: str) -> str:
    """`template.format(**values)`, with an error that names what is missing or does not fit."""
    if missing := sorted(fields(template) - set(values)):
        raise ReportError(f"{where}: needs {missing}; given were {sorted(values)}")
    try:
        return _Numbers().vformat(template, (), values)
    except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise ReportError(f"{where}: {error}; given were {dict(values)}") from None


class _Numbers(Formatter):
    """`str.format` with numbers written as in tables.

    Three formats are added: `p` ("<0.001", "0.034"), `=p` ("< 0.001", "= 0.034") and `chance` (">99%").
    """

    def format_field(self, value: Any, format_spec: str) -> Any:
        if not isinstance(value, Real):
            return super().format_field(value, format_spec)
        if not math.isfinite(value):
            return format_number(float(value), "number")
        if format_spec in ("p", "chance"):
            return format_number(float(value), format_spec)  # type: ignore[arg-type]
        if format_spec == "=p":
            text = format_number(float(value), "p")
            return text.replace("<", "< ") if text.startswith("<") else f"= {text}"
        text = super().format_field(value, format_spec)
        if text.startswith("+") and not re.search("[1-9]", text):
            return f"±{text[1:]}"
        nothing = text.startswith("-") and not re.search("[1-9]", text)
        return f"±{text[1:]}" if nothing and "+" in format_spec else with_minus(text)


def fields(template: str) -> set[str]:
    """Names of the fields of a template: {"share", "n"} for "{share:.0%} of {n}"."""
    return {name.split(".")[0].split("[")[0] for _, name, _, _ in Formatter().parse(template) if name}


@lru_cache
def read_catalogue(language: str) -> Catalogue:
    """Catalogue of a language, "en" or "zh"."""
    text = files(__package__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return Catalogue(language, tomllib.loads(text))
