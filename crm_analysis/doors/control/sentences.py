"""What is said of totals that differ from the ledger's."""

from __future__ import annotations

import pandas as pd

from crm_analysis.doors.control.reason import Reason
from crm_analysis.doors.control.split import Split
from crm_analysis.doors.verdict import Defect

HINT = "look at refunds, missing ids and the time zone, or set control.tolerance"
N_CANDIDATES = 3


def differences(
    measure: str,
    totals: pd.DataFrame,
    found: Split,
    reasons: list[Reason],
    *,
    tolerance: float,
    place: str,
    factor: str = "",
) -> list[Defect]:
    """Refuse totals (columns ours, theirs) that differ by more than the tolerance; say what accounts for it.

    factor : what a constant factor between the two may be.
    """
    over = totals.index[found.difference.abs() > tolerance * totals["theirs"].abs()]
    if over.empty:
        return []
    worst = str(found.difference[over].abs().idxmax())
    ours, theirs, gap = (
        float(values[worst]) for values in (totals["ours"], totals["theirs"], found.difference)
    )
    verb = "differ" if measure == "orders" else "differs"
    totals_said = f"({_number(ours, measure)}, the ledger's {_number(theirs, measure)})"
    head = (
        f"{place}: our {measure} {verb} from the ledger's by more than {tolerance:.2%} in {len(over)} of "
        f"{len(totals)} periods, most in {worst}: ours {_number(abs(gap), measure)} "
        f"{'lower' if gap < 0 else 'higher'} {totals_said}"
    )
    what = factor if factor and not found.settles(worst) else _accounts(measure, worst, over, found, reasons)
    return [Defect(f"control totals differ: {measure}", "refuse", f"{head}; {what}")]


def _accounts(measure: str, worst: str, over: pd.Index, found: Split, reasons: list[Reason]) -> str:
    names = found.names(worst)
    if not names:
        return f"no reason and no two of them account for it{_candidates(measure, worst, found)}; {HINT}"
    row = found.accounted.to_dict("index")[worst]
    things = {reason.name: reason.things for reason in reasons}
    if len(names) == 1 and measure == "revenue":
        parts = f"{things[names[0]]} of {_number(abs(row[names[0]]), measure)}"
    else:
        parts = " and ".join(f"{things[name]} ({_number(row[name], measure, signed=True)})" for name in names)
    verb = "account for it" if found.settles(worst) else "account for most of it"
    if not found.settles(worst):
        verb += f", {_number(abs(found.rest[worst]), measure)} is left"
    n = sum(found.names(period) == names and found.settles(period) for period in over)
    again = f", as in {n} of the {len(over)} periods" if len(over) > 1 and n else ""
    says = {reason.name: reason.says for reason in reasons}
    return f"{parts} {verb}{again}: {'; '.join(says[name] for name in names)}"


def _candidates(measure: str, worst: str, found: Split) -> str:
    """Name the largest amounts of that period."""
    row = {str(name): float(amount) for name, amount in found.amounts.to_dict("index")[worst].items()}
    largest = sorted((name for name in row if row[name]), key=lambda name: -abs(row[name]))[:N_CANDIDATES]
    said = ", ".join(f"{name} {_number(row[name], measure, signed=True)}" for name in largest)
    return f" ({said})" if said else ""


def _number(value: float, measure: str, *, signed: bool = False) -> str:
    form = f"{'+' if signed else ''},.{0 if measure == 'orders' else 2}f"
    return format(value, form)
