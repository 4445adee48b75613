"""Customer lifetime value: who is still a customer, what they will buy, and what they are worth.

Names are found when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_analysis.clv.bg_nbd import BgNbd, fit_bg_nbd
    from crm_analysis.clv.cash_flow import CashFlow, cash_flow_conventions, cash_flow_value
    from crm_analysis.clv.fit import Fit
    from crm_analysis.clv.forecast import (
        TotalForecast,
        compare_forecast,
        forecast_amount,
        forecast_origins,
        forecast_total,
    )
    from crm_analysis.clv.gamma_gamma import GammaGamma, fit_gamma_gamma
    from crm_analysis.clv.goodness import daily_repeats, frequency_fit, tracking
    from crm_analysis.clv.holdout import HoldoutQuality, evaluate_holdout
    from crm_analysis.clv.pareto_nbd import ParetoNbd, fit_pareto_nbd
    from crm_analysis.clv.second_opinion import compare_with_lifetimes, from_lifetimes, to_lifetimes
    from crm_analysis.clv.value import value_customers

_HOMES = {
    "BgNbd": "bg_nbd",
    "CashFlow": "cash_flow",
    "Fit": "fit",
    "GammaGamma": "gamma_gamma",
    "HoldoutQuality": "holdout",
    "ParetoNbd": "pareto_nbd",
    "TotalForecast": "forecast",
    "cash_flow_conventions": "cash_flow",
    "cash_flow_value": "cash_flow",
    "compare_forecast": "forecast",
    "compare_with_lifetimes": "second_opinion",
    "daily_repeats": "goodness",
    "evaluate_holdout": "holdout",
    "fit_bg_nbd": "bg_nbd",
    "fit_gamma_gamma": "gamma_gamma",
    "fit_pareto_nbd": "pareto_nbd",
    "forecast_amount": "forecast",
    "forecast_origins": "forecast",
    "forecast_total": "forecast",
    "frequency_fit": "goodness",
    "from_lifetimes": "second_opinion",
    "to_lifetimes": "second_opinion",
    "tracking": "goodness",
    "value_customers": "value",
}

__all__ = [
    "BgNbd",
    "CashFlow",
    "Fit",
    "GammaGamma",
    "HoldoutQuality",
    "ParetoNbd",
    "TotalForecast",
    "cash_flow_conventions",
    "cash_flow_value",
    "compare_forecast",
    "compare_with_lifetimes",
    "daily_repeats",
    "evaluate_holdout",
    "fit_bg_nbd",
    "fit_gamma_gamma",
    "fit_pareto_nbd",
    "forecast_amount",
    "forecast_origins",
    "forecast_total",
    "frequency_fit",
    "from_lifetimes",
    "to_lifetimes",
    "tracking",
    "value_customers",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {__all__}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
