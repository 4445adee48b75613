"""RFM: which groups of customers there are, and who moved between them.

R scores `days_since_last` (fewer is better), F `n_orders`, M `total_amount` or `total_profit`; 1 is worst.
A score depends on the customer's value and the cut points alone, so that equal values always get equal
scores (docs/decisions/0003-ties-in-rfm.md). The analysis date is the one the customer table was counted at.

Sources: Hughes, Strategic Database Marketing (2005); Blattberg, Kim & Neslin, Database Marketing (2008),
chapter 12; cut points as in the R package rfm 0.3.0.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from crm_analysis.customers import summarise_customers
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.workspace import DAYS_PER_YEAR

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions

Method = Literal["independent", "nested"]
Monetary = Literal["total_amount", "total_profit"]
Why = Literal["kept", "not_asked", "too_late", "too_early"]
Limits = tuple[float, ...]
OTHERS = "Others"
NEW, LEFT = "new", "left"
ENOUGH_PER_SCORE = 30
_VALUES = ("days_since_last", "n_orders", "total_amount", "total_profit")


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


@dataclass(frozen=True, eq=False)
class Scores:
    """Scored customers, with the cut points that made the scores and the date they were counted at.

    table : index of the customers; days_since_last, n_orders, total_amount, total_profit where known;
        r, f, m (int, 1 is worst), rfm (text such as "543").
    """

    table: pd.DataFrame
    cut_points: CutPoints
    at: dt.date

    def __str__(self) -> str:
        c = self.cut_points
        return (
            f"{len(self.table)} customers scored at {self.at}: {c.method}, {c.bins} bins, M is {c.monetary}, "
            f"cut points fitted at {c.fitted_at}"
        )


def score(
    customers: pd.DataFrame,
    *,
    at: dt.date | str | None = None,
    bins: int = 5,
    method: Method = "independent",
    cut_points: CutPoints | None = None,
    monetary: Monetary = "total_amount",
) -> Scores:
    """R, F and M scores of each customer, 1 (worst) to `bins` (best); equal values get equal scores.

    Independent scores cut each measure at its own quantiles. Nested ones cut F within each R score and M
    within each R and F score, which fills the cells evenly but makes an F of 3 mean different things.

    Parameters
    ----------
    customers : one row per customer: days_since_last (days), n_orders, and the `monetary` column.
    at : the analysis date. It is proven from last_at + days_since_last where the table has last_at, and
        has to be given where it has not.
    cut_points : kept from an earlier period; they then decide bins, method and monetary as well.

    Raises
    ------
    DataError
        A column is missing, holds gaps, or was counted at another date than `at`.
    ConfigError
        The analysis date is neither in the table nor given, or an argument contradicts `cut_points`.
    """
    if cut_points is not None:
        _check_agreement(cut_points, bins=bins, method=method, monetary=monetary)
        monetary = cut_points.monetary
    values = _measures(customers, monetary)
    date = _analysis_date(customers, at)
    kept = cut_points or _fit(values, bins=bins, method=method, monetary=monetary, at=date)
    scored = _place_all(values, kept)
    shown = customers[[c for c in _VALUES if c in customers]]
    return Scores(pd.concat([shown, scored], axis="columns"), kept, date)


def _check_agreement(kept: CutPoints, *, bins: int, method: str, monetary: str) -> None:
    asked = {"bins": (bins, 5), "method": (method, "independent"), "monetary": (monetary, "total_amount")}
    for name, (value, default) in asked.items():
        if value not in (default, getattr(kept, name)):
            raise ConfigError(
                f"score: {name}={value!r}, but the cut points were fitted with {getattr(kept, name)!r}; "
                "leave it out, or fit new cut points"
            )


def _measures(customers: pd.DataFrame, monetary: str) -> pd.DataFrame:
    """Return days, orders and money as columns r, f, m, checked all at once."""
    columns = {"days_since_last": "r", "n_orders": "f", monetary: "m"}
    if missing := [c for c in columns if c not in customers]:
        hint = "; total_profit needs unit_cost and quantity in the log" if "total_profit" in missing else ""
        raise DataError(f"rfm: no column {missing}; columns present: {list(customers.columns)}{hint}")
    if customers.empty:
        raise DataError("rfm: no customers to score")
    values = customers[list(columns)].astype("float64")
    problems = [f"{n} without {c}" for c in columns if (n := int((~np.isfinite(values[c])).sum()))]
    if n := int((values["days_since_last"] < 0).sum()):
        problems.append(f"{n} with a purchase after the analysis date (days_since_last below 0)")
    if problems:
        raise DataError(f"rfm: of {len(values)} customers {', '.join(problems)}; a score needs all three")
    return values.rename(columns=columns)


def _analysis_date(customers: pd.DataFrame, at: dt.date | str | None) -> dt.date:
    given = None if at is None else pd.Timestamp(at).date()
    if "last_at" not in customers:
        if given is None:
            raise ConfigError(
                "rfm: the analysis date is missing; give at=, the day days_since_last counts to"
            )
        return given
    counted = customers["last_at"].dt.normalize() + pd.to_timedelta(customers["days_since_last"], unit="D")
    dates = sorted(counted.dt.date.unique())
    if len(dates) > 1:
        raise DataError(f"rfm: days_since_last was counted to {dates[0]} for some and {dates[-1]} for others")
    if given not in (None, dates[0]):
        raise DataError(
            f"rfm: days_since_last was counted to {dates[0]}, not to {given}; "
            f"summarise the log as of {given} first"
        )
    return dates[0]


def _fit(values: pd.DataFrame, *, bins: int, method: str, monetary: Monetary, at: dt.date) -> CutPoints:
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
        placed = _place(row["f"], f[f"{i}"])
        for j in range(1, bins + 1):
            m[f"{i}{j}"] = _above(_or_else(row[placed == j], row)["m"], bins, 0.0)
    return f, m


def _or_else(group: pd.DataFrame, around: pd.DataFrame) -> pd.DataFrame:
    return around if group.empty else group


def _place_all(values: pd.DataFrame, kept: CutPoints) -> pd.DataFrame:
    r = _r_scores(values["r"], kept.r)
    f = _place_within(values["f"], kept.f, r.astype(str))
    m = _place_within(values["m"], kept.m, r.astype(str) + f.astype(str))
    return pd.DataFrame({"r": r, "f": f, "m": m, "rfm": r.astype(str) + f.astype(str) + m.astype(str)})


def _place_within(values: pd.Series, limits: Limits | Mapping[str, Limits], group: pd.Series) -> pd.Series:
    if not isinstance(limits, Mapping):
        return _place(values, limits)
    placed = [_place(part, limits[name]) for name, part in values.groupby(group)]
    return pd.concat(placed).reindex(values.index)


def _place(values: pd.Series, limits: Limits) -> pd.Series:
    """Band of each value, 1 for the lowest: a value on a limit belongs to the band above it."""
    return pd.Series(1 + np.searchsorted(limits, values, side="right"), index=values.index)


def _r_scores(days: pd.Series, limits: Limits) -> pd.Series:
    return len(limits) + 2 - _place(days, limits)


@dataclass(frozen=True)
class KeptCutPoints:
    """Cut points that a report keeps, how many customers they were fitted on, and why on that day.

    why : "kept" from the day asked for; else fitted at the end of the log, because no day was asked for
        ("not_asked"), because it lies after that end ("too_late"), or because fewer than 30 customers per
        score had bought by then ("too_early").
    """

    cut_points: CutPoints
    n_customers: int
    why: Why


def keep_cut_points(
    log: Transactions, *, asked: dt.date | None, bins: int = 5, monetary: Monetary = "total_amount"
) -> KeptCutPoints:
    """Cut points fitted on the log as it stood at the end of `asked`, or else as it stands now.

    Parameters
    ----------
    log : seen at the end of the period that will be scored.
    asked : the day from which they are kept; [rfm] cut_points_at of a workspace.

    Raises
    ------
    DataError
        Nobody had bought by the end of the log, or it has no column `monetary`.
    """
    customers = _customers_at(log, asked)
    why = _why_then(log, asked, n_customers=len(customers), needed=ENOUGH_PER_SCORE * bins)
    if why != "kept":
        customers = summarise_customers(log)
    if customers.empty:
        raise DataError(f"rfm: nobody had bought by {log.observed_until}, so there is nobody to score")
    fitted = score(customers, bins=bins, monetary=monetary)
    return KeptCutPoints(fitted.cut_points, len(customers), why)


def _why_then(log: Transactions, asked: dt.date | None, *, n_customers: int, needed: int) -> Why:
    if asked is None:
        return "not_asked"
    if asked > log.observed_until:
        return "too_late"
    return "kept" if n_customers >= needed else "too_early"


def _customers_at(log: Transactions, at: dt.date | None) -> pd.DataFrame:
    """Return the customers as seen at the end of a day; nobody where that day was not observed."""
    if at is None or not log.observed_from <= at <= log.observed_until:
        return summarise_customers(log).iloc[:0]
    return summarise_customers(log.as_of(at))


def score_cells(scores: Scores) -> pd.DataFrame:
    """One row per R and F score: n_customers, total and mean of M's column (NaN where nobody is).

    Returns
    -------
    DataFrame, bins x bins rows: r, f, n_customers, total_amount, mean_amount (or ..._profit)
    """
    column = scores.cut_points.monetary
    every = pd.MultiIndex.from_product([range(1, scores.cut_points.bins + 1)] * 2, names=["r", "f"])
    groups = scores.table.groupby(["r", "f"])[column]
    cells = pd.DataFrame({"n_customers": groups.size(), column: groups.sum()}).reindex(every, fill_value=0)
    cells[column.replace("total", "mean")] = groups.mean().reindex(every)
    return cells.reset_index()


@dataclass(frozen=True)
class Rule:
    """A box of score cells that belongs to a segment: lowest and highest score, both included."""

    segment: str
    r: tuple[int, int] = (1, 5)
    f: tuple[int, int] = (1, 5)
    m: tuple[int, int] = (1, 5)

    def covers(self, cells: pd.DataFrame) -> pd.Series:
        """Which of the cells (columns r, f, m) the rule matches."""
        return (
            cells["r"].between(*self.r) & cells["f"].between(*self.f) & cells["m"].between(*self.m)
        ).astype(bool)


LOW, MIDDLE, HIGH = (1, 2), (2, 3), (4, 5)
# Each of the 125 cells once; check_rules proves it. The field calls the lowest group "Lost"; without a
# contract nobody can tell who has left, only that the last purchase is long ago.
RULES = (
    Rule("Champions", r=HIGH, f=HIGH, m=HIGH),
    Rule("Loyal", r=HIGH, f=HIGH, m=(1, 3)),
    Rule("Loyal", r=(3, 3), f=HIGH),
    Rule("Potential loyalist", r=HIGH, f=MIDDLE),
    Rule("New", r=(5, 5), f=(1, 1)),
    Rule("Promising", r=(4, 4), f=(1, 1)),
    Rule("Need attention", r=(3, 3), f=MIDDLE),
    Rule("About to sleep", r=(3, 3), f=(1, 1)),
    Rule("At risk", r=LOW, f=(3, 3)),
    Rule("At risk", r=LOW, f=HIGH, m=(1, 3)),
    Rule("Can't lose them", r=LOW, f=HIGH, m=HIGH),
    Rule("Hibernating", r=(2, 2), f=LOW),
    Rule("Hibernating", r=(1, 1), f=LOW, m=(3, 5)),
    Rule("Long inactive", r=(1, 1), f=LOW, m=LOW),
)
ACTIONS = {
    "Champions": "Thank, involve, ask for referrals; no discount",
    "Loyal": "Raise the order value with what fits their purchases",
    "Potential loyalist": "Bring to the next purchase, in a second category",
    "New": "Welcome; aim at the second purchase",
    "Promising": "Remind while the first purchase is fresh",
    "Need attention": "Contact now with an offer that fits",
    "About to sleep": "Remind once, cheaply, then stop",
    "At risk": "Win back in person: ask what went wrong",
    "Can't lose them": "Call in person; solve open complaints",
    "Hibernating": "Cheap reminders in their buying season",
    "Long inactive": "A yearly reminder at most",
}


def rule_cells(rules: Iterable[Rule], *, bins: int = 5) -> pd.DataFrame:
    """Every score cell with the number of rules that match it and the segment of the first that does.

    Returns
    -------
    DataFrame, bins^3 rows: r, f, m, n_rules, segment ("Others" where no rule matches)
    """
    cells = pd.DataFrame(list(product(range(1, bins + 1), repeat=3)), columns=["r", "f", "m"])
    rules = tuple(rules)
    matches = [rule.covers(cells) for rule in rules]
    segment = pd.Series(OTHERS, index=cells.index)
    for rule, match in reversed(list(zip(rules, matches, strict=True))):
        segment = segment.mask(match, rule.segment)
    return cells.assign(n_rules=np.sum(matches, axis=0).astype(int), segment=segment)


def describe_rules(rules: Iterable[Rule] = RULES) -> pd.DataFrame:
    """One row per rule: segment, r, f, m (the scores it takes, such as "4-5")."""
    boxes = [(rule.segment, *(_span(*scores) for scores in (rule.r, rule.f, rule.m))) for rule in rules]
    return pd.DataFrame(boxes, columns=["segment", "r", "f", "m"])


def _span(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low}–{high}"


def dead_segments(rules: Iterable[Rule], *, bins: int = 5) -> list[str]:
    """Segments that no customer can get, because earlier rules take all their cells."""
    rules = tuple(rules)
    alive = set(rule_cells(rules, bins=bins)["segment"])
    return [name for name in _segment_names(rules) if name not in alive]


def check_rules(rules: Iterable[Rule], *, bins: int = 5) -> None:
    """Refuse a rule table unless each of the bins^3 cells belongs to exactly one rule and no segment is dead.

    Raises
    ------
    ConfigError
        Names the uncovered cells, the cells of several rules, and the segments nobody can get.
    """
    rules = tuple(rules)
    cells = rule_cells(rules, bins=bins)
    problems = [
        f"{len(bad)} cells {kind}: {_name_cells(bad)}"
        for kind, bad in (
            ("without a segment", cells[cells["n_rules"] == 0]),
            ("in more than one rule", cells[cells["n_rules"] > 1]),
        )
        if len(bad)
    ]
    if dead := dead_segments(rules, bins=bins):
        problems.append(f"segments that nobody can get: {dead}")
    if problems:
        raise ConfigError(
            f"rfm rules, {bins} bins: {'; '.join(problems)}. Give each of the {len(cells)} cells to exactly "
            "one rule, or say first_match=True"
        )


def _name_cells(cells: pd.DataFrame, *, shown: int = 8) -> str:
    names = [f"{r}{f}{m}" for r, f, m in cells[["r", "f", "m"]].itertuples(index=False)]
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _segment_names(rules: Iterable[Rule]) -> list[str]:
    return list(dict.fromkeys(rule.segment for rule in rules))


def segment(scores: Scores, *, rules: Iterable[Rule] = RULES, first_match: bool = False) -> pd.DataFrame:
    """Score table with the segment of each customer, a category in the order of the rules.

    Parameters
    ----------
    rules : a partition of all score cells, refused otherwise (`check_rules`).
    first_match : accept rules that overlap or leave gaps: the first that matches decides, and the customers
        whom none matches are "Others".

    Raises
    ------
    ConfigError
        The rules are no partition.
    """
    rules = tuple(rules)
    bins = scores.cut_points.bins
    if not first_match:
        check_rules(rules, bins=bins)
    cells = rule_cells(rules, bins=bins).set_index(["r", "f", "m"])["segment"]
    keys = pd.MultiIndex.from_frame(scores.table[["r", "f", "m"]])
    names = _segment_names(rules) + ([OTHERS] if first_match else [])
    return scores.table.assign(segment=pd.Categorical(cells.reindex(keys), categories=names, ordered=True))


def segments_at(
    log: Transactions, *, at: dt.date, cut_points: CutPoints, rules: Iterable[Rule] = RULES
) -> pd.DataFrame:
    """Segments (see `segment`) of the customers as seen at the end of `at`.

    Nobody is in it where that day was not observed, or nobody had bought by then.
    """
    customers = _customers_at(log, at)
    if customers.empty:
        names = pd.CategoricalDtype(_segment_names(rules), ordered=True)
        return customers.assign(segment=pd.Series(index=customers.index, dtype=names))
    return segment(score(customers, cut_points=cut_points), rules=rules)


def sensitivity(
    customers: pd.DataFrame, *, cut_points: CutPoints, change: float = 0.10, rules: Iterable[Rule] = RULES
) -> pd.Series:
    """Share of the customers who would be in another segment with other cut points.

    Those of days and of money are moved by `change`, down and up. Those of orders stay: on numbers such as 2
    and 3 a tenth is nothing or everything.

    Returns
    -------
    Series, index lower, higher: share of all customers
    """
    rules = tuple(rules)
    here = segment(score(customers, cut_points=cut_points), rules=rules)["segment"]
    moved = {"lower": 1 - change, "higher": 1 + change}
    there = {
        name: segment(score(customers, cut_points=_scaled(cut_points, factor)), rules=rules)["segment"]
        for name, factor in moved.items()
    }
    return pd.Series({name: float((other != here).mean()) for name, other in there.items()}, name="share")


def _scaled(cut_points: CutPoints, factor: float) -> CutPoints:
    """Return the cut points with those of days and money multiplied."""
    r, m = (_times(limits, factor) for limits in (cut_points.r, cut_points.m))
    return replace(cut_points, r=r, m=m)


def summarise_segments(segments: pd.DataFrame, *, actions: Mapping[str, str] = ACTIONS) -> pd.DataFrame:
    """One row per segment, empty ones included: what it is, what it brings, what to do with it.

    Returns
    -------
    DataFrame, index segment: n_customers, n_orders, total_amount, total_profit (where known),
    average_order_value (total_amount / n_orders), median_days_since_last, share_of_customers,
    share_of_amount, share_of_profit (of all customers), action
    """
    groups = segments.groupby("segment", observed=False)
    sums = [c for c in ("n_orders", "total_amount", "total_profit") if c in segments]
    table = pd.concat([groups.size().rename("n_customers"), groups[sums].sum()], axis="columns")
    table["average_order_value"] = table["total_amount"] / table["n_orders"].where(table["n_orders"] > 0)
    table["median_days_since_last"] = groups["days_since_last"].median()
    table["share_of_customers"] = table["n_customers"] / len(segments)
    for column in sums[1:]:
        table[column.replace("total", "share_of")] = table[column] / segments[column].sum()
    table["action"] = [actions.get(str(name), "") for name in table.index]
    return table


def migration(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """How many customers went from which segment (rows) to which (columns).

    The row "new" holds customers seen only after, the column "left" those seen only before; row sums are
    the segments before, column sums those after.

    Parameters
    ----------
    before, after : what `segment` returned, of two dates and scored with the same cut points.
    """
    moves = _both(before, after)
    counts = pd.crosstab(moves["before"], moves["after"], dropna=False)
    names = _names_of(before, after)
    return counts.reindex(index=[*names, NEW], columns=[*names, LEFT], fill_value=0)


def changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Who changed segment, is new or has left: index customer_id; columns before, after."""
    moves = _both(before, after)
    return moves[moves["before"] != moves["after"]].sort_index()


