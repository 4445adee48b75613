"""Shares won and lost by age with open opportunities: values and standard errors of R's survival."""

from __future__ import annotations

from functools import cache, partial

import pandas as pd

from crm_analysis.funnel import aalen_johansen
from published import Published

SOURCE = "R 4.2.2, survival 3.5-3: survfit(Surv(t, factor(s)) ~ 1)"
DAYS = (1, 2, 2, 3, 4, 4, 5, 6, 7, 8)
OUTCOMES = ("won", "lost", "open", "won", "won", "lost", "open", "lost", "won", "open")
# At the days on which something ended; ties are the rule.
PRINTED = {
    "won": ("0.1", "0.1", "0.2142857", "0.3285714", "0.3285714", "0.4809524"),
    "lost": ("0", "0.1", "0.1", "0.2142857", "0.3666667", "0.3666667"),
    "won_se": ("0.0948683", "0.0948683", "0.1350413", "0.1561845", "0.1561845", "0.1780011"),
    "lost_se": ("0", "0.0948683", "0.0948683", "0.1350413", "0.1721392", "0.1721392"),
}
AT = (1, 2, 3, 4, 6, 7)
NAMES = {
    "won": "share won",
    "lost": "share lost",
    "won_se": "standard error of the share won",
    "lost_se": "standard error of the share lost",
}


@cache
def _curve() -> pd.DataFrame:
    return aalen_johansen(DAYS, outcome=OUTCOMES)


def _value(day: int, column: str) -> float:
    return float(_curve().loc[day, column])


ROWS = [
    Published(
        SOURCE,
        f"{NAMES[column]} by day {day}, ten opportunities with ties",
        printed,
        partial(_value, day, column),
    )
    for column, values in PRINTED.items()
    for day, printed in zip(AT, values, strict=True)
]
