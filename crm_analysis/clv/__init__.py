"""Customer lifetime value: who is still a customer, what they will buy, and what they are worth.

Names are found when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_analysis.clv.ahead.by_period import forecast_by_period
    from crm_analysis.clv.ahead.choice import Choice, against_rules, choose_model
    from crm_analysis.clv.ahead.cohorts import (
        cohort_errors,
        errors_by_group,
        errors_by_history,
        flagged_groups,
        master_groups,
    )
    from crm_analysis.clv.ahead.correction import PastBias, past_bias
    from crm_analysis.clv.ahead.forecast import (
        TotalForecast,
        compare_forecast,
        draw_amounts,
        forecast_amount,
        forecast_origins,
        forecast_total,
    )
    from crm_analysis.clv.ahead.goodness import (
        Followed,
        daily_repeats,
        follow_firm,
        frequency_fit,
        judge_counts,
        tracking,
        tracking_error,
    )
    from crm_analysis.clv.ahead.group_values import value_groups
    from crm_analysis.clv.ahead.holdout import HoldoutQuality, evaluate_holdout
    from crm_analysis.clv.ahead.kept import FirmModels, choose_anew, firm_models
    from crm_analysis.clv.ahead.long_run import long_value, roll_forward
    from crm_analysis.clv.ahead.look_back import LookBack, longest_look_back, look_backs
    from crm_analysis.clv.ahead.once import OnceOnly, once_only
    from crm_analysis.clv.ahead.origins import Origin, log_scores, revisit
    from crm_analysis.clv.ahead.outlook import (
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
    from crm_analysis.clv.ahead.season import NO_SEASON, Season, given_season, season_finding
    from crm_analysis.clv.ahead.seasonality import estimate_season, monthly_repeats, season_of
    from crm_analysis.clv.contracts.contracts import compare_renewals, summarise_contracts, value_contracts
    from crm_analysis.clv.contracts.retention import Bdw, Dw, Geometric, Sbg
    from crm_analysis.clv.contracts.retention_fits import fit_bdw, fit_dw, fit_geometric, fit_sbg
    from crm_analysis.clv.contracts.tenures import contract_tenures
    from crm_analysis.clv.families import Setting, setting
    from crm_analysis.clv.fitting.bootstrap import Bootstrap
    from crm_analysis.clv.fitting.fit import Fit
    from crm_analysis.clv.fitting.nested import LikelihoodRatio, likelihood_ratio
    from crm_analysis.clv.models.bg_bb import BgBb, fit_bg_bb
    from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
    from crm_analysis.clv.models.covariate_fits import fit_with_covariates
    from crm_analysis.clv.models.covariates import WithCovariates
    from crm_analysis.clv.models.dependence import Dependence, frequency_and_amount
    from crm_analysis.clv.models.estimates import (
        SecondOpinion,
        ThreeIntervals,
        parameter_table,
        three_intervals,
    )
    from crm_analysis.clv.models.gamma_gamma import GammaGamma, fit_gamma_gamma
    from crm_analysis.clv.models.mbg_cnbd import MbgCnbd, fit_mbg_cnbd
    from crm_analysis.clv.models.mbg_nbd import MbgNbd, fit_mbg_nbd
    from crm_analysis.clv.models.nbd import Nbd, fit_nbd
    from crm_analysis.clv.models.opportunities import opportunities_of, summarise_opportunities
    from crm_analysis.clv.models.pareto_nbd import ParetoNbd, fit_pareto_nbd
    from crm_analysis.clv.models.regularity import Regularity, purchase_regularity, rhythm
    from crm_analysis.clv.models.second_opinion import compare_with_lifetimes, from_lifetimes, to_lifetimes
    from crm_analysis.clv.models.spend import BandedGammaGamma, band_amounts, fit_spend
    from crm_analysis.clv.plans.cash_flow import CashFlow, cash_flow_conventions, cash_flow_value, past_value
    from crm_analysis.clv.plans.contact import StopRule, contact_value, stop_contact
    from crm_analysis.clv.plans.firm_value import BassGrowth, customer_base_value
    from crm_analysis.clv.plans.migration import migration_value, recency_transitions, transition_rates
    from crm_analysis.clv.plans.multiples import (
        FixedLifeError,
        fixed_life_error,
        margin_multiple,
        margin_multiples,
        payment_cases,
    )
    from crm_analysis.clv.plans.pauses import purchase_rates
    from crm_analysis.clv.plans.payback import BreakEven, break_even
    from crm_analysis.clv.plans.referral import referral_matrix, referral_value
    from crm_analysis.clv.plans.retained import continuous_value, retained_value
    from crm_analysis.clv.plans.spending import (
        ResponseCurve,
        SpendingPlan,
        best_spending,
        response_curve,
        spending_curve,
        spending_value,
    )
    from crm_analysis.clv.plans.tornado import sensitivity
    from crm_analysis.clv.views.examples import (
        customer_history,
        example_customers,
        last_silence,
        purchase_days,
    )
    from crm_analysis.clv.views.maps import alive_map, paradox, value_map
    from crm_analysis.clv.worth.beyond_log import value_by_model
    from crm_analysis.clv.worth.equity import RollForward, customer_equity, equity_roll_forward
    from crm_analysis.clv.worth.margin import Margin, firm_margin
    from crm_analysis.clv.worth.new_customer import clv_new
    from crm_analysis.clv.worth.newcomers import NewForecast, forecast_new
    from crm_analysis.clv.worth.scoring import count_amounts, count_histories, score_to_parquet
    from crm_analysis.clv.worth.unlikely import at_stake, unlikely_buyers
    from crm_analysis.clv.worth.value import value_customers

_HOMES = {
    "NO_SEASON": "ahead.season",
    "BandedGammaGamma": "models.spend",
    "BassGrowth": "plans.firm_value",
    "Bdw": "contracts.retention",
    "BgBb": "models.bg_bb",
    "BgNbd": "models.bg_nbd",
    "Bootstrap": "fitting.bootstrap",
    "BreakEven": "plans.payback",
    "CashFlow": "plans.cash_flow",
    "Choice": "ahead.choice",
    "Dependence": "models.dependence",
    "Dw": "contracts.retention",
    "FirmModels": "ahead.kept",
    "Fit": "fitting.fit",
    "FixedLifeError": "plans.multiples",
    "Followed": "ahead.goodness",
    "GammaGamma": "models.gamma_gamma",
    "Geometric": "contracts.retention",
    "HoldoutQuality": "ahead.holdout",
    "LikelihoodRatio": "fitting.nested",
    "LookBack": "ahead.look_back",
    "Margin": "worth.margin",
    "MbgCnbd": "models.mbg_cnbd",
    "MbgNbd": "models.mbg_nbd",
    "Models": "ahead.outlook",
    "Nbd": "models.nbd",
    "NewForecast": "worth.newcomers",
    "OnceOnly": "ahead.once",
    "Origin": "ahead.origins",
    "ParetoNbd": "models.pareto_nbd",
    "PastBias": "ahead.correction",
    "Regularity": "models.regularity",
    "ResponseCurve": "plans.spending",
    "RollForward": "worth.equity",
    "Sbg": "contracts.retention",
    "Season": "ahead.season",
    "SecondOpinion": "models.estimates",
    "Setting": "families",
    "SpendingPlan": "plans.spending",
    "StopRule": "plans.contact",
    "ThreeIntervals": "models.estimates",
    "TotalForecast": "ahead.forecast",
    "WithCovariates": "models.covariates",
    "against_rules": "ahead.choice",
    "alive_map": "views.maps",
    "at_stake": "worth.unlikely",
    "band_amounts": "models.spend",
    "beside_past": "ahead.outlook",
    "best_spending": "plans.spending",
    "break_even": "plans.payback",
    "cash_flow_conventions": "plans.cash_flow",
    "cash_flow_value": "plans.cash_flow",
    "choose_anew": "ahead.kept",
    "choose_model": "ahead.choice",
    "clv_new": "worth.new_customer",
    "cohort_errors": "ahead.cohorts",
    "compare_forecast": "ahead.forecast",
    "compare_renewals": "contracts.contracts",
    "compare_with_lifetimes": "models.second_opinion",
    "contact_value": "plans.contact",
    "continuous_value": "plans.retained",
    "contract_tenures": "contracts.tenures",
    "count_amounts": "worth.scoring",
    "count_histories": "worth.scoring",
    "customer_base_value": "plans.firm_value",
    "customer_equity": "worth.equity",
    "customer_history": "views.examples",
    "daily_repeats": "ahead.goodness",
    "draw_amounts": "ahead.forecast",
    "equity_roll_forward": "worth.equity",
    "errors_by_group": "ahead.cohorts",
    "errors_by_history": "ahead.cohorts",
    "estimate_season": "ahead.seasonality",
    "evaluate_holdout": "ahead.holdout",
    "example_customers": "views.examples",
    "firm_margin": "worth.margin",
    "firm_models": "ahead.kept",
    "fit_bdw": "contracts.retention_fits",
    "fit_bg_bb": "models.bg_bb",
    "fit_bg_nbd": "models.bg_nbd",
    "fit_dw": "contracts.retention_fits",
    "fit_gamma_gamma": "models.gamma_gamma",
    "fit_geometric": "contracts.retention_fits",
    "fit_mbg_cnbd": "models.mbg_cnbd",
    "fit_mbg_nbd": "models.mbg_nbd",
    "fit_models": "ahead.outlook",
    "fit_nbd": "models.nbd",
    "fit_pareto_nbd": "models.pareto_nbd",
    "fit_sbg": "contracts.retention_fits",
    "fit_spend": "models.spend",
    "fit_with_covariates": "models.covariate_fits",
    "fixed_life_error": "plans.multiples",
    "flagged_groups": "ahead.cohorts",
    "follow_firm": "ahead.goodness",
    "forecast_amount": "ahead.forecast",
    "forecast_by_period": "ahead.by_period",
    "forecast_groups": "ahead.outlook",
    "forecast_new": "worth.newcomers",
    "forecast_origins": "ahead.forecast",
    "forecast_total": "ahead.forecast",
    "frequency_and_amount": "models.dependence",
    "frequency_fit": "ahead.goodness",
    "from_lifetimes": "models.second_opinion",
    "given_season": "ahead.season",
    "judge_counts": "ahead.goodness",
    "key_numbers": "ahead.outlook",
    "last_silence": "views.examples",
    "likelihood_ratio": "fitting.nested",
    "log_scores": "ahead.origins",
    "long_value": "ahead.long_run",
    "longest_look_back": "ahead.look_back",
    "look_backs": "ahead.look_back",
    "margin_multiple": "plans.multiples",
    "margin_multiples": "plans.multiples",
    "master_groups": "ahead.cohorts",
    "migration_value": "plans.migration",
    "monthly_repeats": "ahead.seasonality",
    "once_only": "ahead.once",
    "opportunities_of": "models.opportunities",
    "own_range": "ahead.outlook",
    "paradox": "views.maps",
    "parameter_table": "models.estimates",
    "past_bias": "ahead.correction",
    "past_error": "ahead.outlook",
    "past_forecasts": "ahead.outlook",
    "past_value": "plans.cash_flow",
    "payment_cases": "plans.multiples",
    "purchase_days": "views.examples",
    "purchase_rates": "plans.pauses",
    "purchase_regularity": "models.regularity",
    "recency_transitions": "plans.migration",
    "referral_matrix": "plans.referral",
    "referral_value": "plans.referral",
    "response_curve": "plans.spending",
    "retained_value": "plans.retained",
    "revisit": "ahead.origins",
    "rhythm": "models.regularity",
    "roll_forward": "ahead.long_run",
    "score_to_parquet": "worth.scoring",
    "season_finding": "ahead.season",
    "season_of": "ahead.seasonality",
    "sensitivity": "plans.tornado",
    "setting": "families",
    "spending_curve": "plans.spending",
    "spending_value": "plans.spending",
    "stop_contact": "plans.contact",
    "summarise_contracts": "contracts.contracts",
    "summarise_opportunities": "models.opportunities",
    "three_intervals": "models.estimates",
    "to_lifetimes": "models.second_opinion",
    "tracking": "ahead.goodness",
    "tracking_error": "ahead.goodness",
    "transition_rates": "plans.migration",
    "unlikely_buyers": "worth.unlikely",
    "value_by_model": "worth.beyond_log",
    "value_contracts": "contracts.contracts",
    "value_customers": "worth.value",
    "value_groups": "ahead.group_values",
    "value_map": "views.maps",
    "value_total": "ahead.outlook",
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
