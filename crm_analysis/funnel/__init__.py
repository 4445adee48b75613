"""Funnels: counts and rates by stage, the split of the gap between two firms, wins by age.

Names are found when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_analysis.funnel.ageing.by_age import (
        Incidence,
        incidence,
    )
    from crm_analysis.funnel.ageing.cumulative import (
        aalen_johansen,
    )
    from crm_analysis.funnel.ageing.gray import (
        GrayTest,
        gray_test,
    )
    from crm_analysis.funnel.ageing.horizons import (
        won_within,
    )
    from crm_analysis.funnel.ageing.late_start import (
        Truncation,
        truncation,
    )
    from crm_analysis.funnel.ageing.maturity import (
        maturity_window,
    )
    from crm_analysis.funnel.ageing.open_deals import (
        OpenForecast,
        forecast_open,
    )
    from crm_analysis.funnel.ageing.past_forecasts import (
        OpenBacktest,
        backtest_open,
    )
    from crm_analysis.funnel.ageing.same_period import (
        WonInPeriod,
        won_in_period,
    )
    from crm_analysis.funnel.ageing.speeds import (
        Speed,
        compare_speed,
    )
    from crm_analysis.funnel.ageing.waits import (
        days_to_win,
    )
    from crm_analysis.funnel.comparing.changes import (
        what_if,
    )
    from crm_analysis.funnel.comparing.gap import (
        Gap,
    )
    from crm_analysis.funnel.comparing.robustness import (
        Robustness,
        leave_out,
    )
    from crm_analysis.funnel.comparing.segments import (
        Mix,
        mix,
    )
    from crm_analysis.funnel.comparing.several import (
        Several,
        compare_several,
    )
    from crm_analysis.funnel.comparing.two_firms import (
        compare,
    )
    from crm_analysis.funnel.counting.breakdowns import (
        attribute,
        breakdown_table,
        cohort_table,
    )
    from crm_analysis.funnel.counting.counts import (
        StageCounts,
        side_by_side,
        transitions,
    )
    from crm_analysis.funnel.counting.event_counts import (
        count_events,
    )
    from crm_analysis.funnel.counting.event_times import (
        step_times,
    )
    from crm_analysis.funnel.counting.merging import (
        merge_stages,
    )
    from crm_analysis.funnel.counting.other_rules import (
        sensitivity,
    )
    from crm_analysis.funnel.counting.stage_history import (
        count_stages,
        count_wins,
    )
    from crm_analysis.funnel.counting.trends import (
        conversion_trend,
    )
    from crm_analysis.funnel.hygiene.departures import (
        departed_owners,
        owner_gaps,
    )
    from crm_analysis.funnel.hygiene.duplicates import (
        Duplicates,
        duplicate_opportunities,
        several_owners,
    )
    from crm_analysis.funnel.hygiene.hanging import (
        OwnerRisk,
        owner_risk,
    )
    from crm_analysis.funnel.hygiene.idling import (
        unanswered,
    )
    from crm_analysis.funnel.hygiene.pestering import (
        ContactHygiene,
        contact_hygiene,
    )
    from crm_analysis.funnel.pipeline.absorbing import (
        AbsorbingChain,
        absorbing_chain,
    )
    from crm_analysis.funnel.pipeline.factor_split import (
        split_velocity,
    )
    from crm_analysis.funnel.pipeline.factors import (
        Velocity,
        velocity,
    )
    from crm_analysis.funnel.pipeline.flows import (
        flow_check,
    )
    from crm_analysis.funnel.pipeline.lingering import (
        age_classes,
        aged,
    )
    from crm_analysis.funnel.pipeline.losses import (
        LostReasons,
        compare_lost_reasons,
        lost_reasons,
    )
    from crm_analysis.funnel.pipeline.moving import (
        StageChain,
        stage_chain,
    )
    from crm_analysis.funnel.pipeline.nurturing import (
        Nurture,
        nurture,
    )
    from crm_analysis.funnel.pipeline.slipping import (
        Slipped,
        slipped,
    )
    from crm_analysis.funnel.pipeline.spending import (
        source_returns,
    )
    from crm_analysis.funnel.pipeline.staying import (
        time_in_stages,
    )
    from crm_analysis.funnel.pipeline.winning import (
        win_rates,
    )
    from crm_analysis.funnel.telling.comparisons import (
        Comparison,
        compare_firms,
    )
    from crm_analysis.funnel.telling.defects import (
        departed,
        found_first,
    )
    from crm_analysis.funnel.telling.findings import (
        finding,
    )
    from crm_analysis.funnel.telling.formats import (
        FORMATS,
        IN_UNIT,
    )
    from crm_analysis.funnel.telling.hinting import (
        hints,
        opposed,
    )
    from crm_analysis.funnel.telling.investments import (
        SameInvestment,
        same_investment,
    )
    from crm_analysis.funnel.telling.losing import (
        reasons_of_loss,
    )
    from crm_analysis.funnel.telling.many_firms import (
        beside_others,
    )
    from crm_analysis.funnel.telling.paces import (
        paces_table,
        velocities,
        velocity_table,
        wins_in_time,
    )
    from crm_analysis.funnel.telling.pipelines_ahead import (
        forecast_firms,
    )
    from crm_analysis.funnel.telling.stage_tables import (
        firms_table,
        gap_table,
        mix_table,
        opposed_rates,
        parts_of_gap,
        rates_by_segment,
        split_depends,
        tested_rates,
    )
    from crm_analysis.funnel.telling.worklists import (
        reasons_found,
        work_list,
        work_lists,
    )
    from crm_analysis.rates import (
        benjamini_hochberg,
        clopper_pearson,
        holm,
        newcombe,
        p_greater,
        ratio_interval,
        sample_size,
        score_test,
        smallest_visible_difference,
        wilson,
    )

_HOMES = {
    "AbsorbingChain": "funnel.pipeline.absorbing",
    "Comparison": "funnel.telling.comparisons",
    "ContactHygiene": "funnel.hygiene.pestering",
    "Duplicates": "funnel.hygiene.duplicates",
    "FORMATS": "funnel.telling.formats",
    "Gap": "funnel.comparing.gap",
    "GrayTest": "funnel.ageing.gray",
    "IN_UNIT": "funnel.telling.formats",
    "Incidence": "funnel.ageing.by_age",
    "LostReasons": "funnel.pipeline.losses",
    "Mix": "funnel.comparing.segments",
    "Nurture": "funnel.pipeline.nurturing",
    "OpenBacktest": "funnel.ageing.past_forecasts",
    "OpenForecast": "funnel.ageing.open_deals",
    "OwnerRisk": "funnel.hygiene.hanging",
    "Robustness": "funnel.comparing.robustness",
    "SameInvestment": "funnel.telling.investments",
    "Several": "funnel.comparing.several",
    "Slipped": "funnel.pipeline.slipping",
    "Speed": "funnel.ageing.speeds",
    "StageChain": "funnel.pipeline.moving",
    "StageCounts": "funnel.counting.counts",
    "Truncation": "funnel.ageing.late_start",
    "Velocity": "funnel.pipeline.factors",
    "WonInPeriod": "funnel.ageing.same_period",
    "aalen_johansen": "funnel.ageing.cumulative",
    "absorbing_chain": "funnel.pipeline.absorbing",
    "age_classes": "funnel.pipeline.lingering",
    "aged": "funnel.pipeline.lingering",
    "attribute": "funnel.counting.breakdowns",
    "backtest_open": "funnel.ageing.past_forecasts",
    "benjamini_hochberg": "rates",
    "beside_others": "funnel.telling.many_firms",
    "breakdown_table": "funnel.counting.breakdowns",
    "clopper_pearson": "rates",
    "cohort_table": "funnel.counting.breakdowns",
    "compare": "funnel.comparing.two_firms",
    "compare_firms": "funnel.telling.comparisons",
    "compare_lost_reasons": "funnel.pipeline.losses",
    "compare_several": "funnel.comparing.several",
    "compare_speed": "funnel.ageing.speeds",
    "contact_hygiene": "funnel.hygiene.pestering",
    "conversion_trend": "funnel.counting.trends",
    "count_events": "funnel.counting.event_counts",
    "count_stages": "funnel.counting.stage_history",
    "count_wins": "funnel.counting.stage_history",
    "days_to_win": "funnel.ageing.waits",
    "departed": "funnel.telling.defects",
    "departed_owners": "funnel.hygiene.departures",
    "duplicate_opportunities": "funnel.hygiene.duplicates",
    "finding": "funnel.telling.findings",
    "firms_table": "funnel.telling.stage_tables",
    "flow_check": "funnel.pipeline.flows",
    "forecast_firms": "funnel.telling.pipelines_ahead",
    "forecast_open": "funnel.ageing.open_deals",
    "found_first": "funnel.telling.defects",
    "gap_table": "funnel.telling.stage_tables",
    "gray_test": "funnel.ageing.gray",
    "hints": "funnel.telling.hinting",
    "holm": "rates",
    "incidence": "funnel.ageing.by_age",
    "leave_out": "funnel.comparing.robustness",
    "lost_reasons": "funnel.pipeline.losses",
    "maturity_window": "funnel.ageing.maturity",
    "merge_stages": "funnel.counting.merging",
    "mix": "funnel.comparing.segments",
    "mix_table": "funnel.telling.stage_tables",
    "newcombe": "rates",
    "nurture": "funnel.pipeline.nurturing",
    "opposed": "funnel.telling.hinting",
    "opposed_rates": "funnel.telling.stage_tables",
    "owner_gaps": "funnel.hygiene.departures",
    "owner_risk": "funnel.hygiene.hanging",
    "p_greater": "rates",
    "paces_table": "funnel.telling.paces",
    "parts_of_gap": "funnel.telling.stage_tables",
    "rates_by_segment": "funnel.telling.stage_tables",
    "ratio_interval": "rates",
    "reasons_found": "funnel.telling.worklists",
    "reasons_of_loss": "funnel.telling.losing",
    "same_investment": "funnel.telling.investments",
    "sample_size": "rates",
    "score_test": "rates",
    "sensitivity": "funnel.counting.other_rules",
    "several_owners": "funnel.hygiene.duplicates",
    "side_by_side": "funnel.counting.counts",
    "slipped": "funnel.pipeline.slipping",
    "smallest_visible_difference": "rates",
    "source_returns": "funnel.pipeline.spending",
    "split_depends": "funnel.telling.stage_tables",
    "split_velocity": "funnel.pipeline.factor_split",
    "stage_chain": "funnel.pipeline.moving",
    "step_times": "funnel.counting.event_times",
    "tested_rates": "funnel.telling.stage_tables",
    "time_in_stages": "funnel.pipeline.staying",
    "transitions": "funnel.counting.counts",
    "truncation": "funnel.ageing.late_start",
    "unanswered": "funnel.hygiene.idling",
    "velocities": "funnel.telling.paces",
    "velocity": "funnel.pipeline.factors",
    "velocity_table": "funnel.telling.paces",
    "what_if": "funnel.comparing.changes",
    "wilson": "rates",
    "win_rates": "funnel.pipeline.winning",
    "wins_in_time": "funnel.telling.paces",
    "won_in_period": "funnel.ageing.same_period",
    "won_within": "funnel.ageing.horizons",
    "work_list": "funnel.telling.worklists",
    "work_lists": "funnel.telling.worklists",
}

__all__ = [
    "FORMATS",
    "IN_UNIT",
    "AbsorbingChain",
    "Comparison",
    "ContactHygiene",
    "Duplicates",
    "Gap",
    "GrayTest",
    "Incidence",
    "LostReasons",
    "Mix",
    "Nurture",
    "OpenBacktest",
    "OpenForecast",
    "OwnerRisk",
    "Robustness",
    "SameInvestment",
    "Several",
    "Slipped",
    "Speed",
    "StageChain",
    "StageCounts",
    "Truncation",
    "Velocity",
    "WonInPeriod",
    "aalen_johansen",
    "absorbing_chain",
    "age_classes",
    "aged",
    "attribute",
    "backtest_open",
    "benjamini_hochberg",
    "beside_others",
    "breakdown_table",
    "clopper_pearson",
    "cohort_table",
    "compare",
    "compare_firms",
    "compare_lost_reasons",
    "compare_several",
    "compare_speed",
    "contact_hygiene",
    "conversion_trend",
    "count_events",
    "count_stages",
    "count_wins",
    "days_to_win",
    "departed",
    "departed_owners",
    "duplicate_opportunities",
    "finding",
    "firms_table",
    "flow_check",
    "forecast_firms",
    "forecast_open",
    "found_first",
    "gap_table",
    "gray_test",
    "hints",
    "holm",
    "incidence",
    "leave_out",
    "lost_reasons",
    "maturity_window",
    "merge_stages",
    "mix",
    "mix_table",
    "newcombe",
    "nurture",
    "opposed",
    "opposed_rates",
    "owner_gaps",
    "owner_risk",
    "p_greater",
    "paces_table",
    "parts_of_gap",
    "rates_by_segment",
    "ratio_interval",
    "reasons_found",
    "reasons_of_loss",
    "same_investment",
    "sample_size",
    "score_test",
    "sensitivity",
    "several_owners",
    "side_by_side",
    "slipped",
    "smallest_visible_difference",
    "source_returns",
    "split_depends",
    "split_velocity",
    "stage_chain",
    "step_times",
    "tested_rates",
    "time_in_stages",
    "transitions",
    "truncation",
    "unanswered",
    "velocities",
    "velocity",
    "velocity_table",
    "what_if",
    "wilson",
    "win_rates",
    "wins_in_time",
    "won_in_period",
    "won_within",
    "work_list",
    "work_lists",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"crm_analysis.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {__all__}")


def __dir__() -> list[str]:
    return __all__
