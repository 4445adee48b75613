"""Customer lifetime value: who is still a customer, what they will buy, and what they are worth.

Names are found when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_analysis.clv.bg_nbd import BgNbd, fit_bg_nbd
    from crm_analysis.clv.cash_flow import CashFlow, cash_flow_conventions, cash_flow_value
    from crm_analysis.clv.choice import Choice, against_rules, choose_model
    from crm_analysis.clv.dependence import Dependence, frequency_and_amount
    from crm_analysis.clv.estimates import SecondOpinion, parameter_table
    from crm_analysis.clv.examples import customer_history, example_customers, purchase_days
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
    from crm_analysis.clv.kept import choose_anew, firm_choice
    from crm_analysis.clv.look_back import LookBack, longest_look_back, look_backs
    from crm_analysis.clv.maps import alive_map, value_map
    from crm_analysis.clv.margin import Margin, firm_margin
    from crm_analysis.clv.mbg_nbd import MbgNbd, fit_mbg_nbd
    from crm_analysis.clv.nbd import Nbd, fit_nbd
    from crm_analysis.clv.origins import Origin, log_scores, revisit
    from crm_analysis.clv.outlook import (
        Models,
        beside_past,
        fit_models,
        forecast_groups,
        past_error,
        past_forecasts,
        season_seen,
        value_total,
    )
    from crm_analysis.clv.pareto_nbd import ParetoNbd, fit_pareto_nbd
    from crm_analysis.clv.second_opinion import compare_with_lifetimes, from_lifetimes, to_lifetimes
    from crm_analysis.clv.unlikely import at_stake, unlikely_buyers
    from crm_analysis.clv.value import value_customers

_HOMES = {
    "BgNbd": "bg_nbd",
    "CashFlow": "cash_flow",
    "Choice": "choice",
    "Dependence": "dependence",
    "Fit": "fit",
    "GammaGamma": "gamma_gamma",
    "HoldoutQuality": "holdout",
    "LookBack": "look_back",
    "Margin": "margin",
    "MbgNbd": "mbg_nbd",
    "Models": "outlook",
    "Nbd": "nbd",
    "Origin": "origins",
    "ParetoNbd": "pareto_nbd",
    "SecondOpinion": "estimates",
    "TotalForecast": "forecast",
    "against_rules": "choice",
    "alive_map": "maps",
    "at_stake": "unlikely",
    "beside_past": "outlook",
    "cash_flow_conventions": "cash_flow",
    "cash_flow_value": "cash_flow",
    "choose_anew": "kept",
    "choose_model": "choice",
    "compare_forecast": "forecast",
    "compare_with_lifetimes": "second_opinion",
    "customer_history": "examples",
    "daily_repeats": "goodness",
    "evaluate_holdout": "holdout",
    "example_customers": "examples",
    "firm_choice": "kept",
    "firm_margin": "margin",
    "fit_bg_nbd": "bg_nbd",
    "fit_gamma_gamma": "gamma_gamma",
    "fit_mbg_nbd": "mbg_nbd",
    "fit_models": "outlook",
    "fit_nbd": "nbd",
    "fit_pareto_nbd": "pareto_nbd",
    "forecast_amount": "forecast",
    "forecast_groups": "outlook",
    "forecast_origins": "forecast",
    "forecast_total": "forecast",
    "frequency_and_amount": "dependence",
    "frequency_fit": "goodness",
    "from_lifetimes": "second_opinion",
    "log_scores": "origins",
    "longest_look_back": "look_back",
    "look_backs": "look_back",
    "parameter_table": "estimates",
    "past_error": "outlook",
    "past_forecasts": "outlook",
    "purchase_days": "examples",
    "revisit": "origins",
    "season_seen": "outlook",
    "to_lifetimes": "second_opinion",
    "tracking": "goodness",
    "unlikely_buyers": "unlikely",
    "value_customers": "value",
    "value_map": "maps",
    "value_total": "outlook",
}

__all__ = [
    "BgNbd",
    "CashFlow",
    "Choice",
    "Dependence",
    "Fit",
    "GammaGamma",
    "HoldoutQuality",
    "LookBack",
    "Margin",
    "MbgNbd",
    "Models",
    "Nbd",
    "Origin",
    "ParetoNbd",
    "SecondOpinion",
    "TotalForecast",
    "against_rules",
    "alive_map",
    "at_stake",
    "beside_past",
    "cash_flow_conventions",
    "cash_flow_value",
    "choose_anew",
    "choose_model",
    "compare_forecast",
    "compare_with_lifetimes",
    "customer_history",
    "daily_repeats",
    "evaluate_holdout",
    "example_customers",
    "firm_choice",
    "firm_margin",
    "fit_bg_nbd",
    "fit_gamma_gamma",
    "fit_mbg_nbd",
    "fit_models",
    "fit_nbd",
    "fit_pareto_nbd",
    "forecast_amount",
    "forecast_groups",
    "forecast_origins",
    "forecast_total",
    "frequency_and_amount",
    "frequency_fit",
    "from_lifetimes",
    "log_scores",
    "longest_look_back",
    "look_backs",
    "parameter_table",
    "past_error",
    "past_forecasts",
    "purchase_days",
    "revisit",
    "season_seen",
    "to_lifetimes",
    "tracking",
    "unlikely_buyers",
    "value_customers",
    "value_map",
    "value_total",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {__all__}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