def rank_moves(moves: pd.DataFrame) -> pd.DataFrame:
    """Moves from one segment to another, the largest first; who is new or has left made none.

    Parameters
    ----------
    moves : what `migration` returned.

    Returns
    -------
    DataFrame: before, after, n_customers, share_of_before (of the customers who were in `before`)
    """
    wide = moves.rename_axis(index="before").reset_index()
    long = wide.melt(id_vars="before", var_name="after", value_name="n_customers")
    long["share_of_before"] = long["n_customers"] / long.groupby("before")["n_customers"].transform("sum")
    moved = (long["before"] != long["after"]) & (long["before"] != NEW) & (long["after"] != LEFT)
    chosen = long[moved & (long["n_customers"] > 0)]
    return chosen.sort_values("n_customers", ascending=False, kind="stable", ignore_index=True)


def entered_and_left(moves: pd.DataFrame, *, segments: Iterable[str]) -> pd.DataFrame:
    """From where customers came into a group of segments, and to where they went.

    Parameters
    ----------
    moves : what `migration` returned.
    segments : the group; moves within it do not count.

    Returns
    -------
    DataFrame, index segment (outside the group, "new" and "left" among them): entered, left, net. The
    group's customers before, plus net, are its customers after.

    Raises
    ------
    ConfigError
        A segment is not known.
    """
    group = _known_segments(segments, moves.columns.drop(LEFT))
    came = moves.drop(index=group)[group].sum(axis="columns")
    went = moves.loc[group].drop(columns=group).sum()
    names = [*moves.columns.drop([*group, LEFT]), NEW, LEFT]
    table = pd.DataFrame({"entered": came, "left": went}).reindex(names).fillna(0).astype(int)
    table = table.assign(net=table["entered"] - table["left"]).rename_axis("segment")
    return table[table[["entered", "left"]].any(axis="columns")]


