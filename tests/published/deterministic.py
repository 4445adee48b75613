"""Values without a purchase model: planned cash flows, multiples, chains, spending; who makes the profit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis import base
from crm_analysis.clv.plans.cash_flow import cash_flow_conventions, cash_flow_value, past_value
from crm_analysis.clv.plans.contact import StopRule, stop_contact
from crm_analysis.clv.plans.firm_value import BassGrowth, customer_base_value
from crm_analysis.clv.plans.migration import migration_value, recency_transitions
from crm_analysis.clv.plans.multiples import fixed_life_error, margin_multiple, payment_cases
from crm_analysis.clv.plans.payback import BreakEven, break_even
from crm_analysis.clv.plans.retained import retained_value
from crm_analysis.clv.plans.spending import SpendingPlan, best_spending, response_curve
from crm_analysis.clv.plans.tornado import sensitivity
from published import Published

COURSE = (
    "Course of customer relationship management, example 1 of customer value (worked under every convention)"
)
PLAN: dict[str, Any] = {
    "revenue": [1000, 1500, 2000, 2000, 2000],
    "retention_cost": 500,
    "acquisition_cost": 2500,
    "annual_discount_rate": 0.15,
}
CONVENTIONS = {
    "end of period": "1,280.60",
    "start of period": "1,847.68",
    "mid-period": "1,554.24",
    "end of period, no retention cost in the first": "1,715.38",
    "start of period, no retention cost in the first": "2,347.68",
    "retention at start, revenue at end": "1,029.18",
    "all at end, acquisition too": "1,606.68",
    "undiscounted": "3,500.00",
}


@cache
def conventions() -> pd.DataFrame:
    """The course example under every convention."""
    return cash_flow_conventions(**PLAN)


@cache
def years() -> pd.DataFrame:
    """The course example, cash at the end of the year."""
    return cash_flow_value(**PLAN, timing="end of period").table


@cache
def even() -> BreakEven:
    """Where the course example breaks even."""
    return break_even(**PLAN, timing="end of period")


def with_retention(probability: float) -> float:
    """The course example with a chance to stay from year to year."""
    return cash_flow_value(**PLAN, timing="end of period", retention_probability=probability).value


def course() -> list[Published]:
    """Rows of the course example; its source prints no answer, so these are worked by hand."""
    present = ["434.78", "756.14", "986.27", "857.63", "745.77"]
    cumulative = ["-2,065.22", "-1,309.07", "-322.80", "534.83", "1,280.60"]
    return [
        *(
            Published(COURSE, f"value, {name}", printed, lambda name=name: conventions()["value"][name])
            for name, printed in CONVENTIONS.items()
        ),
        *(
            Published(COURSE, f"present value of year {t}", text, lambda t=t: years()["present_value"][t])
            for t, text in enumerate(present, 1)
        ),
        *(
            Published(COURSE, f"cumulative value after year {t}", text, lambda t=t: years()["cumulative"][t])
            for t, text in enumerate(cumulative, 1)
        ),
        Published(COURSE, "payback, year", "4", lambda: even().payback or 0),
        Published(COURSE, "internal rate of return", "31.52%", lambda: even().internal_rate or 0),
        Published(COURSE, "maximum acquisition cost", "3,780.60", lambda: even().max_acquisition_cost),
        Published(COURSE, "break-even retention cost per year", "882.02", lambda: even().max_retention_cost),
        Published(
            COURSE,
            "break-even retention probability",
            "0.8151",
            lambda: even().min_retention_probability or 0,
        ),
        Published(COURSE, "value at retention .9", "528.70", partial(with_retention, 0.9)),
        Published(COURSE, "value at retention .8", "-84.51", partial(with_retention, 0.8)),
    ]


RECONCILING = "Fader & Hardie (2012), brucehardie.com/notes/024, three cases of constant retention"
BERGER_NASR = "Berger & Nasr (1998), Journal of Interactive Marketing 12(1), 17-30"
INSURANCE: dict[str, Any] = {
    "marketing_cost": 50,
    "retention_probability": 0.75,
    "annual_discount_rate": 0.2,
}
MULTIPLES = "Gupta & Lehmann (2003), Journal of Interactive Marketing 17(1), 9-24, margin multiples"
GUPTA_LEHMANN = {
    0.6: ("1.20", "1.15", "1.11", "1.07"),
    0.7: ("1.75", "1.67", "1.59", "1.52"),
    0.8: ("2.67", "2.50", "2.35", "2.22"),
    0.9: ("4.50", "4.09", "3.75", "3.46"),
}


def case(first_payment: str) -> float:
    """100 a year at retention .8 and 10%."""
    return payment_cases(100, retention_probability=0.8, annual_discount_rate=0.1)[first_payment]


def multiple(kept: float, rate: float, first_payment: str = "just received") -> float:
    """A margin multiple."""
    return margin_multiple(retention_probability=kept, annual_discount_rate=rate, first_payment=first_payment)


def multiples() -> list[Published]:
    """Rows with one constant retention probability."""
    rates = (0.10, 0.12, 0.14, 0.16)
    return [
        Published(RECONCILING, "case 1, first payment at once", "366.67", partial(case, "today")),
        Published(
            RECONCILING, "case 2, first payment just received", "266.67", partial(case, "just received")
        ),
        Published(RECONCILING, "case 3, payments at the end", "333.33", partial(case, "end of period")),
        Published(
            BERGER_NASR, "case 1, ten years", "568.78", lambda: retained_value(260, **INSURANCE, cycles=10)
        ),
        Published(
            BERGER_NASR, "case 1, no end", "571.62", lambda: retained_value(260, **INSURANCE, cycles=None)
        ),
        *(
            Published(
                MULTIPLES, f"retention {kept}, discount {rate:.0%}", text, partial(multiple, kept, rate)
            )
            for kept, printed in GUPTA_LEHMANN.items()
            for rate, text in zip(rates, printed, strict=True)
        ),
        Published(
            "Berry's average customer, as tested in the library phpOMS",
            "100,000 customers: 100 less 50 and 10 a year, acquisition 30, retention .5, 15%",
            "4,076,923.08",
            lambda: 100_000 * (40 * multiple(0.5, 0.15, "today") - 30),
        ),
        Published(
            "Course of key account management (Vietnam)",
            "334 a year for five years, retention .85, 12%",
            "925.6",
            lambda: (
                cash_flow_value(
                    revenue=[334] * 5,
                    retention_cost=0,
                    acquisition_cost=0,
                    annual_discount_rate=0.12,
                    timing="end of period",
                    retention_probability=0.85,
                ).value
            ),
        ),
        Published(
            "Kumar & Reinartz, Customer Relationship Management, past customer value",
            "contributions 240, 15, 15, 9, 6 at 1.25% a month",
            "302.01486",
            lambda: past_value([240, 15, 15, 9, 6], periods_ago=[5, 4, 3, 2, 1], rate_per_period=0.0125),
        ),
    ]


VALUING = "Gupta, Lehmann & Stuart (2004), Journal of Marketing Research 41(1), 7-18"
# Customers in millions, margin per quarter, acquisition cost, retention, value in millions, and the
# printed effects of 1% more retention, acquisition cost and margin.
FIRMS = {
    "Amazon": (33.8, 3.87, 7.70, 0.70, 820, ("2.45", ".07", "1.07")),
    "Ameritrade": (1.877, 50.39, 203.44, 0.95, 1620, ("6.75", ".03", "1.03")),
    "Capital One": (46.6, 13.71, 75.49, 0.85, 11000, ("5.12", ".32", "1.32")),
    "eBay": (46.1, 4.31, 11.26, 0.80, 1890, ("3.42", ".08", "1.08")),
    "E*Trade": (4.11737, 43.02, 391.00, 0.95, 2690, ("6.67", ".02", "1.02")),
}
TO_COME = (
    "new customers, whose number is not in our copy of the source, are set so that the value is that of its "
    "table 4; 38% tax, quarterly compounding"
)


@cache
def firm(name: str) -> pd.DataFrame:
    """Effects of 1% on the value of a firm's customers: quarterly margins, 12% a year, 38% tax."""
    n_customers, margin, cost, kept, printed_value, _ = FIRMS[name]
    inputs: dict[str, Any] = {
        "n_customers": n_customers,
        "margin": margin,
        "retention_probability": kept,
        "annual_discount_rate": 0.12,
        "periods_per_year": 4,
        "acquisition_cost": cost,
        "tax_rate": 0.38,
    }
    without, with_one = (customer_base_value(**inputs, new_customers=n) for n in (0, 1))
    inputs["new_customers"] = (printed_value - without) / (with_one - without)
    vary = dict.fromkeys(("retention_probability", "acquisition_cost", "margin"), 0.01)
    return sensitivity(customer_base_value, inputs, vary=vary)


