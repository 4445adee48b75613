"""Opportunities that may be one and the same: their ids differ only in case, blanks or length."""

from __future__ import annotations

from typing import Any

import ibis.expr.types as ir

from crm_analysis.doors.shapes import stripped
from crm_analysis.doors.verdict import Defect

# Salesforce writes an id with 15 characters, in which case counts, or with 3 more, in which it does not.
SHORT, LONG = 15, 18
BIAS = "opportunities are too many, and the steps of one are cut in two: wins and stage rates lean low"


def find_twins(deals: ir.Table, *, name: str) -> list[Defect]:
    """Flag opportunities whose ids may be two spellings of one."""
    ids = deals.select("opportunity_id", length=deals.opportunity_id.length())
    coded = ids.filter(ids.opportunity_id.re_search("^[0-9A-Za-z]+$"))
    short = coded.filter(coded.length == SHORT)
    long = coded.filter(coded.length == LONG)
    short, long = (t.mutate(spelling=t.opportunity_id.left(SHORT)) for t in (short, long))
    others = ids.filter(ids.length != SHORT)
    others = others.mutate(spelling=stripped(others.opportunity_id).lower())
    return [
        *_defect(
            short.union(long),
            name,
            "ids with 15 and 18 characters",
            "differ only in the 3 characters at the end with which Salesforce makes 15 into 18: one record, "
            "twice; export all ids in one length",
        ),
        *_defect(
            others,
            name,
            "ids that differ in case",
            "differ only in case or blanks; they count as different opportunities: put them right in the "
            "source if they are one",
        ),
    ]


def _defect(ids: ir.Table, name: str, what: str, found: str) -> list[Defect]:
    """Defect of the ids of which several have one spelling."""
    spellings = ids.group_by("spelling").agg(n=ids.count(), first=ids.opportunity_id.min(),
                                             last=ids.opportunity_id.max())  # fmt: skip
    several = spellings.filter(spellings.n > 1)
    row: dict[str, Any] = several.agg(n=several.n.sum()).to_pyarrow().to_pylist()[0]
    n = int(row["n"] or 0)
    if not n:
        return []
    some = several.order_by("spelling").limit(3).to_pyarrow().to_pylist()
    return [
        Defect(
            what,
            "flag",
            f"{name}: {n:,} opportunities have ids that {found}",
            n,
            examples=tuple(f"{row['first']!r} and {row['last']!r}" for row in some),
            bias=BIAS,
        )
    ]