def movers(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    customers: pd.DataFrame,
    targets: Iterable[str],
    origins: Iterable[str] | None = None,
    monetary: Monetary = "total_amount",
) -> pd.DataFrame:
    """Who came from one of `origins` to one of `targets`, those of the highest value first.

    Parameters
    ----------
    before, after : what `segment` returned, of two dates and scored with the same cut points.
    customers : at the later date: days_since_last, n_orders, t_observed and the `monetary` column.
    targets, origins : segments, and "new" for an origin; without origins all that are no target.

    Returns
    -------
    DataFrame, index customer_id: before, after, days_since_last, n_orders, the `monetary` column, and
    value_at_stake: that money per year since the first purchase, which counts as one year at least.

    Raises
    ------
    ConfigError
        A segment is not known.
    """
    names = _names_of(before, after)
    entering = _known_segments(targets, names)
    others = [name for name in [*names, NEW] if name not in entering]
    leaving = others if origins is None else _known_segments(origins, [*names, NEW])
    moves = changes(before, after)
    chosen = moves[moves["before"].isin(leaving) & moves["after"].isin(entering)]
    known = customers.loc[chosen.index]
    years = (known["t_observed"] / DAYS_PER_YEAR).clip(lower=1)
    table = chosen.join(known[["days_since_last", "n_orders", monetary]])
    table["value_at_stake"] = known[monetary] / years
    return table.sort_values("value_at_stake", ascending=False, kind="stable")


def _known_segments(asked: Iterable[str], known: Iterable[str]) -> list[str]:
    asked, names = list(asked), [str(name) for name in known]
    if unknown := [name for name in asked if name not in names]:
        raise ConfigError(f"rfm: no segment {unknown}; segments: {names}")
    return asked


def _both(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Segment of each customer before and after, as text."""
    sides = [before["segment"].astype(object), after["segment"].astype(object)]
    both = pd.concat(sides, axis="columns", keys=["before", "after"], join="outer")
    return both.fillna({"before": NEW, "after": LEFT}).astype(str)


def _names_of(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    names = [*before["segment"].cat.categories, *after["segment"].cat.categories]
    return [str(name) for name in dict.fromkeys(names)]


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
