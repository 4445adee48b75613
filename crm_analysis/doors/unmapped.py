"""A column of currencies that is not mapped: amounts in several of them must not be summed as one."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.rates import code
from crm_analysis.doors.schema import TOTAL, is_missing
from crm_analysis.doors.shapes import MISSING
from crm_analysis.doors.sources import SourceTable
from crm_analysis.doors.values.number_shapes import SIGNS
from crm_analysis.doors.verdict import Defect

_USUAL = """
    currency currencycode currencyisocode isocurrency currencysymbol ordercurrency transactioncurrency
    invoicecurrency documentcurrency ccy curr waers waerk wahrung waehrung wahrungscode moneda
    codigodemoneda tipodemoneda divisa devise codedevise valuta moeda waluta 币种 币别 货币 货币代码
    货币单位 幣種 幣別 通貨
"""
NAMES = frozenset(_USUAL.split())
# Spellings beyond which a column holds more than currencies.
MOST = 40
SAME = {"RMB": "CNY"}
_SIGNS = {code(sign): currency for sign, currency in SIGNS.items()}


def with_unmapped_currencies(read: SourceTable, first: dt.date, last: dt.date) -> SourceTable:
    """Return the log, refused where a column called currency that is not mapped names several of them."""
    if "currency" in read.table.columns:
        return read
    named = [name for name in read.table.columns if name.startswith("source:") and _is_named_so(name[7:])]
    found = [_refused(read, name, _found(read.table, name, first, last)) for name in named]
    return replace(read, notes=(*read.notes, *filter(None, found)))


def _is_named_so(name: str) -> bool:
    text = unicodedata.normalize("NFKD", name).casefold()
    return unicodedata.normalize("NFC", "".join(re.findall(r"[^\W_]", text))) in NAMES


def _found(table: ir.Table, name: str, first: dt.date, last: dt.date) -> list[dict[str, Any]]:
    """Spellings with the rows and the money of the days observed; none where there are too many."""
    if not table[name].type().is_string():
        return []
    counts = table.occurred_at.date().between(first, last) & ~is_missing("amount")(table)
    if TOTAL in table.columns:
        counts = counts & ~table[TOTAL]
    rows = table.filter(counts)
    groups = rows.group_by(spelling=rows[name]).agg(n=rows.count(), amount=rows.amount.sum())
    spellings = groups.order_by(ibis.desc("n"), "spelling").limit(MOST + 1).to_pyarrow().to_pylist()
    said = [row for row in spellings if (row["spelling"] or "").strip() not in MISSING]
    return said if len(spellings) <= MOST else []


def _refused(read: SourceTable, name: str, spellings: list[dict[str, Any]]) -> Defect | None:
    """Refusal of several currencies; None of one, and of what are no currencies."""
    codes = [code(row["spelling"]) for row in spellings]
    if not all(re.fullmatch("[A-Z]{3}", each) or each in _SIGNS for each in codes):
        return None
    rows, money = Counter[str](), dict[str, Decimal]()
    for row, each in zip(spellings, codes, strict=True):
        currency = _currency(each, codes)
        rows[currency] += row["n"]
        money[currency] = money.get(currency, Decimal(0)) + row["amount"]
    if len(rows) < 2:
        return None
    told = ", ".join(f"{each} {n:,} rows {money[each]:,.2f}" for each, n in rows.most_common())
    column = name.removeprefix("source:")
    sentence = (
        f"{read.place}: column {column!r} names several currencies ({told}), and the amounts would be summed "
        f'as one; map currency (columns = {{ currency = "{column}" }}) and set rates, or, if the amounts are '
        "in one currency already, leave that column out of the export"
    )
    return Defect("several currencies", "refuse", sentence)


def _currency(spelled: str, codes: list[str]) -> str:
    """One name for a currency: a sign counts as the code beside it that it may stand for."""
    spelled = SAME.get(spelled, spelled)
    if re.fullmatch("[A-Z]{3}", spelled):
        return spelled
    same = sorted(
        SAME.get(c, c) for c in codes if len(c) == 3 and c.isalpha() and _SIGNS.get(c) == _SIGNS[spelled]
    )
    return same[0] if same else _SIGNS[spelled]
