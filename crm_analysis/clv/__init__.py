"""Customer lifetime value: who is still a customer, what they will buy, and what they are worth.

Names are found when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_analysis.clv.beyond_log import value_by_model
    from crm_analysis.clv.bg_bb import BgBb, fit_bg_bb
    from crm_analysis.clv.bg_nbd import BgNbd, fit_bg_nbd
    from crm_analysis.clv.bootstrap import Bootstrap
    from crm_analysis.clv.by_period import forecast_by_period
    from crm_analysis.clv.cash_flow import CashFlow, cash_flow_conventions, cash_flow_value, past_value
    from crm_analysis.clv.choice import Choice, against_rules, choose_model
    from crm_analysis.clv.cohorts import (
        cohort_errors,
        errors_by_group,
        errors_by_history,
        flagged_groups,
        master_groups,
    )
    from crm_analysis.clv.contact import StopRule, contact_value, stop_contact
    from crm_analysis.clv.contracts import compare_renewals, summarise_contracts, value_contracts
    from crm_analysis.clv.correction import PastBias, past_bias
    from crm_analysis.clv.covariate_fits import fit_with_covariates
    from crm_analysis.clv.covariates import WithCovariates
    from crm_analysis.clv.dependence import Dependence, frequency_and_amount
    from crm_analysis.clv.equity import RollForward, customer_equity, equity_roll_forward
    from crm_analysis.clv.estimates import SecondOpinion, ThreeIntervals, parameter_table, three_intervals
    from crm_analysis.clv.examples import customer_history, example_customers, last_silence, purchase_days
    from crm_analysis.clv.families import Setting, setting
    from crm_analysis.clv.firm_value import BassGrowth, customer_base_value
    from crm_analysis.clv.fit import Fit
    from crm_analysis.clv.forecast import (
        TotalForecast,
        compare_forecast,
        draw_amounts,
        forecast_amount,
        forecast_origins,
        forecast_total,
    )
    from crm_analysis.clv.gamma_gamma import GammaGamma, fit_gamma_gamma
    from crm_analysis.clv.goodness import (
        Followed,
        daily_repeats,
        follow_firm,
        frequency_fit,
        judge_counts,
        tracking,
        tracking_error,
    )
    from crm_analysis.clv.group_values import value_groups
    from crm_analysis.clv.holdout import HoldoutQuality, evaluate_holdout
    from crm_analysis.clv.kept import FirmModels, choose_anew, firm_models
    from crm_analysis.clv.long_run import long_value, roll_forward
    from crm_analysis.clv.look_back import LookBack, longest_look_back, look_backs
    from crm_analysis.clv.maps import alive_map, paradox, value_map
    from crm_analysis.clv.margin import Margin, firm_margin
    from crm_analysis.clv.mbg_cnbd import MbgCnbd, fit_mbg_cnbd
    from crm_analysis.clv.mbg_nbd import MbgNbd, fit_mbg_nbd
    from crm_analysis.clv.migration import migration_value, recency_transitions, transition_rates
    from crm_analysis.clv.multiples import (
        FixedLifeError,
        fixed_life_error,
        margin_multiple,
        margin_multiples,
        payment_cases,
    )
    from crm_analysis.clv.nbd import Nbd, fit_nbd
    from crm_analysis.clv.nested import LikelihoodRatio, likelihood_ratio
    from crm_analysis.clv.new_customer import clv_new
    from crm_analysis.clv.newcomers import NewForecast, forecast_new
    from crm_analysis.clv.once import OnceOnly, once_only
    from crm_analysis.clv.opportunities import opportunities_of, summarise_opportunities
    from crm_analysis.clv.origins import Origin, log_scores, revisit
    from crm_analysis.clv.outlook import (
        Models,
        beside_past,
        fit_models,
        forecast_groups,
        key_numbers,
        own_range,
        past_error,
        past_forecasts,
        value_total,
    )
    from crm_analysis.clv.pareto_nbd import ParetoNbd, fit_pareto_nbd
    from crm_analysis.clv.pauses import purchase_rates
    from crm_analysis.clv.payback import BreakEven, break_even
    from crm_analysis.clv.referral import referral_matrix, referral_value
    from crm_analysis.clv.regularity import Regularity, purchase_regularity, rhythm
    from crm_analysis.clv.retained import continuous_value, retained_value
    from crm_analysis.clv.retention import Bdw, Dw, Geometric, Sbg
    from crm_analysis.clv.retention_fits import fit_bdw, fit_dw, fit_geometric, fit_sbg
    from crm_analysis.clv.scoring import count_amounts, count_histories, score_to_parquet
    from crm_analysis.clv.season import NO_SEASON, Season, given_season, season_finding
    from crm_analysis.clv.seasonality import estimate_season, monthly_repeats, season_of
    from crm_analysis.clv.second_opinion import compare_with_lifetimes, from_lifetimes, to_lifetimes
    from crm_analysis.clv.spend import BandedGammaGamma, band_amounts, fit_spend
    from crm_analysis.clv.spending import (
        ResponseCurve,
        SpendingPlan,
        best_spending,
        response_curve,
        spending_curve,
        spending_value,
    )
    from crm_analysis.clv.tenures import contract_tenures
    from crm_analysis.clv.tornado import sensitivity
    from crm_analysis.clv.unlikely import at_stake, unlikely_buyers
    from crm_analysis.clv.value import value_customers

_HOMES = {
    "NO_SEASON": "season",
    "BandedGammaGamma": "spend",
    "BassGrowth": "firm_value",
    "Bdw": "retention",
    "BgBb": "bg_bb",
    "BgNbd": "bg_nbd",
    "Bootstrap": "bootstrap",
    "BreakEven": "payback",
    "CashFlow": "cash_flow",
    "Choice": "choice",
    "Dependence": "dependence",
    "Dw": "retention",
    "FirmModels": "kept",
    "Fit": "fit",
    "FixedLifeError": "multiples",
    "Followed": "goodness",
    "GammaGamma": "gamma_gamma",
    "Geometric": "retention",
    "HoldoutQuality": "holdout",
    "LikelihoodRatio": "nested",
    "LookBack": "look_back",
    "Margin": "margin",
    "MbgCnbd": "mbg_cnbd",
    "MbgNbd": "mbg_nbd",
    "Models": "outlook",
    "Nbd": "nbd",
    "NewForecast": "newcomers",
    "OnceOnly": "once",
    "Origin": "origins",
    "ParetoNbd": "pareto_nbd",
    "PastBias": "correction",
    "Regularity": "regularity",
    "ResponseCurve": "spending",
    "RollForward": "equity",
    "Sbg": "retention",
    "Season": "season",
    "SecondOpinion": "estimates",
    "Setting": "families",
    "SpendingPlan": "spending",
    "StopRule": "contact",
    "ThreeIntervals": "estimates",
    "TotalForecast": "forecast",
    "WithCovariates": "covariates",
    "against_rules": "choice",
    "alive_map": "maps",
    "at_stake": "unlikely",
    "band_amounts": "spend",
    "beside_past": "outlook",
    "best_spending": "spending",
    "break_even": "payback",
    "cash_flow_conventions": "cash_flow",
    "cash_flow_value": "cash_flow",
    "choose_anew": "kept",
    "choose_model": "choice",
    "clv_new": "new_customer",
    "cohort_errors": "cohorts",
    "compare_forecast": "forecast",
    "compare_renewals": "contracts",
    "compare_with_lifetimes": "second_opinion",
    "contact_value": "contact",
    "continuous_value": "retained",
    "contract_tenures": "tenures",
    "count_amounts": "scoring",
    "count_histories": "scoring",
    "customer_base_value": "firm_value",
    "customer_equity": "equity",
    "customer_history": "examples",
    "daily_repeats": "goodness",
    "draw_amounts": "forecast",
    "equity_roll_forward": "equity",
    "errors_by_group": "cohorts",
    "errors_by_history": "cohorts",
    "estimate_season": "seasonality",
    "evaluate_holdout": "holdout",
    "example_customers": "examples",
    "firm_margin": "margin",
    "firm_models": "kept",
    "fit_bdw": "retention_fits",
    "fit_bg_bb": "bg_bb",
    "fit_bg_nbd": "bg_nbd",
    "fit_dw": "retention_fits",
    "fit_gamma_gamma": "gamma_gamma",
    "fit_geometric": "retention_fits",
    "fit_mbg_cnbd": "mbg_cnbd",
    "fit_mbg_nbd": "mbg_nbd",
    "fit_models": "outlook",
    "fit_nbd": "nbd",
    "fit_pareto_nbd": "pareto_nbd",
    "fit_sbg": "retention_fits",
    "fit_spend": "spend",
    "fit_with_covariates": "covariate_fits",
    "fixed_life_error": "multiples",
    "flagged_groups": "cohorts",
    "follow_firm": "goodness",
    "forecast_amount": "forecast",
    "forecast_by_period": "by_period",
    "forecast_groups": "outlook",
    "forecast_new": "newcomers",
    "forecast_origins": "forecast",
    "forecast_total": "forecast",
    "frequency_and_amount": "dependence",
    "frequency_fit": "goodness",
    "from_lifetimes": "second_opinion",
    "given_season": "season",
    "judge_counts": "goodness",
    "key_numbers": "outlook",
    "last_silence": "examples",
    "likelihood_ratio": "nested",
    "log_scores": "origins",
    "long_value": "long_run",
    "longest_look_back": "look_back",
    "look_backs": "look_back",
    "margin_multiple": "multiples",
    "margin_multiples": "multiples",
    "master_groups": "cohorts",
    "migration_value": "migration",
    "monthly_repeats": "seasonality",
    "once_only": "once",
    "opportunities_of": "opportunities",
    "own_range": "outlook",
    "paradox": "maps",
    "parameter_table": "estimates",
    "past_bias": "correction",
    "past_error": "outlook",
    "past_forecasts": "outlook",
    "past_value": "cash_flow",
    "payment_cases": "multiples",
    "purchase_days": "examples",
    "purchase_rates": "pauses",
    "purchase_regularity": "regularity",
    "recency_transitions": "migration",
    "referral_matrix": "referral",
    "referral_value": "referral",
    "response_curve": "spending",
    "retained_value": "retained",
    "revisit": "origins",
    "rhythm": "regularity",
    "roll_forward": "long_run",
    "score_to_parquet": "scoring",
    "season_finding": "season",
    "season_of": "seasonality",
    "sensitivity": "tornado",
    "setting": "families",
    "spending_curve": "spending",
    "spending_value": "spending",
    "stop_contact": "contact",
    "summarise_contracts": "contracts",
    "summarise_opportunities": "opportunities",
    "three_intervals": "estimates",
    "to_lifetimes": "second_opinion",
    "tracking": "goodness",
    "tracking_error": "goodness",
    "transition_rates": "migration",
    "unlikely_buyers": "unlikely",
    "value_by_model": "beyond_log",
    "value_contracts": "contracts",
    "value_customers": "value",
    "value_groups": "group_values",
    "value_map": "maps",
    "value_total": "outlook",
}

__all__ = [
    "NO_SEASON",
    "BandedGammaGamma",
    "BassGrowth",
    "Bdw",
    "BgBb",
    "BgNbd",
    "Bootstrap",
    "BreakEven",
    "CashFlow",
    "Choice",
    "Dependence",
    "Dw",
    "FirmModels",
    "Fit",
    "FixedLifeError",
    "Followed",
    "GammaGamma",
    "Geometric",
    "HoldoutQuality",
    "LikelihoodRatio",
    "LookBack",
    "Margin",
    "MbgCnbd",
    "MbgNbd",
    "Models",
    "Nbd",
    "NewForecast",
    "OnceOnly",
    "Origin",
    "ParetoNbd",
    "PastBias",
    "Regularity",
    "ResponseCurve",
    "RollForward",
    "Sbg",
    "Season",
    "SecondOpinion",
    "Setting",
    "SpendingPlan",
    "StopRule",
    "ThreeIntervals",
    "TotalForecast",
    "WithCovariates",
    "against_rules",
    "alive_map",
    "at_stake",
    "band_amounts",
    "beside_past",
    "best_spending",
    "break_even",
    "cash_flow_conventions",
    "cash_flow_value",
    "choose_anew",
    "choose_model",
    "clv_new",
    "cohort_errors",
    "compare_forecast",
    "compare_renewals",
    "compare_with_lifetimes",
    "contact_value",
    "continuous_value",
    "contract_tenures",
    "count_amounts",
    "count_histories",
    "customer_base_value",
    "customer_equity",
    "customer_history",
    "daily_repeats",
    "draw_amounts",
    "equity_roll_forward",
    "errors_by_group",
    "errors_by_history",
    "estimate_season",
    "evaluate_holdout",
    "example_customers",
    "firm_margin",
    "firm_models",
    "fit_bdw",
    "fit_bg_bb",
    "fit_bg_nbd",
    "fit_dw",
    "fit_gamma_gamma",
    "fit_geometric",
    "fit_mbg_cnbd",
    "fit_mbg_nbd",
    "fit_models",
    "fit_nbd",
    "fit_pareto_nbd",
    "fit_sbg",
    "fit_spend",
    "fit_with_covariates",
    "fixed_life_error",
    "flagged_groups",
    "follow_firm",
    "forecast_amount",
    "forecast_by_period",
    "forecast_groups",
    "forecast_new",
    "forecast_origins",
    "forecast_total",
    "frequency_and_amount",
    "frequency_fit",
    "from_lifetimes",
    "given_season",
    "judge_counts",
    "key_numbers",
    "last_silence",
    "likelihood_ratio",
    "log_scores",
    "long_value",
    "longest_look_back",
    "look_backs",
    "margin_multiple",
    "margin_multiples",
    "master_groups",
    "migration_value",
    "monthly_repeats",
    "once_only",
    "opportunities_of",
    "own_range",
    "paradox",
    "parameter_table",
    "past_bias",
    "past_error",
    "past_forecasts",
    "past_value",
    "payment_cases",
    "purchase_days",
    "purchase_rates",
    "purchase_regularity",
    "recency_transitions",
    "referral_matrix",
    "referral_value",
    "response_curve",
    "retained_value",
    "revisit",
    "rhythm",
    "roll_forward",
    "score_to_parquet",
    "season_finding",
    "season_of",
    "sensitivity",
    "setting",
    "spending_curve",
    "spending_value",
    "stop_contact",
    "summarise_contracts",
    "summarise_opportunities",
    "three_intervals",
    "to_lifetimes",
    "tracking",
    "tracking_error",
    "transition_rates",
    "unlikely_buyers",
    "value_by_model",
    "value_contracts",
    "value_customers",
    "value_groups",
    "value_map",
    "value_total",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {__all__}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
