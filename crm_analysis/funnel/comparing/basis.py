"""What stands before and after the rates of a funnel: leads, per spend or not, and the value of a deal."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.comparing.firm import Firm
from crm_analysis.funnel.comparing.gap import DealValue, Per

DEAL_VALUE = "Deal value"


@dataclass(frozen=True)
class Basis:
    """Leads and deal values per firm, with the variances of their logarithms.

    own_deals : whether the deal values are those of the counted opportunities.
    """

    leads: tuple[float, float]
    leads_variance: tuple[float, float]
    deals: tuple[tuple[float, float], tuple[float, float]] | None
    own_deals: tuple[bool, bool]
    label: str
    unit: str


def find_basis(
    a: Firm,
    b: Firm,
    *,
    per: Per | None,
    spends: tuple[float | None, float | None],
    deals: tuple[DealValue | None, DealValue | None],
    spend_unit: float,
    currency: str,
) -> Basis:
    """Say per what two firms are compared; see `compare`."""
    money = per in ("spend", "revenue")
    if not money and any(x is not None for x in (*spends, *deals)):
        raise ConfigError(
            f"funnel: per={per!r} uses no spend and no deal values; per='spend' or 'revenue' do"
        )
    revenue = per == "revenue" or any(d is not None for d in deals)
    values = mean_deals(a, b, deals) if revenue else None
    own = (deals[0] is None, deals[1] is None)
    what = "revenue" if revenue else "wins"
    if per == "spend" or any(s is not None for s in spends):
        spent = _positive(spends, "spend")
        leads = (a.n_entrants * spend_unit / spent[0], b.n_entrants * spend_unit / spent[1])
        unit = f"{spend_unit:,.0f} {currency}".strip() if spend_unit != 1 else f"{currency or 'unit'} spent"
        variance = (1 / a.n_entrants, 1 / b.n_entrants)
        return Basis(leads, variance, values, own, f"Leads per {unit}", f"{what} per {unit}")
    fixed = (1000.0, 1000.0) if per == "1000 entrants" else (float(a.counts[0]), float(b.counts[0]))
    unit = f"{what} per 1,000 entrants" if per == "1000 entrants" else what
    return Basis(fixed, (0.0, 0.0), values, own, "Leads", unit)


def _positive(values: tuple[float | None, float | None], name: str) -> tuple[float, float]:
    known = [float(v) if v is not None else math.nan for v in values]
    if not all(math.isfinite(v) and v > 0 for v in known):
        raise DataError(f"funnel: {name} of a and b is {known}; expected two numbers above 0")
    return known[0], known[1]


def mean_deals(
    a: Firm, b: Firm, deals: tuple[DealValue | None, DealValue | None]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Mean deal value and the variance of its logarithm, per firm; a firm without a win has the other's.

    Parameters
    ----------
    deals : given values per firm; None takes the firm's own.
    """
    amounts = [
        np.atleast_1d(np.asarray(firm.deal_values if given is None else given, dtype=float))
        for given, firm in zip(deals, (a, b), strict=True)
    ]
    known = [x if len(x) else amounts[1 - i] for i, x in enumerate(amounts)]
    if not len(known[0]):
        raise ConfigError("funnel: revenue needs deal_value_a and deal_value_b, or counts with amounts")
    means = _positive((float(known[0].mean()), float(known[1].mean())), "mean deal value")
    spread = _relative_variances(known)
    exact = [given is not None and np.ndim(given) == 0 for given in deals]
    log_variance = [0.0 if exact[i] else spread[i] / len(known[i]) for i in range(2)]
    return (means[0], log_variance[0]), (means[1], log_variance[1])


def _relative_variances(amounts: list[np.ndarray]) -> list[float]:
    """Variance of one amount over its squared mean; of a single one that of the other firm, else 1."""
    found = [float(x.var(ddof=1)) / float(x.mean()) ** 2 if len(x) > 1 else None for x in amounts]
    known = [variance for variance in found if variance is not None]
    return [variance if variance is not None else (known[0] if known else 1.0) for variance in found]