def valuing() -> list[Published]:
    """Rows of the paper; its values rest on curves of new customers that we do not have."""
    life = partial(fixed_life_error, margin=100, retention_probability=0.8, annual_discount_rate=0.12)
    rows = [
        Published(VALUING, "100 a year, retention 80%, 12%", "250", lambda: life().value),
        Published(
            VALUING, "the same as a fixed life of five years", "360.48", lambda: life().fixed_life_value
        ),
        Published(VALUING, "error of the fixed life", "44%", lambda: life().error),
    ]
    for name, (*_, printed) in FIRMS.items():
        inputs = ("retention_probability", "acquisition_cost", "margin")
        for what, text in zip(inputs, printed, strict=True):
            effect = f"{name}, effect of 1% on {what.replace('_', ' ')}, in percent (table 5)"
            ours = lambda name=name, what=what: 100 * abs(firm(name)["change_high"][what])  # noqa: E731
            loose = 0.02 if (name, what) == ("E*Trade", "retention_probability") else None
            because = "; .02 apart: the value in table 4 is rounded to .01 billion" if loose else ""
            rows.append(Published(VALUING, effect, text, ours, loose, TO_COME + because))
    return rows


PFEIFER_CARRAWAY = "Pfeifer & Carraway (2000), Journal of Interactive Marketing 14(2), 43-55"
PHPOMS = "Tests of the library phpOMS, migration model of customer value"


