"""Segments: which scores make which, what each brings, what to do with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.rfm.cut_points import CutPoints
from crm_analysis.rfm.kept import customers_at
from crm_analysis.rfm.scores import Scores, score

if TYPE_CHECKING:
    import datetime as dt

    from crm_analysis.doors.transactions import Transactions

OTHERS = "Others"


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
    customers = customers_at(log, at)
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
        name: segment(score(customers, cut_points=cut_points.scaled(factor)), rules=rules)["segment"]
        for name, factor in moved.items()
    }
    return pd.Series({name: float((other != here).mean()) for name, other in there.items()}, name="share")


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
