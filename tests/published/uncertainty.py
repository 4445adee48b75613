"""How surely the purchase models are known on CDNOW: standard errors, limits, errors of forecasts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

import crm_analysis as crm
from crm_analysis.clv.fitting.fit import Fit
from published import Published
from published.counts import bg_nbd, cdnow

DIFFERENCED = "Likelihood of Fader, Hardie & Lee (2005), differenced twice by an independent program (numpy)"
CLVTOOLS = "CLVTools (R), tests/testthat/helper_testthat_correctness_static.R"
SHORT = "their optimizer stopped short, at alpha 10.57633 and beta 11.67150"
DIGIT = "the last digit is lost in differences of the likelihood; ours are of its gradient"
NAMES = ["r", "alpha", "a", "b"]
COVARIANCE = [
    [".000158", ".003706", "-.000088", ".000066"],
    [".003706", ".143053", "-.002866", ".010523"],
    ["-.000088", "-.002866", ".034497", ".123219"],
    [".000066", ".010523", ".123219", ".497613"],
]
ZERO_CLASS = {"n_repeat": 0, "t_last": 0, "t_observed": 272}  # the oldest of those who never came back
EXAMPLE = {"n_repeat": 2, "t_last": 213, "t_observed": 272}


@cache
def pareto_nbd() -> Fit[Any]:
    """Pareto/NBD on the 39 weeks."""
    return crm.clv.fit_pareto_nbd(cdnow())


@cache
def limits(kind: str) -> pd.DataFrame:
    """Limits at 95% of the BG/NBD parameters."""
    return bg_nbd().confidence_intervals(kind=kind)


def error_of(function: Callable[[Any], Any]) -> float:
    """Standard error of one number computed from the BG/NBD fit."""
    return float(np.squeeze(bg_nbd().standard_error(function)))


def expected(model: Any, customer: dict[str, int]) -> float:
    """Purchases expected of one customer in 39 weeks."""
    return float(model.expected_purchases(pd.DataFrame([customer]), horizon="39 weeks").iloc[0])


def total(model: Any) -> float:
    """Purchases expected of all customers in 39 weeks."""
    return float(model.expected_purchases(cdnow(), horizon="39 weeks").sum())


def _errors() -> list[Published]:
    bg = {"r": ".01256", "alpha": ".37822", "a": ".18573", "b": ".70541"}
    pareto = {"r": ".04763", "alpha": ".84272", "s": ".18728", "beta": "6.2111"}
    theirs = {"r": ".0476264", "alpha": ".8427222", "s": ".1872594", "beta": "6.2105448"}
    near = {"r": 1e-5, "alpha": 1e-4, "s": 1e-4, "beta": 2e-3}
    what = "{} on CDNOW, standard error of {}".format
    return [
        *(
            Published(
                DIFFERENCED, what("BG/NBD", name), text, lambda name=name: bg_nbd().standard_errors[name]
            )
            for name, text in bg.items()
        ),
        *(
            Published(
                DIFFERENCED,
                what("Pareto/NBD", name),
                text,
                lambda name=name: pareto_nbd().standard_errors[name],
            )
            for name, text in pareto.items()
        ),
        *(
            Published(
                CLVTOOLS,
                what("Pareto/NBD", name),
                text,
                lambda name=name: pareto_nbd().standard_errors[name],
                within=near[name],
                note=SHORT,
            )
            for name, text in theirs.items()
        ),
    ]


def _covariances() -> list[Published]:
    return [
        Published(
            DIFFERENCED,
            f"BG/NBD on CDNOW, covariance of {row} and {column}",
            COVARIANCE[i][j],
            lambda row=row, column=column: bg_nbd().covariance.loc[row, column],
            within=4e-6 if {row, column} <= {"a", "b"} else None,
            note=DIGIT if {row, column} <= {"a", "b"} else "",
        )
        for i, row in enumerate(NAMES)
        for j, column in enumerate(NAMES)
    ]


def _limits() -> list[Published]:
    log_wald = {"a": (".501", "1.255"), "b": ("1.372", "4.289")}
    profile = {
        "r": (".2193", ".2686"),
        "alpha": ("3.724", "5.212"),
        "a": (".5154", "1.3188"),
        "b": ("1.4296", "4.5669"),
    }
    return [
        Published(
            DIFFERENCED,
            f"BG/NBD on CDNOW, {kind} limit of {name}, {side}",
            text,
            lambda kind=kind, name=name, side=side: limits(kind).loc[name, side],
        )
        for kind, printed in (("log-wald", log_wald), ("profile", profile))
        for name, both in printed.items()
        for side, text in zip(("low", "high"), both, strict=True)
    ]


ROWS = [
    *_errors(),
    *_covariances(),
    *_limits(),
    Published(
        DIFFERENCED, "BG/NBD, purchases of all in 39 weeks, standard error", "74.35", lambda: error_of(total)
    ),
    Published(
        DIFFERENCED,
        "BG/NBD, purchases in 39 weeks of (2, 30.43, 38.86)",
        "1.2259",
        lambda: expected(bg_nbd().model, EXAMPLE),
        within=1e-4,
        note="theirs of the rounded weeks 30.43 and 38.86, ours of 213 and 272 days",
    ),
    Published(
        DIFFERENCED,
        "BG/NBD, purchases in 39 weeks of (2, 30.43, 38.86), standard error",
        ".0452",
        lambda: error_of(lambda model: expected(model, EXAMPLE)),
    ),
    Published(
        DIFFERENCED,
        "BG/NBD, purchases in 39 weeks of (0, 0, 38.86)",
        ".1948",
        lambda: expected(bg_nbd().model, ZERO_CLASS),
    ),
    Published(
        DIFFERENCED,
        "BG/NBD, purchases in 39 weeks of (0, 0, 38.86), standard error",
        ".0090",
        lambda: error_of(lambda model: expected(model, ZERO_CLASS)),
    ),
    Published(
        DIFFERENCED,
        "BG/NBD, P(alive) of (2, 30.43, 38.86), standard error",
        ".0162",
        lambda: error_of(lambda model: model.p_alive(pd.DataFrame([EXAMPLE])).iloc[0]),
    ),
]
