"""A page of the report: the one way by which a notebook shows and hands over anything.

Outputs are the same bytes every time. What is handed over goes into the folder that the environment
variable `CRM_PAGE_FOLDER` names; without it a page only displays, so that one notebook serves JupyterLab,
its test and the report.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crm_analysis.errors import ReportError
from crm_analysis.report.figure_words import translate
from crm_analysis.report.format import Kind, kind_of
from crm_analysis.report.metric import Metric, Setting, band
from crm_analysis.report.table import flat, html_table, plain_table, write_csv, written
from crm_analysis.report.text import Catalogue, fill, read_catalogue
from crm_analysis.workspace import Period

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOLDER_VARIABLE = "CRM_PAGE_FOLDER"
DPI = 144
CSS_DPI = 96
BLANK = ("owner", "due")


class Page:
    """What one notebook shows and hands over.

    Parameters
    ----------
    name : the notebook's name; its sentences are under this name in `report/text/`.
    workspace : the opened workspace; language, currency and hold-back come from its settings.
    period : a `Period`, or its label such as "2025-12".
    firm : key of the firm where the page is about one firm.
    """

    def __init__(self, name: str, *, workspace: Any, period: Period | str, firm: str | None = None) -> None:
        self.name = name
        self.settings = workspace.settings
        self.period = Period.parse(period, self.settings.calendar) if isinstance(period, str) else period
        self.firm = firm
        self.key = page_key(name, firm)
        self.text = read_catalogue(self.settings.language)
        self.folder = _page_folder()
        self._metrics: dict[str, Metric] = {}
        self._shown: set[str] = set()
        self._handed_over: dict[str, list[Any]] = {
            "checks": [], "decisions": [], "figures": [], "sentences": [], "tables": []
        }  # fmt: skip
        self._headline: str | None = None

    def sentence(self, key: str, /, **values: object) -> str:
        """Sentence `key` of this page, filled in: for the title of a figure.

        The fields {firm}, {period} and {currency} are always known.
        """
        return self.text.sentence(self.name, key, self._filled(values))

    def say(self, key: str, /, **values: object) -> None:
        """Show sentence `key` of this page; a key that begins with "headline" leads the page and the index.

        One that begins with "basis" says in small what the numbers rest on.

        Raises
        ------
        ReportError
            The catalogue has no such sentence, a field has no value, or the page has a headline already.
        """
        sentence = self.sentence(key, **values)
        kind = next((kind for kind in ("headline", "basis") if key.startswith(kind)), "finding")
        if kind == "headline":
            if self._headline is not None:
                raise ReportError(f"{self.key}: a second headline, {key!r}; a page has one")
            self._headline = sentence
        self._handed_over["sentences"].append({"key": key, "text": sentence})
        self._show(sentence, f'<p class="crm-{kind}">{html.escape(sentence)}</p>')

    def know(self, words: Mapping[str, str]) -> None:
        """Learn words of the report's language for names that occur on this page.

        They stand in for the names in sentences, in text cells of tables and in figures.
        """
        known = {**self.text.content.get("values", {}), **words}
        self.text = Catalogue(self.text.language, {**self.text.content, "values": known})

    def metric(
        self,
        name: str,
        value: float,
        *,
        unit: str | None = None,
        low: float | None = None,
        high: float | None = None,
        previous: float | None = None,
        year_before: float | None = None,
        label: str | None = None,
    ) -> None:
        """Collect a key number; `metrics_band` shows those collected since the last band.

        Parameters
        ----------
        unit : "money", "share" (0.12 is 12%), or a word of the catalogue such as "customers" or "days".
        low, high : its interval.
        previous, year_before : the same number for the period before and for the same period last year.
        label : name in the catalogue of what is shown, where it is not `name` itself.
        """
        if name in self._metrics:
            raise ReportError(f"{self.key}: metric {name!r} was given before")
        words = self.text.label(label or name, page=self.name)
        numbers = [
            float(v) if v is not None and math.isfinite(v) else None
            for v in (value, low, high, previous, year_before)
        ]
        self._metrics[name] = Metric(name, words, unit, *numbers)

    def metrics(self, summary: pd.DataFrame, *, names: Sequence[str], firm: str | None = None) -> None:
        """Collect key numbers of a firm from a table of periods, and show them as a row of tiles.

        Parameters
        ----------
        summary : rows period, previous and year_before, as `crm.base.period_summary` gives them; a column
            that is missing, or has no value for the period, is left out.
        names : columns; units follow from the names, as in tables.
        firm : named in front of the row, and in the metrics, where the page is about several firms.
        """
        for name in names:
            if name not in summary or summary[name].isna().loc["period"]:
                continue
            unit = {"money": "money", "percent": "share"}.get(kind_of(name, summary[name]))
            numbers = summary[name].astype(float)
            self.metric(
                page_key(name, firm),
                numbers["period"],
                unit=unit,
                previous=numbers["previous"],
                year_before=numbers["year_before"],
                label=name,
            )
        if firm:
            title = self.settings.firm(firm).name
            self._show(title, f'<p class="crm-band-title">{html.escape(title)}</p>')
        self.metrics_band()

    def metrics_band(self) -> None:
        """Show the metrics collected since the last band as a row of tiles."""
        metrics = [metric for name, metric in self._metrics.items() if name not in self._shown]
        self._shown |= set(self._metrics)
        if metrics:
            self._show(*band(metrics, Setting(self.text, self.settings.currency, self.period)))

    def table(
        self,
        table: pd.DataFrame,
        *,
        name: str,
        caption: str | None = None,
        rows: int = 20,
        formats: Mapping[str, Kind] | None = None,
        ranges: bool = False,
        **values: object,
    ) -> None:
        """Show a table, cut after `rows`, and hand over all of it as CSV.

        A named index is shown as columns. Labels come from the catalogue by column name, number formats
        from name and type (`report/format.py`) unless `formats` says otherwise; rows with fewer than 30
        in `n_customers` or `n` are grey.

        Parameters
        ----------
        caption : used where the catalogue has none for `name`; fields in braces are filled from `values`.
        ranges : show a number's low and high, where they are the next two columns, under the number.
        """
        self._once("tables", name)
        words = self._words("captions", name, caption, values)
        full = flat(table)
        # Columns that are blank for the manager to fill in are blank on a screen for nothing.
        visible = full.drop(columns=[c for c in BLANK if c in full.columns])
        currency, cut = self.settings.currency, visible.head(rows)
        shown = written(cut, self.text, self.name, currency, formats or {}, ranges=ranges)
        note = self._rows_left(len(full) - rows, name)
        self._show(plain_table(shown, words, note), html_table(shown, words, note))
        self._handed_over["tables"].append({"name": name, "caption": words, "rows": len(full)})
        if self.folder:
            write_csv(full, self.folder / "tables" / f"{name}.csv")

    def figure(self, figure: Figure | Axes, *, name: str, alt: str | None = None, **values: object) -> None:
        """Show a figure (or the figure of an Axes) as PNG, and close it.

        Parameters
        ----------
        alt : what the figure says, in a sentence with its numbers, for those who cannot see it; used where
            the catalogue has none for `name`; fields in braces are filled from `values`.
        """
        import matplotlib.pyplot as plt

        self._once("figures", name)
        words = self._words("alts", name, alt, values)
        drawn = figure if hasattr(figure, "savefig") else figure.get_figure()
        translate(drawn, self.text)  # type: ignore[arg-type]
        file = io.BytesIO()
        drawn.savefig(file, format="png", dpi=DPI, metadata={"Software": None})  # type: ignore[union-attr]
        plt.close(drawn)  # type: ignore[arg-type]
        self._handed_over["figures"].append({"name": name, "alt": words})
        self._display(
            {"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": f"[figure] {words}"},
            {"image/png": {"alt": words, "width": round(drawn.get_figwidth() * CSS_DPI)}},  # type: ignore
        )

    def decisions(
        self,
        decisions: pd.DataFrame,
        *,
        name: str,
        caption: str | None = None,
        rows: int = 10,
        formats: Mapping[str, Kind] | None = None,
        **values: Any,
    ) -> None:
        """Show and hand over a list of decisions: one row per customer or opportunity.

        `held_back` marks those drawn at random to be left alone, so that the next report can say what the
        decisions did; `owner` and `due` stay blank for the manager. The list needs a column customer_id or
        opportunity_id.
        """
        who = next((c for c in ("customer_id", "opportunity_id") if c in flat(decisions).columns), None)
        if who is None:
            raise ReportError(
                f"{self.key}: decisions {name!r} have no column customer_id or opportunity_id; "
                f"columns: {list(decisions.columns)}"
            )
        rule = self.settings.decisions
        listed = flat(decisions).assign(
            held_back=lambda d: [
                held_back(f"{self.firm}|{name}|{i}", share=rule.hold_back, seed=rule.seed) for i in d[who]
            ],
            **dict.fromkeys(BLANK, ""),
        )
        self.table(listed, name=name, caption=caption, rows=rows, formats=formats, **values)
        self._handed_over["decisions"].append({"name": name, "rows": len(listed)})
        if self.folder:
            path = self.folder / "decisions" / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            listed.to_parquet(path, index=False)

    def check(self, name: str, left: Any, right: Any, tolerance: float = 1e-9) -> None:
        """Demand that two results agree within `tolerance`, relative to the larger one (or to 1).

        Raises
        ------
        ReportError
            They do not: the report stops.
        """
        a, b = np.broadcast_arrays(np.asarray(left, dtype=float), np.asarray(right, dtype=float))
        scale = np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
        gap = np.abs(a - b) / scale
        if not bool(np.all(gap <= tolerance)):
            worst = int(np.argmax(np.nan_to_num(gap.ravel(), nan=np.inf)))
            raise ReportError(
                f"{self.key}: {name}: {float(a.ravel()[worst])!r} is not {float(b.ravel()[worst])!r} "
                f"within {tolerance:g}; the page's numbers contradict each other"
            )
        self._handed_over["checks"].append({"name": name, "n": a.size, "tolerance": tolerance})

    def close(self) -> None:
        """Show the metrics not shown yet and write `metrics.json`."""
        if self._headline is None:
            raise ReportError(
                f"{self.key}: no headline; say it with page.say('headline', ...) before page.close()"
            )
        self.metrics_band()
        if self.folder:
            text = json.dumps(self._record(), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "metrics.json").write_text(f"{text}\n", encoding="utf-8")

    def _filled(self, values: Mapping[str, object]) -> dict[str, object]:
        """Values of a sentence's fields, words of the package in the report's language."""
        firm = self.settings.firm(self.firm).name if self.firm else ""
        known = {"firm": firm, "period": self.period.label, "currency": self.settings.currency}
        said = {name: self.text.value(v) if isinstance(v, str) else v for name, v in values.items()}
        return known | said

    def _record(self) -> dict[str, Any]:
        return self._handed_over | {
            "page": self.name,
            "firm": self.firm,
            "period": self.period.label,
            "language": self.text.language,
            "headline": self._headline,
            "metrics": {name: metric.record() for name, metric in self._metrics.items()},
        }

    def _once(self, kind: str, name: str) -> None:
        if any(given["name"] == name for given in self._handed_over[kind]):
            raise ReportError(f"{self.key}: two {kind} are called {name!r}")

    def _words(self, kind: str, name: str, given: str | None, values: dict[str, object]) -> str:
        """Caption or alternative text: the catalogue's, else the one given with the call."""
        template = self.text.of_page(self.name, kind, name) or given
        if not template:
            raise ReportError(
                f"{self.key}: {name!r} needs words; write them under [{self.name}.{kind}] in "
                f"{self.text.language}.toml, or give {'alt' if kind == 'alts' else 'caption'}="
            )
        if template is given and not values:
            return template
        return fill(
            template, self._filled(values), where=f"{self.text.language}.toml [{self.name}.{kind}] {name}"
        )

    def _rows_left(self, n: int, name: str) -> str:
        if n <= 0:
            return ""
        return self.text.say("more_rows_in_file" if self.folder else "more_rows", n=n, file=f"{name}.csv")

    def _show(self, plain: str, markup: str) -> None:
        self._display({"text/html": markup, "text/plain": plain}, {})

    def _display(self, data: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
        from IPython.display import display

        display(data, metadata=metadata, raw=True)


def page_key(name: str, firm: str | None) -> str:
    """Name of a page in the pack: `rfm_segmentation_a`, or `funnel_comparison` for all firms together."""
    return f"{name}_{firm}" if firm else name


def held_back(identity: str, *, share: float, seed: int) -> bool:
    """Whether one customer is left alone: drawn with probability `share`, the same at every run.

    The draw is a hash of seed and identity, so that a customer stays in or out from period to period,
    whoever else is on the list.
    """
    digest = hashlib.sha256(f"{seed}|{identity}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


def _page_folder() -> Path | None:
    folder = os.environ.get(FOLDER_VARIABLE)
    return Path(folder) if folder else None
