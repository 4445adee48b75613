"""A sales pipeline proposed: its shape, its stages and its columns."""

from __future__ import annotations

import datetime as dt

from crm_analysis.doors.proposal import toml
from crm_analysis.doors.proposal.deal_columns import ROLES
from crm_analysis.doors.proposal.deal_shape import Recognised, recognise_shape
from crm_analysis.doors.proposal.deal_stages import Order, order_stages
from crm_analysis.doors.proposal.looks import Looked
from crm_analysis.doors.proposal.part import column_lines, settled_lines

NEEDED = {
    "history": ("opportunity_id", "stage", "entered_at"),
    "stage dates": ("opportunity_id",),
    "current stage": ("opportunity_id", "stage", "created_at"),
    "snapshots": ("opportunity_id", "stage"),
}


def looks_like_deals(table: Looked) -> bool:
    """Whether the columns have the names of a sales pipeline: an opportunity, its stage or their dates."""
    who, stage = (next(role for role in ROLES if role.name == name) for name in ("opportunity_id", "stage"))
    if not any(who.tier_of(name) is not None for name in table.names):
        return False
    found = recognise_shape(table)
    by_field = bool(found.only)
    named = any(stage.tier_of(name) is not None for name in table.names) and "stage" in found.columns
    return by_field or named or len(found.stages) > 2


def propose_deals(table: Looked) -> list[str]:
    """Lines of `[firms.a.pipeline]` below its source: shape, stages, snapshot, columns."""
    found = recognise_shape(table)
    order = order_stages(table, found)
    shown = {
        name: choice
        for name, choice in found.choices.items()
        if choice.chosen or choice.others or name in NEEDED[found.shape]
    }
    return [
        toml.line("shape", found.shape, f"confirm: {found.why}"),
        *_stage_lines(order),
        *_pipeline_lines(table, found),
        *[toml.line("only", dict(found.only), "confirm: the rows that are meant") for _ in found.only],
        toml.with_note(f"# snapshot_at = {_last_day(table, found)}", "confirm: the day of the export"),
        *settled_lines(table, shown),
        "[firms.a.pipeline.columns]",
        *column_lines(table, shown),
        *_dated_lines(found, order),
        *_missing(table, found),
        *[
            toml.comment(f"for {name}: column {sentence}")
            for name, choice in found.choices.items()
            if name not in shown
            for sentence in choice.rejected
        ],
    ]


def _stage_lines(order: Order) -> list[str]:
    return [
        toml.open_line("stages", order.stages, f"confirm: their order, {order.why}; the won one last"),
        toml.open_line("lost", order.lost, "confirm: the stages that mean lost"),
        *[toml.comment(f"confirm: {doubt}") for doubt in order.doubts],
    ]


def _pipeline_lines(table: Looked, found: Recognised) -> list[str]:
    """Which pipeline is meant, where there are several."""
    column = found.columns.get("pipeline")
    there = [text for text, _ in table.all_values(column)] if column else []
    several = there if len(there) > 1 else list(found.pipelines) if len(found.pipelines) > 1 else []
    if not several:
        return []
    first = found.pipeline if found.pipeline in several else several[0]
    note = f"confirm: the one that is meant, of {several[:10]}"
    return [toml.open_line("pipeline", str(first), note)]


def _dated_lines(found: Recognised, order: Order) -> list[str]:
    """Column of each stage, in the order of the stages."""
    if not found.stages:
        return []
    names = [name for name in (*order.stages, *order.lost) if name in found.stages]
    pairs = ", ".join(f"{toml.quoted(name)} = {toml.quoted(found.stages[name])}" for name in names)
    return [f"stages = {{ {pairs} }}"]


def _missing(table: Looked, found: Recognised) -> list[str]:
    """What the shape needs and no column is called like."""
    columns = found.columns
    lacking = [name for name in NEEDED[found.shape] if name not in columns and name not in found.choices]
    if found.shape == "current stage" and not {"closed_at", "won_at", "lost_at"} & set(columns):
        lacking.append("closed_at")
    return [
        toml.comment(f"confirm: no column looks like {name}; columns: {table.names[:40]}") for name in lacking
    ]


def _last_day(table: Looked, found: Recognised) -> dt.date | str:
    """Last day seen, of times that cannot lie in the future."""
    names = [found.columns[name] for name in ("entered_at", "snapshot_on", "created_at", "won_at", "lost_at")
             if name in found.columns]  # fmt: skip
    fits = [table.whole_fit(name, "time") for name in (*names, *found.stages.values())]
    days = [fit.high for fit in fits if fit.high is not None and not fit.choices]
    return f"{max(days):%Y-%m-%d}" if days else "2025-12-31"
