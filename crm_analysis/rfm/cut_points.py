"""Where the scores change: fitted on customers, shown, kept, and applied."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError

Method = Literal["independent", "nested"]
Monetary = Literal["total_amount", "total_profit"]
Limits = tuple[float, ...]


@dataclass(frozen=True)
class CutPoints:
    """Where the scores change: the lowest value of the second band, of the third, and so on.

    `r` is in days, `f` in orders, `m` in money; a value on a cut point belongs to the band above it. For
    nested scores `f` holds one row of cut points per R score ("4") and `m` one per R and F score ("42").
    Published cut points can be typed in; `fitted_at` is the analysis date of the customers they come from.

    Raises
    ------
    ConfigError
        The rows differ in length or do not ascend.
    """

    r: Limits
    f: Limits | Mapping[str, Limits]
    m: Limits | Mapping[str, Limits]
    fitted_at: dt.date
    monetary: Monetary = "total_amount"

    def __post_init__(self) -> None:
        for name, limits in self._rows():
            if len(limits) != len(self.r):
                raise ConfigError(f"cut points {name}: {len(limits)} values, as many as r expected: {self.r}")
            if not np.all(np.diff(limits) >= 0):
                raise ConfigError(f"cut points {name}: {limits} do not ascend; give the lowest value first")

    @property
    def bins(self) -> int:
        """Number of scores."""
        return len(self.r) + 1

    @property
    def method(self) -> Method:
        """How the cut points were fitted."""
        return "nested" if isinstance(self.f, Mapping) else "independent"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and text, ready for JSON."""
        plain = {k: _plain(v) for k, v in (("r", self.r), ("f", self.f), ("m", self.m))}
        return {**plain, "fitted_at": self.fitted_at.isoformat(), "monetary": self.monetary}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> CutPoints:
        """Cut points from what `to_dict` wrote."""
        if missing := {"r", "f", "m", "fitted_at", "monetary"} - set(content):
            raise ConfigError(f"cut points: {sorted(missing)} missing; keep what to_dict() gives")
        limits = {name: _frozen(content[name]) for name in ("r", "f", "m")}
        at = dt.date.fromisoformat(content["fitted_at"])
        return cls(**limits, fitted_at=at, monetary=content["monetary"])

    def table(self) -> pd.DataFrame:
        """One row per band: measure, within (the scores it is nested in), score, lower, upper.

        A band holds lower <= value < upper; the first has no lower and the last no upper end.
        """
        rows = [
            (name[0], name[1:], score, lower, upper)
            for name, limits in self._rows()
            for score, lower, upper in self._bands(name[0], limits)
        ]
        return pd.DataFrame(rows, columns=["measure", "within", "score", "lower", "upper"])

    def demands(self) -> pd.DataFrame:
        """What each score demands, best first; a customer has the highest score whose demand is met.

        Returns
        -------
        DataFrame: score, days_at_most, n_orders_at_least (whole), amount_at_least (or profit_at_least);
        missing where everybody meets it.

        Raises
        ------
        ConfigError
            The cut points are nested: a score demands something else in every group.
        """
        if isinstance(self.f, Mapping) or isinstance(self.m, Mapping):
            raise ConfigError("cut points: nested ones have no demand per score; show table() instead")
        money = self.monetary.removeprefix("total_")
        demanded = {
            "score": range(self.bins, 0, -1),
            "days_at_most": [*(np.ceil(self.r) - 1), np.nan],
            "n_orders_at_least": [*np.ceil(self.f)[::-1], np.nan],
            f"{money}_at_least": [*self.m[::-1], np.nan],
        }
        return pd.DataFrame(demanded)

    def scaled(self, factor: float) -> CutPoints:
        """Cut points with those of days and money multiplied; those of orders stay."""
        r, m = (_times(limits, factor) for limits in (self.r, self.m))
        return replace(self, r=r, m=m)

    def _rows(self) -> list[tuple[str, Limits]]:
        rows: list[tuple[str, Limits]] = [("r", self.r)]
        for name, limits in (("f", self.f), ("m", self.m)):
            inner = limits.items() if isinstance(limits, Mapping) else [("", limits)]
            rows += [(f"{name}{within}", row) for within, row in inner]
        return rows

    def _bands(self, measure: str, limits: Limits) -> list[tuple[int, float, float]]:
        ends = (np.nan, *limits, np.nan)
        scores = range(1, self.bins + 1)
        order = reversed(scores) if measure == "r" else scores
        return [(score, ends[band], ends[band + 1]) for band, score in enumerate(order)]