@cache
def chain(
    p_buy: tuple[float, ...], rewards: tuple[float, ...], rate: float, periods: int | None
) -> pd.Series:
    """Values by recency."""
    return migration_value(recency_transitions(p_buy), rewards, rate_per_period=rate, periods=periods)


def vector(
    source: str, what: str, printed: tuple[str, ...], values: Callable[[], pd.Series], **allowed: Any
) -> list[Published]:
    """One row per recency."""
    return [
        Published(source, f"{what}, recency {i + 1}", text, lambda i=i: values().iloc[i], **allowed)
        for i, text in enumerate(printed)
    ]


def chains() -> list[Published]:
    """Rows of Markov chains by recency."""
    p, rewards = (0.3, 0.2, 0.15, 0.05), (36.0, -4.0, -4.0, -4.0, 0.0)
    moved = lambda: pd.Series(np.linalg.matrix_power(recency_transitions(p).to_numpy(), 4)[0])  # noqa: E731
    near = {"within": 0.1, "note": "the test of the library allows .1"}
    return [
        *vector(
            PFEIFER_CARRAWAY,
            "value over four periods",
            ("50.115", "4.220", "0.592", "-1.980", "0"),
            lambda: chain(p, rewards, 0.2, 4),
        ),
        *vector(
            PFEIFER_CARRAWAY,
            "value without end",
            ("52.320", "5.554", "1.251", "-1.820", "0"),
            lambda: chain(p, rewards, 0.2, None),
        ),
        *vector(
            PFEIFER_CARRAWAY,
            "value without end, stopped after recency 3",
            ("53.149", "6.621", "2.644", "0"),
            lambda: chain(p[:3], (36.0, -4.0, -4.0, 0.0), 0.2, None),
        ),
        *vector(
            PFEIFER_CARRAWAY,
            "share after four periods of those at recency 1",
            (".1397", ".1365", ".1288", ".1428", ".4522"),
            moved,
        ),
        *vector(
            PHPOMS,
            "p .3 .2 .05, over four periods",
            ("49.4", "2.69", "-1.98"),
            lambda: chain((0.3, 0.2, 0.05), (36.0, -4.0, -4.0, 0.0), 0.2, 4),
            **near,
        ),
        *vector(
            PHPOMS,
            "p .5 .2 .1, payoff 100, 10%, without end",
            ("231.08", "57.29", "21.01"),
            lambda: chain((0.5, 0.2, 0.1), (100.0, 0.0, 0.0, 0.0), 0.1, None),
        ),
    ]


