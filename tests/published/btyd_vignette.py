"""The walkthrough of BTYD on CDNOW: distributions, conditional expectations, weekly tracking.

BTYD takes customers for one day older than they are, which moves every number of its tracking. Both ages are
here: its own, and that of the true calendar.
"""

from __future__ import annotations

from functools import partial

import pandas as pd

from crm_analysis.clv.ahead.goodness import daily_repeats
from crm_analysis.clv.models.bg_nbd import BgNbd
from crm_analysis.clv.models.pareto_nbd import ParetoNbd
from published import Published
from published.counts import ANEW, BTYD, STOPPED, by_frequency, cdnow, fitted, later, log, made, several

EARLY = "BTYD takes customers for one day older than they are"
ROUNDED = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
COARSE = ParetoNbd(r=0.55, alpha=10.56, s=0.61, beta=11.64)
BUSY = pd.DataFrame({"n_repeat": [26], "t_last": [216], "t_observed": [217]})
PARADOX = pd.DataFrame({"t_last": 140, "t_observed": 273, "n_repeat": [10, 15, 20, 25]}, [10, 15, 20, 25])
OF_1516 = {
    "bg_nbd": ("1.444004", "25.75659", ".9688523"),
    "pareto_nbd": ("1.473434", "25.45647", ".997874"),
}
HOLDOUT = {
    "bg_nbd": (".2251", ".5231", "1.0441", "1.5203", "2.1639", "2.6538", "3.5040", "6.1572"),
    "pareto_nbd": (".1384", ".5995", "1.1958", "1.7138", "2.3983", "2.9072", "3.8186", "6.4031"),
}
MADE = (".2367", ".6970", "1.3925", "1.5600", "2.5323", "2.9474", "3.8621", "6.3594")
NAMES = {"bg_nbd": "BG/NBD", "pareto_nbd": "Pareto/NBD"}
THIRTY_WEEKS = (
    ".0019995214",
    ".0015170236",
    ".0011633150",
    ".0009003148",
    ".0007023638",
    ".0005517902",
    ".0004361913",
    ".0003467171",
    ".0002769613",
    ".0002222260",
)
TEN_WEEKS = (
    ".05077821",
    ".09916088",
    ".14542507",
    ".18979930",
    ".23247466",
    ".27361274",
    ".31335159",
    ".35181024",
    ".38909211",
)


def by_week(model: str, week: int, *, a_day_early: bool) -> float:
    """Cumulative repeat purchases expected until the end of a week, counted from 1 January 1997."""
    born = (cdnow()["first_at"] - pd.Timestamp("1997-01-01")).dt.days
    ages = (7 * week - 1 + a_day_early - born).loc[lambda age: age > 0].value_counts()
    model = fitted(model).model
    return float(sum(n * model.expected_purchases_new(horizon=f"{age} days") for age, n in ages.items()))


def in_week(model: str, week: int, *, a_day_early: bool) -> float:
    """Repeat purchases expected in a week."""
    until, before = (by_week(model, end, a_day_early=a_day_early) for end in (week, week - 1))
    return until - before


def actual_in_week(week: int) -> float:
    """Repeat purchases of a week."""
    repeats = daily_repeats(log(), acquired_until="1997-09-30")
    end = pd.Timestamp("1996-12-31") + pd.Timedelta(days=7 * week)
    return float(repeats[(repeats.index > end - pd.Timedelta(days=7)) & (repeats.index <= end)].sum())


