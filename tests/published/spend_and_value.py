"""Spend and value of the CDNOW customers: Gamma-Gamma, the value of the cohort, the facts of the data."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import crm_analysis as crm
from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.units import DAYS_PER_YEAR, discount_per_unit
from published import Published

SAMPLE = {
    "name": "CDNOW_sample.txt",
    "columns": {"customer_id": "1", "occurred_at": "3", "amount": "5"},
    "header": False,
}
MASTER = {
    "name": "CDNOW_master.txt",
    "columns": {"customer_id": "customer_id", "occurred_at": "date", "amount": "dollar_value"},
}
A_WEEK_OF_52 = f"{DAYS_PER_YEAR / 52}D"


@cache
def log(which: str) -> Any:
    """CDNOW, the tenth or all of it: 78 weeks from January 1997."""
    how = dict(SAMPLE if which == "sample" else MASTER)
    path = f"package:lifetimes/datasets/{how.pop('name')}"
    return crm.read_transactions(
        path,
        observed_from="1997-01-01",
        observed_until="1998-06-30",
        delimiter="whitespace",
        closed_cohort=True,
        **how,
    )


@cache
def customers(which: str = "sample", weeks: int = 78) -> pd.DataFrame:
    """Customers after 39 or 78 weeks."""
    if weeks == 39:
        return crm.split_holdout(log(which), at="1997-09-30", until="1998-06-30")[0]
    return crm.summarise_customers(log(which))


@cache
def spend(weeks: int) -> Fit[Any]:
    """Gamma-Gamma on the sample."""
    return crm.clv.fit_gamma_gamma(customers(weeks=weeks))


@cache
def summary() -> pd.DataFrame:
    """Summary of lifetimes: times in weeks to two digits, amounts in cents."""
    folder = Path(importlib.util.find_spec("lifetimes").submodule_search_locations[0])  # type: ignore[union-attr, index]
    raw = pd.read_csv(folder / "datasets" / "cdnow_customers_summary_with_transactions.csv")
    mean = raw["zbar"].where(raw["x"] > 0)
    return pd.DataFrame({"n_paid_repeat": raw["x"], "mean_repeat_amount": mean})


@cache
def expected_of_summary() -> pd.Series:
    """Expected amounts of the rounded summary, fitted to it."""
    return crm.clv.fit_gamma_gamma(summary()).model.expected_amount(summary())


@cache
def cohort() -> pd.DataFrame:
    """Value of the whole cohort: models of the sample, margin 30%, 15% a year over 52 weeks."""
    table = customers("master")
    table = table[_repeat_spend(table) <= 4000]
    rate = math.exp(math.log(1.15) / 52 * DAYS_PER_YEAR / 7) - 1
    values = crm.clv.value_customers(
        table,
        purchases=crm.clv.fit_pareto_nbd(customers()),
        spend=spend(78),
        margin=0.3,
        annual_discount_rate=rate,
    )
    return table.assign(value=values["residual_value"])


def _repeat_spend(table: pd.DataFrame) -> pd.Series:
    return table["mean_repeat_amount"].fillna(0) * table["n_paid_repeat"]


def never_back() -> pd.Series:
    """Values of those who bought once."""
    return cohort().query("n_repeat == 0")["value"]


def tercile(by: str, which: int) -> float:
    """Mean value of a third of those who came back, by the mean rank of ties."""
    back = cohort().query("n_repeat > 0")
    columns = {
        "R": -back["days_since_last"],
        "F": back["n_repeat"],
        "M": back["mean_repeat_amount"].fillna(0),
    }
    third = np.minimum((columns[by].rank() * 3 / len(back)).astype(int), 2)
    return float(back["value"][third == which].mean())


def averages() -> pd.Series:
    """Mean repeat amounts of the 946 who came back within 39 weeks."""
    return customers(weeks=39)["mean_repeat_amount"].dropna()


def correlation(*, without: int = 0) -> float:
    """Of repeat purchases and their mean amount, without those who made so many."""
    back = customers(weeks=39).query("n_paid_repeat > 0 and n_repeat != @without")
    return float(back["n_repeat"].corr(back["mean_repeat_amount"]))


def defects(which: str, name: str) -> float:
    """Rows that a door flagged."""
    return next(defect.n_rows for defect in log(which).verdict.defects if defect.name == name)


NOTE = "Fader & Hardie (2013), note 025"
RFM = "Fader, Hardie & Lee (2005), JMR 42"
DATA = "CDNOW data: facts of the files"
LIFETIMES = "lifetimes 0.11.3, tests of the Gamma-Gamma fitter"
CLVTOOLS = "CLVTools, tests of the Gamma-Gamma model"
TIES = "the paper does not say how ties are cut; ours share their mean rank"

AMOUNTS = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]
TERCILES = {"R": (10, 62, 201), "F": (18, 50, 205), "M": (31, 81, 160)}


def _fact(what: str, printed: str, ours: Callable[[], float], note: str = "") -> Published:
    return Published(DATA, what, printed, ours, note=note)


ROWS = [
    Published(NOTE, "p, 946 customers of 39 weeks", "6.25", lambda: spend(39).model.p),
    Published(NOTE, "q", "3.74", lambda: spend(39).model.q),
    Published(NOTE, "gamma", "15.44", lambda: spend(39).model.gamma),
    Published(NOTE, "mean amount of the population", "35.2", lambda: spend(39).model.mean),
    Published(NOTE, "customers fitted", "946", lambda: spend(39).n_customers),
    Published(CLVTOOLS, "log likelihood, exact amounts", "-4055.9177", lambda: spend(39).log_likelihood),
    *(
        Published(
            LIFETIMES,
            f"expected amount of customer {i + 1} of the summary in cents",
            f"{amount:.2f}",
            lambda i=i: expected_of_summary().iloc[i],
            within=0.01 if i == 0 else None,
            note="the estimates of lifetimes stop short of the optimum" if i == 0 else "",
        )
        for i, amount in enumerate(AMOUNTS)
    ),
    Published(RFM, "correlation of repeat purchases and amount", ".11", lambda: correlation()),
    Published(RFM, "the same without the customer of 21 purchases", ".06", lambda: correlation(without=21)),
    Published(RFM, "Gamma-Gamma on 78 weeks, p", "4.683", lambda: spend(78).model.p),
    Published(RFM, "Gamma-Gamma on 78 weeks, q", "4.190", lambda: spend(78).model.q),
    Published(RFM, "Gamma-Gamma on 78 weeks, gamma", "24.39", lambda: spend(78).model.gamma),
    Published(RFM, "customers with repeat amounts in 78 weeks", "1,139", lambda: spend(78).n_customers),
    Published(
        RFM,
        "15% a year, continuous, per week",
        ".0027",
        lambda: discount_per_unit(0.15, unit=A_WEEK_OF_52),
        note="ln(1.15) / 52 is .0026877; the paper computes with .0027, and a year here has 52.18 weeks",
    ),
    Published(
        RFM,
        "customers of the cohort without the heaviest spenders",
        "23,560",
        lambda: len(cohort()),
        note="repeat spend above $4,000; total spend above $4,000 would leave out 12 instead of 10",
    ),
    Published(RFM, "customers who never came back", "12,054", lambda: len(never_back())),
    Published(
        RFM, "their value in thousands of dollars", "53", lambda: never_back().sum() / 1000, note="margin 30%"
    ),
    Published(RFM, "their value each", "4.40", lambda: never_back().mean(), note="$4.40 is worth having"),
    Published(RFM, "value of the cohort in millions", "1.1", lambda: cohort()["value"].sum() / 1e6),
    Published(RFM, "value per customer", "47", lambda: cohort()["value"].mean()),
    *(
        Published(
            RFM,
            f"mean value of those who came back, {name} third {third + 1}",
            str(value),
            lambda name=name, third=third: tercile(name, third),
            within=2.0,
            note=TIES,
        )
        for name, values in TERCILES.items()
        for third, value in enumerate(values)
    ),
    _fact("sample: rows", "6,919", lambda: log("sample").n_rows_in),
    _fact("sample: customers", "2,357", lambda: len(customers())),
    _fact(
        "sample: purchase days in 78 weeks",
        "6,696",
        lambda: customers()["n_purchase_days"].sum(),
        "rows of a customer on the same day are one purchase",
    ),
    _fact(
        "sample: customers whose only purchase cost nothing",
        "8",
        lambda: (customers(weeks=39).query("n_repeat == 0")["total_amount"] == 0).sum(),
        "a purchase for nothing is a purchase",
    ),
    _fact("sample, 39 weeks: repeat purchases", "2,457", lambda: customers(weeks=39)["n_repeat"].sum()),
    _fact("sample, 39 weeks: came back", "946", lambda: (customers(weeks=39)["n_repeat"] > 0).sum()),
    _fact("sample, 39 weeks: did not", "1,411", lambda: (customers(weeks=39)["n_repeat"] == 0).sum()),
    _fact(
        "sample, 39 weeks: longest observation in days",
        "272",
        lambda: customers(weeks=39)["t_observed"].max(),
    ),
    _fact("master: rows", "69,659", lambda: log("master").n_rows_in),
    _fact("master: customers", "23,570", lambda: len(customers("master"))),
    _fact("master: exact duplicates", "255", lambda: defects("master", "exact duplicate")),
    _fact("master: amounts of nothing", "80", lambda: defects("master", "amount zero")),
    _fact("average repeat amount, 39 weeks: mean", "35.08", lambda: averages().mean()),
    _fact("standard deviation", "30.28", lambda: averages().std()),
    _fact("smallest", "2.99", lambda: averages().min()),
    _fact("lower quartile", "15.76", lambda: averages().quantile(0.25)),
    _fact("median", "27.5", lambda: averages().median()),
    _fact("upper quartile", "41.78", lambda: averages().quantile(0.75)),
    _fact("largest", "299.63", lambda: averages().max()),
    _fact("skewness", "3.40", lambda: averages().skew()),
]
