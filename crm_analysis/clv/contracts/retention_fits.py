"""Fit the models of renewals, from survivors or from one row per contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import digamma, xlogy

from crm_analysis.clv.contracts.renewals import RenewalModel
from crm_analysis.clv.contracts.retention import Bdw, Dw, Geometric, Sbg, digamma_rise, log_survival, power
from crm_analysis.clv.contracts.tenures import Contracts, contract_tenures
from crm_analysis.clv.fitting.fit import Estimation, Fit, Limit, maximise
from crm_analysis.clv.histories import FloatArray
from crm_analysis.errors import FitError

ALIKE = "all customers renew with the same probability"
NOBODY = "hardly anybody leaves, so how customers differ is not determined"

SBG_LIMITS = (
    Limit(frozenset(["alpha", "beta"]), "infinity", f"{ALIKE}; fit_geometric has no more than that"),
    Limit(frozenset(["alpha", "beta"]), "0", "customers leave at the first renewal or never"),
    Limit(frozenset(["alpha"]), "0", NOBODY),
    Limit(frozenset(["beta"]), "infinity", NOBODY),
    Limit(frozenset(["beta"]), "0", "nobody is left after the first renewal"),
    Limit(frozenset(["alpha"]), "infinity", "nobody is left after the first renewal"),
)
BDW_LIMITS = (
    Limit(
        frozenset(["alpha", "beta"]),
        "infinity",
        "customers do not differ beyond what tenure does to all of them; fit_dw has no more than that",
    ),
    Limit(frozenset(["alpha", "c"]), "0", "customers leave at the first renewal or never"),
    Limit(frozenset(["c"]), "0", "customers leave at the first renewal or never"),
    Limit(frozenset(["c"]), "infinity", "all who stay beyond the first renewal leave at the same one"),
    *SBG_LIMITS[1:],
)
DW_LIMITS = (
    Limit(frozenset(["theta"]), "0", NOBODY),
    Limit(frozenset(["c"]), "0", "customers leave at the first renewal or never"),
    Limit(frozenset(["c"]), "infinity", "all who stay beyond the first renewal leave at the same one"),
)
GEOMETRIC_LIMITS = (Limit(frozenset(["theta"]), "0", NOBODY),)


def fit_sbg(contracts: Contracts, *, unit: str = "1 year") -> Fit[Sbg]:
    """Fit sBG by maximum likelihood.

    Parameters
    ----------
    contracts : survivors of one cohort or several, or one row per customer with tenure and ended; see
        `contract_tenures`.
    unit : from one renewal to the next, "1 month"; it matters to annual discount rates only.

    Raises
    ------
    DataError
        The contracts are impossible, or are no contracts but a table of purchases.
    FitError
        The data do not determine a parameter; the message says which one runs where, and what it means.

    Source: Fader & Hardie (2007), Journal of Interactive Marketing 21(1), appendix B.
    """
    return _fit(Sbg, contracts, unit, _sbg_slopes, SBG_LIMITS, [(2.0,), (0.5,), (20.0,)])


def fit_bdw(contracts: Contracts, *, unit: str = "1 year") -> Fit[Bdw]:
    """Fit BdW by maximum likelihood; parameters and refusals as in `fit_sbg`, which is the case c = 1.

    Source: Fader, Hardie, Liu, Davin & Steenburgh (2018), Journal of Interactive Marketing 43.
    """
    shapes = [(2.0, 1.0), (0.8, 1.5), (10.0, 0.7), (0.2, 3.0)]
    return _fit(Bdw, contracts, unit, _bdw_slopes, BDW_LIMITS, shapes)


def fit_dw(contracts: Contracts, *, unit: str = "1 year") -> Fit[Dw]:
    """Fit the discrete Weibull by maximum likelihood; parameters and refusals as in `fit_sbg`."""
    return _fit(Dw, contracts, unit, _dw_slopes, DW_LIMITS, [(0.8,), (0.4,), (1.5,)])


def fit_geometric(contracts: Contracts, *, unit: str = "1 year") -> Fit[Geometric]:
    """Fit constant retention: the share of all renewals due that did not happen is theta."""
    return _fit(Geometric, contracts, unit, _geometric_slopes, GEOMETRIC_LIMITS, [()])


# Log survival beyond t renewals and its slopes, shape (parameters, rows), at parameters and t.
Slopes = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]


def _fit(
    model: type[Any],
    contracts: Contracts,
    unit: str,
    slopes: Slopes,
    limits: tuple[Limit, ...],
    shapes: Sequence[tuple[float, ...]],
) -> Fit[Any]:
    """Fit `model`; a start is the rate of leaving with the numbers of `shapes` that tell how it varies."""
    table = contract_tenures(contracts)
    tenure, weight = table["tenure"].to_numpy(float), table["n_customers"].to_numpy()
    ended = table["ended"].to_numpy(bool)
    data = f"{weight.sum():,.0f} contracts of which {weight[ended].sum():,.0f} ended"
    names = model.parameter_names()
    if not ended.any():
        raise FitError(
            f"{model.name}: nobody has left, on {data}; there is nothing to fit. Observe for longer."
        )
    if not tenure[~(ended & (tenure == 1))].any():
        raise FitError(
            f"{model.name}: nobody was left after the first renewal, on {data}; no rate beyond it."
        )
    if (seen := int(tenure.max())) < len(names):
        raise FitError(
            f"{model.name}: {seen} renewal{'s' * (seen > 1)} seen, on {data}, for {len(names)} parameters; "
            f"expected at least {len(names)}. Observe for longer, or fit_geometric."
        )
    due = (weight * tenure).sum()
    theta = float(np.clip(weight[ended].sum() / due, 1e-6, 0.95))
    return maximise(
        Estimation(
            name=model.name,
            parameters=names,
            build=lambda **parameters: model(**parameters, unit=unit),
            rows=lambda parameters: log_likelihood(parameters, tenure, ended, slopes),
            weights=weight,
            starts=[_start(model, theta, shape) for shape in shapes],
            limits=limits,
            data=data,
        )
    )


def _start(model: type[RenewalModel], theta: float, shape: tuple[float, ...]) -> tuple[float, ...]:
    if "theta" in model.parameter_names():
        return (theta, *shape)
    return (shape[0] * theta, shape[0] * (1 - theta), *shape[1:])


def log_likelihood(
    parameters: FloatArray, tenure: FloatArray, ended: FloatArray, slopes: Slopes
) -> tuple[FloatArray, FloatArray]:
    """Log likelihood of each tenure, of leaving at its last renewal or being there still, and its slopes."""
    before, slopes_before = slopes(parameters, tenure - ended)
    after, slopes_after = slopes(parameters, tenure)
    fallen = np.where(ended, after - before, -1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        leaves = np.log(-np.expm1(fallen))
        pull = np.where(ended, 1 / np.expm1(-fallen), 0.0)
    return before + np.where(ended, leaves, 0.0), slopes_before - pull * (slopes_after - slopes_before)


def _sbg_slopes(parameters: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    alpha, beta = parameters
    shared = -digamma_rise(alpha + beta, t)
    return log_survival(alpha, beta, t), np.stack([shared, shared + digamma_rise(beta, t)])


def _bdw_slopes(parameters: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    alpha, beta, c = parameters
    u = power(t, c)
    value, slopes = _sbg_slopes(parameters[:2], u)
    along = (digamma(beta + u) - digamma(alpha + beta + u)) * xlogy(u, t)
    return value, np.vstack([slopes, along])


def _dw_slopes(parameters: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    theta, c = _below_one(parameters[0]), parameters[1]
    log_stays, u = np.log1p(-theta), power(t, c)
    return log_stays * u, np.stack([-u / (1 - theta), log_stays * xlogy(u, t)])


def _geometric_slopes(parameters: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    theta = _below_one(parameters[0])
    return np.log1p(-theta) * t, np.stack([-t / (1 - theta)])


def _below_one(theta: float) -> float:
    """Keep a climb in log parameters among the probabilities."""
    return min(theta, 1 - 1e-12)