def fit_cut_points(
    values: pd.DataFrame, *, bins: int, method: str, monetary: Monetary, at: dt.date
) -> CutPoints:
    """Cut points at the quantiles of the values r (days), f (orders) and m (money) of the customers."""
    if not 2 <= bins <= 9:
        raise ConfigError(f"rfm: bins={bins}; expected 2 to 9, one digit per score")
    if method not in ("independent", "nested"):
        raise ConfigError(f"rfm: method={method!r}; expected 'independent' or 'nested'")
    r, f, m = (_limits(values[name], bins) for name in "rfm")
    if method == "independent":
        return CutPoints(r, f, m, at, monetary)
    return CutPoints(r, *_fit_within(values, r, bins), at, monetary)


def _limits(values: pd.Series, bins: int) -> Limits:
    """Quantiles (type 7) plus one step: 1, or the finest difference between two values if smaller."""
    distinct = np.unique(values)
    step = min(1.0, np.diff(distinct).min()) if len(distinct) > 1 else 1.0
    return _above(values, bins, step)


def _above(values: pd.Series, bins: int, step: float) -> Limits:
    quantiles = np.quantile(values, np.arange(1, bins) / bins)
    return tuple(float(x) for x in np.maximum(quantiles + step, np.nextafter(quantiles, np.inf)))


def _fit_within(values: pd.DataFrame, r: Limits, bins: int) -> tuple[dict[str, Limits], dict[str, Limits]]:
    """Cut points of F per R score and of M per R and F score; an empty group takes those around it.

    A group holds few customers, where a whole step would move several of them: the cut is just above the
    quantile.
    """
    f: dict[str, Limits] = {}
    m: dict[str, Limits] = {}
    scores = _r_scores(values["r"], r)
    for i in range(1, bins + 1):
        row = _or_else(values[scores == i], values)
        f[f"{i}"] = _above(row["f"], bins, 0.0)
        placed = _band(row["f"], f[f"{i}"])
        for j in range(1, bins + 1):
            m[f"{i}{j}"] = _above(_or_else(row[placed == j], row)["m"], bins, 0.0)
    return f, m


def _or_else(group: pd.DataFrame, around: pd.DataFrame) -> pd.DataFrame:
    return around if group.empty else group


def place(values: pd.DataFrame, kept: CutPoints) -> pd.DataFrame:
    """Scores r, f, m of the values of the same names, and rfm, the three as text."""
    r = _r_scores(values["r"], kept.r)
    f = _place_within(values["f"], kept.f, r.astype(str))
    m = _place_within(values["m"], kept.m, r.astype(str) + f.astype(str))
    return pd.DataFrame({"r": r, "f": f, "m": m, "rfm": r.astype(str) + f.astype(str) + m.astype(str)})


def _place_within(values: pd.Series, limits: Limits | Mapping[str, Limits], group: pd.Series) -> pd.Series:
    if not isinstance(limits, Mapping):
        return _band(values, limits)
    placed = [_band(part, limits[name]) for name, part in values.groupby(group)]
    return pd.concat(placed).reindex(values.index)


def _band(values: pd.Series, limits: Limits) -> pd.Series:
    """Band of each value, 1 for the lowest: a value on a limit belongs to the band above it."""
    return pd.Series(1 + np.searchsorted(limits, values, side="right"), index=values.index)


def _r_scores(days: pd.Series, limits: Limits) -> pd.Series:
    return len(limits) + 2 - _band(days, limits)


def _times(limits: Limits | Mapping[str, Limits], factor: float) -> Any:
    if isinstance(limits, Mapping):
        return {k: _times(v, factor) for k, v in limits.items()}
    return tuple(x * factor for x in limits)


def _plain(limits: Limits | Mapping[str, Limits]) -> Any:
    return {k: list(v) for k, v in limits.items()} if isinstance(limits, Mapping) else list(limits)


def _frozen(limits: Any) -> Any:
    if isinstance(limits, Mapping):
        return {str(k): tuple(float(x) for x in v) for k, v in limits.items()}
    return tuple(float(x) for x in limits)
