"""A key number with its interval and its change, and the band of tiles that shows several."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from crm_analysis.report.format import MISSING, Kind, decimals_for, format_number, with_minus
from crm_analysis.report.text import Catalogue
from crm_analysis.workspace import Period


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
        share = self.unit == "share"
        change = f"{100 * (self.value - base):+.1f}" if share else f"{self.value / base - 1:+.1%}"
        return with_minus(change) if re.search("[1-9]", change) else f"±{change[1:]}"


@dataclass(frozen=True)
class Setting:
    """What the tiles of a page share: language, currency and the period they are about."""

    text: Catalogue
    currency: str
    period: Period


def band(metrics: Sequence[Metric], setting: Setting) -> tuple[str, str]:
    """Plain text and HTML of a row of tiles."""
    tiles = [_tile(metric, setting) for metric in metrics]
    plain = "\n".join("  ".join([label, value, *notes]) for label, value, notes in tiles)
    return plain, f'<dl class="crm-band">\n{chr(10).join(_html_tile(*tile) for tile in tiles)}\n</dl>'


def _tile(metric: Metric, setting: Setting) -> tuple[str, str, list[str]]:
    """Label with its unit, value and notes of one tile."""
    period = setting.period
    notes = [
        _interval(metric, setting.text),
        _change(metric, metric.previous, period.previous, setting.text),
        _change(metric, metric.year_before, period.year_before, setting.text),
    ]
    # The year before a year is last year: said once.
    said = list(dict.fromkeys(note for note in notes if note))
    return _label(metric, setting), _number(metric.value, metric), said


def _label(metric: Metric, setting: Setting) -> str:
    """Label of a tile; the unit is added where the label does not say it already."""
    if metric.unit in (None, "share"):
        return metric.label
    unit = setting.currency if metric.unit == "money" else setting.text.label(str(metric.unit))
    return metric.label if unit.lower() in metric.label.lower() else f"{metric.label} ({unit})"


def _number(value: float | None, metric: Metric) -> str:
    if value is None or metric.value is None:
        return MISSING
    return format_number(value, metric.kind, decimals=decimals_for(metric.kind, largest=abs(metric.value)))


def _interval(metric: Metric, text: Catalogue) -> str:
    if metric.low is None or metric.high is None:
        return ""
    return text.say("interval", low=_number(metric.low, metric), high=_number(metric.high, metric))


def _change(metric: Metric, base: float | None, since: Period, text: Catalogue) -> str:
    change = metric.change(base)
    if change is None:
        return ""
    return text.say("points_on" if metric.unit == "share" else "change_on", change=change, period=since.label)


def _html_tile(label: str, value: str, notes: Sequence[str]) -> str:
    lines = "".join(f'<dd class="note">{html.escape(note)}</dd>' for note in notes)
    return f'<div><dt>{html.escape(label)}</dt><dd class="value">{html.escape(value)}</dd>{lines}</div>'
