"""Rows that an export added: totals, which would count every sale twice."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

import ibis.expr.types as ir

from crm_analysis.doors.schema import PLACES

WORDS = (
    "total", "totals", "grand total", "grandtotal", "sub total", "sub-total", "subtotal", "subtotals",
    "total amount", "total sales", "overall total", "sum", "summe", "gesamt", "gesamtsumme", "insgesamt",
    "zwischensumme", "endsumme", "suma", "total general", "total général", "sous-total", "totale",
    "合计", "总计", "小计", "总和", "共计", "累计", "总额", "本页合计", "合計", "總計", "小計",
)  # fmt: skip


def is_total(table: ir.Table, undated: Any) -> Any:
    """Rows without a date, one of whose texts says that they are a total; NULL counts as no.

    A customer called Total, who bought on some day, is a customer.
    """
    texts = [table[name] for name in table.columns if table[name].type().is_string() and name not in PLACES]
    says = [text.strip().lower().re_replace(r"\s*[:：]$", "").isin(WORDS).fill_null(False) for text in texts]
    return undated & reduce(or_, says) if says else None