# Table 1 of the catalogue example: chance of buying by recency (rows) and frequency (columns).
CATALOGUE = """
.103 .121 .143 .151 .163   .076 .090 .106 .112 .121   .059 .069 .081 .086 .093   .045 .053 .062 .066 .071
.038 .045 .053 .056 .061   .035 .041 .049 .051 .056   .030 .035 .041 .043 .047   .027 .032 .038 .040 .043
.025 .029 .035 .037 .040   .021 .025 .030 .031 .034   .021 .024 .028 .030 .033   .020 .024 .028 .030 .032
.017 .020 .024 .025 .027   .017 .020 .024 .025 .027   .016 .019 .022 .024 .026   .015 .018 .021 .022 .024
.014 .017 .020 .021 .022   .013 .016 .018 .019 .021   .013 .015 .018 .019 .020   .012 .014 .017 .018 .019
.012 .014 .016 .017 .018   .011 .013 .015 .016 .017   .011 .012 .015 .015 .017   .010 .012 .014 .015 .016
"""
# Mailing cost -> printed steps of the iteration: last recency mailed for frequency 1 to 3, and the value.
POLICIES = {
    1: [((24, 24, 24), "89.264"), ((23, 24, 24), "89.267")],
    2: [
        ((24, 24, 24), "69.470"),
        ((3, 6, 9), "71.487"),
        ((8, 12, 15), "74.519"),
        ((9, 12, 15), "74.523"),
    ],
}


def catalogue() -> pd.DataFrame:
    """Chances of buying, 24 recencies by 5 frequencies."""
    chances = np.array(CATALOGUE.split(), dtype=float).reshape(24, 5)
    return pd.DataFrame(chances, range(1, 25), range(1, 6))


@cache
def mailing(cost: int) -> StopRule:
    """When to stop mailing: 60 a purchase, 3% a period."""
    return stop_contact(catalogue(), contribution=60, contact_cost=cost, rate_per_period=0.03)


def policies() -> list[Published]:
    """Rows of the path of policies and of the value at each step."""
    rounded = "the chances of buying are printed with three digits, the paper used more: values within 0.3%"
    rows = []
    for cost, steps in POLICIES.items():
        for step, (recencies, value) in enumerate(steps):
            where = f"mailing cost {cost}, step {step}"
            rows += [
                Published(
                    PFEIFER_CARRAWAY,
                    f"{where}: last recency mailed, frequency {f}",
                    str(recency),
                    lambda cost=cost, step=step, f=f: mailing(cost).path.loc[step, f],
                )
                for f, recency in enumerate(recencies, 1)
            ]
            ours = lambda cost=cost, step=step: mailing(cost).path["new_customer"][step]  # noqa: E731
            rows.append(
                Published(PFEIFER_CARRAWAY, f"{where}: value", value, ours, 0.003 * float(value), rounded)
            )
        steps_taken = lambda cost=cost: len(mailing(cost).path)  # noqa: E731
        rows.append(
            Published(PFEIFER_CARRAWAY, f"mailing cost {cost}: policies seen", str(len(steps)), steps_taken)
        )
    return rows


BLATTBERG = (
    "Form of Blattberg & Deighton (1996), Harvard Business Review 74(4), 136-144, with numbers worked by hand"
)


