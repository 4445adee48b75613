"""A sales pipeline proposed: its shape, its stages and its columns."""

from __future__ import annotations

from crm_analysis.doors.proposal import toml
from crm_analysis.doors.proposal.looks import Looked
from crm_analysis.doors.proposal.names import plain

NAMES = {
    "opportunity_id": ("opportunityid", "opportunity", "dealid", "deal", "id", "商机编号", "商机"),
    "stage": ("stage", "dealstage", "stagename", "阶段"),
    "entered_at": ("enteredat", "entered", "stagedate", "changedat", "date", "modifiedat", "日期",
                   "进入时间"),
    "owner": ("owner", "ownername", "salesperson", "rep", "负责人"),
    "amount": ("amount", "value", "dealvalue", "金额"),
}  # fmt: skip


def looks_like_deals(table: Looked) -> bool:
    """Whether the columns have the names of a sales pipeline: an opportunity and its stage."""
    found = _named(table)
    return {"opportunity_id", "stage"} <= set(found)


def propose_deals(table: Looked) -> list[str]:
    """Lines of `[firms.a.pipeline]` below its source: shape, stages, snapshot, columns."""
    columns = _named(table)
    who, stage = columns.get("opportunity_id"), columns.get("stage")
    repeated = who is not None and not table.look(who).near_unique
    stages = [text for text, _ in table.all_values(stage)] if stage else []
    shape = toml.line("shape", "history" if repeated else "current stage")
    missing = [role for role in ("opportunity_id", "stage") if role not in columns]
    return [
        f"# {shape}   # confirm: history, stage dates, current stage or snapshots",
        "# confirm: stages in their order, without the lost ones, the won one last",
        f"# {toml.line('stages', stages)}",
        '# lost = ["Lost"]                  # confirm: the stages that mean lost',
        "# snapshot_at = 2025-12-31         # confirm: the day of the export",
        f"columns = {toml.value(columns)}",
        *[toml.comment(f"confirm: no column looks like {role}; columns: {table.names}") for role in missing],
    ]


def _named(table: Looked) -> dict[str, str]:
    """Column for each role whose usual names it bears; the more usual name wins."""
    there = {plain(name): name for name in table.names}
    found = {role: next((there[n] for n in names if n in there), None) for role, names in NAMES.items()}
    return {role: column for role, column in found.items() if column is not None}
