"""A key number with its interval and its change, and the band of tiles that shows several."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from crm_analysis.report.format import MISSING, Kind, decimals_for, format_number
from crm_analysis.report.text import Catalogue


@dataclass(frozen=True)
class Metric:
    """A key number; `unit` is "money", "share", a word such as "customers", or None."""

    name: str
    label: str
    unit: str | None
    value: float | None
    low: float | None = None
    high: float | None = None
    previous: float | None = None
    year_before: float | None = None

    @property
    def kind(self) -> Kind:
        """How it is written."""
        if self.unit in ("money", "share"):
            return "money" if self.unit == "money" else "percent"
        return "integer" if self.value is not None and float(self.value).is_integer() else "number"

    def record(self) -> dict[str, Any]:
        """As in `metrics.json`."""
        return asdict(self)

    def change(self, base: float | None) -> str | None:
        """Change since `base`: relative, in points for shares; None where there is nothing to compare."""
        if self.value is None or base is None or (base <= 0 and self.unit != "share"):
            return None
        if self.unit == "share":
            return f"{100 * (self.value - base):+.1f}"
        return f"{self.value / base - 1:+.1%}"


def band(metrics: Sequence[Metric], text: Catalogue, *, currency: str) -> tuple[str, str]:
    """Plain text and HTML of a row of tiles."""
    tiles = [_tile(metric, text, currency) for metric in metrics]
    plain = "\n".join("  ".join([label, value, *notes]) for label, value, _, notes in tiles)
    return plain, f'<dl class="crm-band">\n{chr(10).join(_html_tile(*tile) for tile in tiles)}\n</dl>'


def _tile(metric: Metric, text: Catalogue, currency: str) -> tuple[str, str, str, list[str]]:
    """Label, value, unit and notes of one tile."""
    unit = {"money": currency, "share": "", None: ""}.get(metric.unit)
    unit = text.label(str(metric.unit)) if unit is None else unit
    notes = [_interval(metric, text), _change(metric, metric.previous, "since_previous", text)]
    notes.append(_change(metric, metric.year_before, "since_year_before", text))
    return metric.label, _number(metric.value, metric), unit, [note for note in notes if note]


def _number(value: float | None, metric: Metric) -> str:
    if value is None or metric.value is None:
        return MISSING
    return format_number(value, metric.kind, decimals=decimals_for(metric.kind, largest=abs(metric.value)))


def _interval(metric: Metric, text: Catalogue) -> str:
    if metric.low is None or metric.high is None:
        return ""
    return text.say("interval", low=_number(metric.low, metric), high=_number(metric.high, metric))


def _change(metric: Metric, base: float | None, key: str, text: Catalogue) -> str:
    change = metric.change(base)
    if change is None:
        return ""
    return text.say(f"{key}_points" if metric.unit == "share" else key, change=change)


def _html_tile(label: str, value: str, unit: str, notes: Sequence[str]) -> str:
    suffix = f' <span class="unit">{html.escape(unit)}</span>' if unit else ""
    lines = "".join(f'<dd class="note">{html.escape(note)}</dd>' for note in notes)
    return (
        f'<div><dt>{html.escape(label)}</dt><dd class="value">{html.escape(value)}{suffix}</dd>{lines}</div>'
    )
