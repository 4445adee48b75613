"""Split differences from a ledger over reasons: what accounts for them, and what is left."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from crm_analysis.doors.control.reason import Reason

# A reason that leaves more than this share of a difference is not named with it.
NEARLY = 0.1


@dataclass(frozen=True)
class Split:
    """Differences of periods and what accounts for them.

    difference : ours less the ledger's, index: period.
    amounts : period x reason: what each reason comes to.
    accounted : the same where the reason accounts for the difference, else 0.
    rest : what is left; accounted and rest sum to the difference.
    slack : up to which a rest is rounding.
    """

    difference: pd.Series
    amounts: pd.DataFrame
    accounted: pd.DataFrame
    slack: float

    @property
    def rest(self) -> pd.Series:
        """Part of each difference that no reason accounts for."""
        return (self.difference - self.accounted.sum(axis="columns")).round(4)

    def names(self, period: str) -> list[str]:
        """Reasons that account for the difference of a period."""
        return [str(name) for name in self.accounted.columns if self.accounted.loc[period, name]]

    def settles(self, period: str) -> bool:
        """Whether nothing but rounding is left."""
        return bool(abs(self.rest[period]) <= self.slack)

    def to_frame(self, measure: str) -> pd.DataFrame:
        """Tidy: period, measure, reason, amount, accounted; the rest is the reason "not accounted for"."""
        rest = self.rest.rename("not accounted for")
        amounts, accounted = (
            pd.concat([part, rest], axis="columns")
            .rename_axis("period")
            .reset_index()
            .melt("period", None, "reason")
            for part in (self.amounts, self.accounted)
        )
        table = amounts.rename(columns={"value": "amount"}).assign(
            accounted=accounted["value"], measure=measure
        )
        table = table.sort_values("period", kind="stable", ignore_index=True)
        return table[["period", "measure", "reason", "amount", "accounted"]]


def split(difference: pd.Series, reasons: list[Reason], amounts: pd.DataFrame, slack: float) -> Split:
    """Find the reason, or the two, that account for each period's difference within rounding.

    One that holds in many periods goes before one that fits a single one. Where none fits, the one that
    leaves least is taken if it leaves no more than a tenth.
    """
    families = {reason.name: reason.family for reason in reasons}
    sums = _sums(amounts, families)
    ranked = sorted(sums, key=lambda names: (-_score(difference, sums[names], slack), len(names)))
    taken = amounts.astype(bool) & False
    for period in map(str, difference.index):
        gap = float(difference[period])
        if abs(gap) > slack:
            for name in _chosen(gap, ranked, {names: sums[names][period] for names in ranked}, slack):
                taken.loc[period, name] = True
    return Split(difference, amounts, amounts.where(taken, 0.0), slack)


def _sums(amounts: pd.DataFrame, families: dict[str, str]) -> dict[tuple[str, ...], pd.Series]:
    """Amounts of every reason and of every two that can both be so; missing where one of them is nothing."""
    known = amounts.where(amounts != 0)
    names = [str(name) for name in amounts.columns]
    pairs = [(a, b) for a, b in combinations(names, 2) if families[a] != families[b]]
    return {(name,): known[name] for name in names} | {(a, b): known[a] + known[b] for a, b in pairs}


def _score(difference: pd.Series, total: pd.Series, slack: float) -> int:
    """In how many periods the difference is this, less those where it would make one."""
    fits = (difference - total.fillna(0.0)).abs() <= slack
    return int(fits.sum() - (difference.abs() <= slack).sum())


def _chosen(
    gap: float, ranked: list[tuple[str, ...]], totals: dict[tuple[str, ...], float], slack: float
) -> tuple[str, ...]:
    exact = [names for names in ranked if abs(gap - totals[names]) <= slack]
    if exact:
        return exact[0]
    near = [(abs(gap - totals[names]), names) for names in ranked if len(names) == 1]
    near = [(rest, names) for rest, names in near if rest <= NEARLY * abs(gap)]
    return min(near, key=lambda found: found[0])[1] if near else ()


def same_factor(ours: pd.Series, theirs: pd.Series, slack: float) -> str:
    """Say what a constant factor between the two may be: a unit or a tax; "" where it is not constant."""
    some = (ours != 0) & (theirs != 0)
    ours, theirs = ours[some], theirs[some]
    if ours.empty:
        return ""
    for factor, unit in ((1e3, "thousands"), (1e4, "ten thousands"), (1e6, "millions"), (0.01, "hundredths")):
        if ((ours - factor * theirs).abs() <= factor * slack + 0.01).all():
            return f"its revenue is in {unit}: multiply it by {factor:g} in the ledger"
    return _tax(theirs / ours)


def _tax(ratio: pd.Series) -> str:
    """Say that the ledger is a constant multiple of ours, or a constant part."""
    mean = float(ratio.mean())
    if ((ratio - mean).abs() > 1e-4 * mean).any() or abs(mean - 1) < 0.01:
        return ""
    factor, how = (mean, "after") if mean > 1 else (1 / mean, "before")
    percent = round(100 * (factor - 1))
    if 3 <= percent <= 27 and abs(factor - 1 - percent / 100) <= 1e-4 * factor:
        return (
            f"it is {mean:.4f} times ours in every period: possibly {how} a value added tax of {percent}%, "
            "which is not applied here; bring both to one basis in the source"
        )
    if len(ratio) < 3:
        return ""
    return f"it is {mean:.4f} times ours in every period: another unit, currency or tax?"