def _vignette() -> list[Published]:
    new = "purchases of a new customer in"
    rows = [
        Published(
            BTYD,
            "BG/NBD, P(no purchase in 39 weeks)",
            ".5737864",
            lambda: ROUNDED.purchase_distribution_new(horizon="39 weeks", up_to=0)[0],
        ),
        Published(
            BTYD,
            "BG/NBD, P(10 purchases in 2 weeks), times 10 million",
            "1.07869",
            lambda: 1e7 * ROUNDED.purchase_distribution_new(horizon="2 weeks", up_to=10)[10],
        ),
        *several(
            BTYD,
            "BG/NBD, P(n purchases in 30 weeks), n:",
            dict(zip(range(11, 21), THIRTY_WEEKS, strict=True)),
            lambda n: ROUNDED.purchase_distribution_new(horizon="30 weeks", up_to=20)[n],
        ),
        *several(
            BTYD,
            f"Pareto/NBD, {new} weeks:",
            dict(enumerate(TEN_WEEKS, start=1)),
            lambda weeks: COARSE.expected_purchases_new(horizon=f"{weeks} weeks"),
        ),
    ]
    for name, paradox, relative in (
        ("bg_nbd", (".3474606", ".04283391", ".004158973", ".0003583685"), 1e-4),
        ("pareto_nbd", (".7062289", ".1442396", ".02250658", ".00309267"), 1e-3),
    ):
        how = {"relative": relative, "note": "printed for their estimates, which stopped short"}
        who, busy = NAMES[name], OF_1516[name]
        rows += [
            *several(
                BTYD,
                f"{who}, purchases in 52 weeks of (x, 20, 39), x:",
                dict(zip(PARADOX.index, paradox, strict=True)),
                lambda x, name=name: _expected(name, PARADOX.loc[[x]]),
                **how,
            ),
            *several(BTYD, f"{who}, {new} weeks:", {52: busy[0]}, partial(_new, name), **how),
            *several(
                BTYD,
                f"{who}, purchases in 52 weeks of customer",
                {1516: busy[1]},
                lambda _, name=name: _expected(name, BUSY),
                **how,
            ),
            *several(BTYD, f"{who}, P(alive) of customer", {1516: busy[2]}, partial(_alive, name), **how),
        ]
        rows += several(
            BTYD,
            f"{NAMES[name]}, purchases in weeks 40 to 78 by those of weeks 1 to 39:",
            dict(enumerate(HOLDOUT[name])),
            lambda x, name=name: by_frequency(later(name), x),
        )
    return rows + several(
        BTYD,
        "actual purchases in weeks 40 to 78 by those of weeks 1 to 39:",
        dict(enumerate(MADE)),
        lambda x: by_frequency(made(), x),
    )


def _expected(name: str, customers: pd.DataFrame) -> float:
    return float(fitted(name).model.expected_purchases(customers, horizon="52 weeks").iloc[0])


def _new(name: str, weeks: int) -> float:
    return fitted(name).model.expected_purchases_new(horizon=f"{weeks} weeks")


def _alive(name: str, _: int) -> float:
    return float(fitted(name).model.p_alive(BUSY).iloc[0])


def _tracking() -> list[Published]:
    weeks, of_all = range(20, 26), "repeat purchases of all"
    early = {"within": 2e-3, "note": f"{EARLY}; {STOPPED}"}
    far = {"within": 0.07, "note": f"{EARLY}; {STOPPED}"}
    pareto = ("78.308", "76.419", "74.648", "72.983", "71.414", "69.933")
    bought = ("73", "55", "70", "33", "56", "99")
    return [
        Published(
            BTYD,
            f"BG/NBD, {of_all} in week 20",
            "76.86531",
            partial(in_week, "bg_nbd", 20, a_day_early=True),
            **early,
        ),
        Published(
            BTYD,
            f"BG/NBD, {of_all} in week 25",
            "68.18213",
            partial(in_week, "bg_nbd", 25, a_day_early=True),
            **early,
        ),
        Published(
            BTYD,
            f"BG/NBD, {of_all} until week 20",
            "1312.458",
            partial(by_week, "bg_nbd", 20, a_day_early=True),
            **early,
        ),
        Published(
            BTYD,
            f"BG/NBD, {of_all} until week 25",
            "1669.6",
            partial(by_week, "bg_nbd", 25, a_day_early=True),
            note=EARLY,
        ),
        *several(
            BTYD,
            f"Pareto/NBD, {of_all} in week",
            dict(zip(weeks, pareto, strict=True)),
            lambda week: in_week("pareto_nbd", week, a_day_early=True),
            **early | {"within": 0.005},
        ),
        Published(
            BTYD,
            f"Pareto/NBD, {of_all} until week 20",
            "1308.856",
            partial(by_week, "pareto_nbd", 20, a_day_early=True),
            **far,
        ),
        Published(
            BTYD,
            f"Pareto/NBD, {of_all} until week 25",
            "1674.253",
            partial(by_week, "pareto_nbd", 25, a_day_early=True),
            **far,
        ),
        Published(
            ANEW,
            f"BG/NBD, {of_all} until week 20, on the true calendar",
            "1301.60",
            partial(by_week, "bg_nbd", 20, a_day_early=False),
        ),
        Published(
            ANEW,
            f"BG/NBD, {of_all} until week 25, on the true calendar",
            "1659.95",
            partial(by_week, "bg_nbd", 25, a_day_early=False),
        ),
        *several(
            BTYD, "actual repeat purchases in week", dict(zip(weeks, bought, strict=True)), actual_in_week
        ),
    ]


ROWS = [*_vignette(), *_tracking()]
