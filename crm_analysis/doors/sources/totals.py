"""Rows that an export added: totals, which would count every sale twice."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import reduce
from operator import and_, or_
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.schema import PLACES

WORDS = (
    "total", "totals", "grand total", "grandtotal", "sub total", "sub-total", "subtotal", "subtotals",
    "total amount", "total sales", "overall total", "sum", "summe", "gesamt", "gesamtsumme", "insgesamt",
    "zwischensumme", "endsumme", "suma", "total general", "total général", "sous-total", "totale",
    "合计", "总计", "小计", "总和", "共计", "累计", "总额", "本页合计", "合計", "總計", "小計",
)  # fmt: skip
# Totals with a date are looked for where totals stand: in the last rows of a source.
N_LAST = 5


def is_total(table: ir.Table, undated: Any) -> Any:
    """Rows without a date, one of whose texts says that they are a total; NULL counts as no."""
    texts = [table[name] for name in table.columns if table[name].type().is_string() and name not in PLACES]
    return undated & reduce(or_, map(_says_total, texts)) if texts else None


def is_dated_total(table: ir.Table, ids: Sequence[Any], amount: Any, others: Any, n_rows: int) -> Any:
    """Rows with a date that are called a total and add up; None where there are none.

    One of their ids is a word for a total, the others are empty, and the amount is the sum of all other rows
    or, where the last row is such a row, that since the row before it that is one. A customer called Total
    whose purchases add up to nothing is a customer.

    Parameters
    ----------
    ids : mapped columns of ids, as text.     others : rows that are totals without a date; None for none.
    n_rows : rows of the table.
    """
    named = named_total(ids)
    totals = named
    if others is not None:
        named, totals = named & ~others, named | others
    last = ends_with(table, ibis.struct({"named": named, "total": totals}), n_rows)
    if not any(row["named"] for row in last):
        return None
    counts = ~named if others is None else ~named & ~others
    found, everything = _called_totals(table, named, amount, counts)
    if found and last[-1]["total"] and _add_up(found, everything):
        return named
    sum_of_all = _one_of_all(found, everything, n_rows)
    return None if sum_of_all is None else named & (amount == sum_of_all)


def named_total(ids: Sequence[Any]) -> Any:
    """Rows of whose ids one is a word for a total, and the others are empty."""
    return reduce(
        or_,
        (
            reduce(and_, (other.isnull() for other in ids if other is not name), _says_total(name))
            for name in ids
        ),
    )


def ends_with(table: ir.Table, what: Any, n_rows: int) -> list[Any]:
    """Value of an expression in each of the last rows; costs nothing."""
    last = table.select(found=what).limit(N_LAST, offset=max(0, n_rows - N_LAST))
    return [row["found"] for row in last.to_pyarrow().to_pylist()]


def _says_total(text: Any) -> Any:
    return text.strip().lower().re_replace(r"\s*[:：]$", "").isin(WORDS).fill_null(False)


def _called_totals(
    table: ir.Table, named: Any, amount: Any, counts: Any
) -> tuple[list[dict[str, Any]], Decimal]:
    """Rows called a total, each with the sum of the rows before it that count; and the sum of all these."""
    sold = ibis.coalesce(counts.ifelse(amount, None), 0)
    rows = table.select(named=named, amount=amount, sold=sold, i=ibis.row_number())
    rows = rows.mutate(before=rows.sold.cumsum())
    found = rows.filter(rows.named & rows.amount.notnull()).order_by("i").to_pyarrow().to_pylist()
    return found, rows.sold.sum().to_pyarrow().as_py()


def _add_up(found: list[dict[str, Any]], everything: Decimal) -> bool:
    """Whether each is a sum of the rows since the one before it, of all before it, or of all."""
    starts = [0, *(row["before"] for row in found)]
    return all(
        row["amount"] in (everything, row["before"], row["before"] - start)
        for row, start in zip(found, starts, strict=False)
    )


def _one_of_all(found: list[dict[str, Any]], everything: Decimal, n_rows: int) -> Decimal | None:
    """Amount of the one among the last rows that is the sum of all others, also of others called a total."""
    amounts = [row["amount"] for row in found]
    twice = everything + sum(amounts)
    last = [row["amount"] for row in found if row["i"] >= n_rows - N_LAST]
    return next((one for one in last if 2 * one == twice and amounts.count(one) == 1), None)