@cache
def spending() -> SpendingPlan:
    """A margin of 50: winning 20% costs 5 (ceiling 40%), keeping 40% costs 10 (ceiling 70%), 20%."""
    return best_spending(
        acquisition=response_curve((5, 0.2), ceiling=0.4),
        retention=response_curve((10, 0.4), ceiling=0.7),
        margin=50,
        annual_discount_rate=0.2,
    )


def spendings() -> list[Published]:
    """Rows of the best spending."""
    cell = lambda row, column: lambda: spending().table.loc[row, column]  # noqa: E731
    return [
        Published(
            BLATTBERG,
            "steepness of acquisition",
            ".138629",
            lambda: response_curve((5, 0.2), ceiling=0.4).steepness,
        ),
        Published(
            BLATTBERG,
            "steepness of retention",
            ".084730",
            lambda: response_curve((10, 0.4), ceiling=0.7).steepness,
        ),
        Published(BLATTBERG, "best spending on retention", "15.865", cell("retention", "spend")),
        Published(BLATTBERG, "retention rate at it", ".5175", cell("retention", "rate")),
        Published(BLATTBERG, "value of a customer", "64.665", lambda: spending().clv),
        Published(BLATTBERG, "best spending on acquisition", "9.211", cell("acquisition", "spend")),
        Published(BLATTBERG, "acquisition rate at it", ".2884", cell("acquisition", "rate")),
        Published(BLATTBERG, "customer equity per prospect", "9.441", lambda: spending().customer_equity),
    ]


BASS = "Bass (1969), Management Science 15(5), 215-227, room air conditioners"
ROOM_AC = BassGrowth(innovation=0.010399, imitation=0.41861, market=16_895)

SHERDEN = (
    "Sherden, Market Ownership (1994): a base of ten customers for whom the 80/20/30 rule holds to the letter"
)
HARDIE = "Hardie, teaching data on concentration: 170 people by units bought"
PROFITS = pd.Series([520, 360, 90, 60, 40, 20, 10, -90, -160, -190])
UNITS = pd.Series(np.repeat([0, 1, 2, 3, 4, 5], [70, 45, 25, 15, 10, 5]))
BUYERS = UNITS[UNITS > 0]


def profits() -> list[Published]:
    """Rows of who makes the profit."""
    rule, curve = partial(base.rule_80_20_30, PROFITS), partial(base.whale_curve, PROFITS)
    return [
        Published(SHERDEN, "gross profit", "1,100", lambda: rule().gross_profit),
        Published(SHERDEN, "net profit", "660", lambda: curve().total),
        Published(SHERDEN, "profit of the top 20%", "880", lambda: rule().top_profit),
        Published(SHERDEN, "their share of the gross profit", "80%", lambda: rule().top_share_of_gross),
        Published(SHERDEN, "profit of the bottom 30%", "-440", lambda: rule().bottom_profit),
        Published(SHERDEN, "their loss over the profit of the top", "50%", lambda: rule().lost_share_of_top),
        Published(SHERDEN, "peak of the whale curve", "166.67%", lambda: curve().peak),
        Published(SHERDEN, "customers at the peak", "70%", lambda: curve().customers_at_peak),
        Published(
            HARDIE,
            "units",
            "205",
            lambda: base.concentration(UNITS, top_shares=[1.0]).table.loc[1.0, "amount"],
        ),
        Published(
            HARDIE,
            "share of units of the top 20% of buyers",
            "39.0%",
            lambda: base.concentration(BUYERS).table.loc[0.2, "share_of_total"],
        ),
        Published(HARDIE, "Gini, buyers", "0.3085", lambda: base.concentration(BUYERS).gini),
        Published(HARDIE, "Gini, everyone", "0.5933", lambda: base.concentration(UNITS).gini),
        Published(BASS, "peak, year", "8.61", lambda: ROOM_AC.peak_period),
        Published(BASS, "sales at the peak, thousands", "1,857", lambda: ROOM_AC.peak_customers),
    ]


ROWS = [*course(), *multiples(), *valuing(), *chains(), *policies(), *spendings(), *profits()]
