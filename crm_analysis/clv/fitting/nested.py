"""Whether a model with more parameters fits the same customers better than chance would let it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtrc

from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.errors import ConfigError


@dataclass(frozen=True)
class LikelihoodRatio:
    """Test of a restricted model against a full one.

    statistic : twice the log likelihood gained; degrees_of_freedom : parameters added.
    p_value : how often chance alone gains as much, were the restricted model right.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float


def likelihood_ratio(restricted: Fit[Any], full: Fit[Any]) -> LikelihoodRatio:
    """Test a fit against one of the same customers with more parameters.

    The restricted model must be the full one with the added parameters at 0 (coefficients) or 1 (powers):
    a model without covariates in one with them, sBG in BdW. Its log likelihood is computed from the full
    model there, so that fits of other customers cannot be compared by mistake. A model that is a limit of
    the other (NBD of BG/NBD) has no such place, and this test would not hold for it: compare their `bic`.

    Raises
    ------
    ConfigError
        The models are not nested in this way, or were fitted to different customers.
    """
    fewer, more = list(restricted.covariance.index), list(full.covariance.index)
    added = [name for name in more if name not in fewer]
    names = f"{restricted.model.name} in {full.model.name}"
    if restricted.n_customers != full.n_customers:
        raise ConfigError(
            f"likelihood_ratio: {names}: {restricted.n_customers:,} and {full.n_customers:,} customers; "
            "expected two fits of the same"
        )
    if not added or len(added) != len(more) - len(fewer):
        raise ConfigError(
            f"likelihood_ratio: {names}: expected the parameters {fewer} and more in the second, got {more}; "
            "compare the bic of models that are not nested"
        )
    there = _as_full(restricted, full)
    if not abs(there - restricted.log_likelihood) < 1e-6 * abs(restricted.log_likelihood):
        raise ConfigError(
            f"likelihood_ratio: {names}: with {added} left out the second model's log likelihood is "
            f"{there:.3f}, the first one's {restricted.log_likelihood:.3f}; expected two fits of the same "
            "customers, the second a generalisation of the first"
        )
    statistic = max(0.0, 2 * (full.log_likelihood - restricted.log_likelihood))
    return LikelihoodRatio(statistic, len(added), float(chdtrc(len(added), statistic)))


def _as_full(restricted: Fit[Any], full: Fit[Any]) -> float:
    """Log likelihood of the restricted model, computed as one of the full kind."""
    estimation, known = full._estimation, restricted.model.parameters
    neutral = {name: 0.0 if name in estimation.signed else 1.0 for name in estimation.parameters}
    return estimation.log_likelihood(
        np.array([{**neutral, **known}[name] for name in estimation.parameters])
    )[0]
