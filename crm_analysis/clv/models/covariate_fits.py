"""Fits of BG/NBD and Pareto/NBD with covariates, by maximum likelihood from the fit without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.clv.fitting.fit import Estimation, Fit, maximise
from crm_analysis.clv.histories import FloatArray, Histories, purchase_histories
from crm_analysis.clv.models import leaving, pareto_nbd
from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.models.covariates import (
    SIGNS,
    WithCovariates,
    check_covariates,
    distinct_with_covariates,
)
from crm_analysis.clv.models.pareto_nbd import ParetoNbd, fit_pareto_nbd
from crm_analysis.errors import ConfigError, DataError

RowsOf = Callable[[FloatArray, Histories], tuple[FloatArray, FloatArray]]

COLLINEAR = 1e-7  # smallest singular value of standardised columns, as a share of the largest


@dataclass(frozen=True)
class Kind:
    """How a model is fitted without covariates, its likelihood per history, and the parameters they move."""

    fit: Callable[..., Fit[Any]]
    rows: RowsOf
    moved: tuple[str, ...]


KINDS: Mapping[type[Any], Kind] = {
    BgNbd: Kind(fit_bg_nbd, partial(leaving.log_likelihood, early=BgNbd.early), ("alpha", "a", "b")),
    ParetoNbd: Kind(fit_pareto_nbd, pareto_nbd.log_likelihood, ("alpha", "beta")),
}


def fit_with_covariates(
    model: type[BgNbd] | type[ParetoNbd],
    customers: pd.DataFrame,
    *,
    covariates: Sequence[str],
    on: Sequence[str] | None = None,
    unit: str = "7D",
) -> Fit[WithCovariates]:
    """Fit a purchase model whose parameters differ between customers with their covariates.

    Parameters
    ----------
    model : BgNbd or ParetoNbd.
    customers : n_repeat, t_last, t_observed in days, and the columns named.
    covariates : columns of numbers that were known when the customer was won, and do not change.
    on : the parameters they move; alpha (buying), beta (leaving of Pareto/NBD), a and b (leaving of BG/NBD).
        All of the model's unless given.

    Raises
    ------
    DataError
        A column is missing, is text, lacks values, is the same for all, or follows from the others.
    FitError
        The data do not determine a parameter.

    Source: Fader & Hardie (2007), brucehardie.com/notes/019.
    """
    if model not in KINDS:
        names = [kind.__name__ for kind in KINDS]
        raise ConfigError(f"fit_with_covariates: model {getattr(model, '__name__', model)}; expected {names}")
    kind, columns = KINDS[model], list(covariates)
    moved = _moved(kind, on)
    averages, spreads = _scales(customers, columns)
    plain = kind.fit(customers, unit=unit)
    distinct, _ = distinct_with_covariates(customers, columns)
    histories = purchase_histories(distinct, unit=unit)
    z = distinct[columns].to_numpy(float) - averages
    names = [f"{parameter}: {column}" for parameter in moved for column in columns]
    base = list(plain.model.parameters)

    def build(**parameters: float) -> WithCovariates:
        return WithCovariates(
            average=model(**{name: parameters[name] for name in base}, unit=unit),
            coefficients={name: parameters[name] for name in names},
            averages=dict(zip(columns, averages.tolist(), strict=True)),
        )

    places = [base.index(parameter) for parameter in moved]
    signs = np.array([SIGNS[parameter] for parameter in moved])
    estimate = list(plain.model.parameters.values())
    return maximise(
        Estimation(
            name=f"{model.name} with covariates",
            parameters=(*base, *names),
            build=build,
            rows=partial(_rows, rows=kind.rows, histories=histories, z=z, places=places, signs=signs),
            weights=histories.n_customers,
            starts=[[*estimate, *np.zeros(len(names))]],
            limits=plain._estimation.limits,
            data=plain._estimation.data,
            signed=dict(zip(names, np.tile(1 / spreads, len(moved)).tolist(), strict=True)),
        )
    )


def _rows(
    parameters: FloatArray,
    *,
    rows: RowsOf,
    histories: Histories,
    z: FloatArray,
    places: Sequence[int],
    signs: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Log likelihood per row, and its slopes along the parameters and the coefficients."""
    n_base = len(parameters) - len(places) * z.shape[1]
    coefficients = parameters[n_base:].reshape(len(places), -1)
    factors = np.ones((n_base, len(z)))
    for place, sign, coefficient in zip(places, signs, coefficients, strict=True):
        factors[place] = np.exp(sign * (z * coefficient).sum(axis=1))
    own = parameters[:n_base, None] * factors
    values, slopes = rows(own, histories)
    of_logs = slopes * own
    by_coefficient = [sign * of_logs[place] * z.T for place, sign in zip(places, signs, strict=True)]
    return values, np.concatenate([slopes * factors, *by_coefficient])


def _moved(kind: Kind, on: Sequence[str] | None) -> list[str]:
    if on is None:
        return list(kind.moved)
    if isinstance(on, str) or not on or not set(on) <= set(kind.moved):
        raise ConfigError(f"fit_with_covariates: on {on!r}; expected some of {list(kind.moved)}")
    return [name for name in kind.moved if name in on]


def _scales(customers: pd.DataFrame, columns: list[str]) -> tuple[FloatArray, FloatArray]:
    """Averages and standard deviations over customers, once the columns can be told apart."""
    if not columns or len(set(columns)) < len(columns):
        raise ConfigError(
            f"fit_with_covariates: covariates {columns}; expected different columns, at least one"
        )
    values = check_covariates(customers, columns)
    weights = customers["n_customers"] if "n_customers" in customers else pd.Series(1.0, customers.index)
    averages = np.average(values, axis=0, weights=weights.to_numpy(float))
    spreads = np.sqrt(np.average((values - averages) ** 2, axis=0, weights=weights.to_numpy(float)))
    same = spreads <= 1e-12 * np.maximum(1.0, np.abs(averages))
    if same.any():
        names = [name for name, alike in zip(columns, same, strict=True) if alike]
        raise DataError(f"covariates: {names} the same for all customers; leave them out")
    _, sizes, directions = np.linalg.svd((values - averages) / spreads, full_matrices=False)
    if sizes[-1] < COLLINEAR * sizes[0]:
        share = np.abs(directions[-1])
        names = [name for name, part in zip(columns, share, strict=True) if part > 0.1 * share.max()]
        raise DataError(
            f"covariates: {names} follow from each other, so that their effects cannot be told apart; leave "
            "one out (of the columns of a category one is always one too many)"
        )
    return averages, spreads
