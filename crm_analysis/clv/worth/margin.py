"""What part of an amount is profit: the workspace's margin, or the one that the firm's costs leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from crm_analysis.workspace import add_months

if TYPE_CHECKING:
    from crm_analysis.doors.store import OpenWorkspace


@dataclass(frozen=True)
class Margin:
    """Profit per unit of amount, the same for every customer of a firm.

    source : "given" (by the workspace), "from costs" (of the time from `since` to `until`), "unknown" (no
        costs and no margin: share is 1, values are revenue), or "not positive" (the costs exceed the revenue:
        share is 1 as well).
    revenue, cost_of_goods, cost_to_serve, profit : what it was computed from; NaN unless from costs.
    """

    share: float
    source: str
    since: date
    until: date
    revenue: float = float("nan")
    cost_of_goods: float = float("nan")
    cost_to_serve: float = float("nan")
    profit: float = float("nan")


def firm_margin(workspace: OpenWorkspace, firm: str, *, until: date, months: int = 12) -> Margin:
    """Margin of a firm: as the workspace gives it, else of the last months, so that every season counts once.

    It is the firm's and not each customer's own, which rests on a few orders.
    """
    log = workspace.transactions(firm)
    since = max(log.observed_from, add_months(until + timedelta(days=1), -months))
    given = workspace.settings.value.margin
    if isinstance(given, float):
        return (
            Margin(given, "given", since, until) if given > 0 else Margin(1.0, "not positive", since, until)
        )
    if "cost" not in log.lines.columns:
        return Margin(1.0, "unknown", since, until)
    sums = workspace.profit(firm, since=since, until=until).sum()
    share = sums["profit"] / sums["revenue"] if sums["revenue"] > 0 else 0.0
    usable = share > 0
    return Margin(
        share=float(share) if usable else 1.0,
        source="from costs" if usable else "not positive",
        since=since,
        until=until,
        **{name: float(sums[name]) for name in ("revenue", "cost_of_goods", "cost_to_serve", "profit")},
    )
