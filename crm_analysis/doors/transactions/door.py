"""Purchase logs: every row kept, or set aside under a counted reason; then merged per order and day.

What counts: a purchase needs at least one line that is no refund; an order of refunds alone takes its money
off the customer's total and is no purchase. Refunds of an order are netted on the day of the order, where
they carry its `order_id`; else they stand on their own day. A purchase for nothing is a purchase.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from crm_analysis.doors import control as ledgers
from crm_analysis.doors.currency import Conversion, in_one_currency, rates_of
from crm_analysis.doors.sources import read_table
from crm_analysis.doors.transactions.begins import acquired, with_burn_in
from crm_analysis.doors.transactions.checks import check_lines
from crm_analysis.doors.transactions.columns import SCHEMA
from crm_analysis.doors.transactions.log import Transactions, as_date
from crm_analysis.doors.transactions.look import LookedThrough, look_through
from crm_analysis.doors.transactions.policies import Policies
from crm_analysis.doors.unmapped import with_unmapped_currencies
from crm_analysis.doors.verdict import Verdict
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.workspace import Calendar


def read_transactions(
    source: Any,
    *,
    columns: Mapping[str, Any],
    observed_from: dt.date | str,
    observed_until: dt.date | str,
    **options: Any,
) -> Transactions:
    """Check a purchase log, merge it per order and day.

    Parameters
    ----------
    source : path, "package:NAME/path/inside", "env:VARIABLE", DataFrame or Ibis table.
    columns : canonical name -> name in the source; amount may be {"quantity": ..., "unit_price": ...}.
    observed_from, observed_until : first and last whole day observed, local business time.
    options : policies (see `Policies`), `engine`, and what the source does not prove (`sources.Options`).

    Raises
    ------
    DataError
        Carrying the verdict: what cannot be read, or read in one way only; too many rows set aside; totals
        that differ from the ledger's.

    Examples
    --------
    >>> read_transactions("orders.csv", observed_from="2010-12-01", observed_until="2011-12-09",
    ...     columns={"customer_id": "Customer ID", "occurred_at": "InvoiceDate", "amount": "Amount"})
    """
    log = _check(source, columns, observed_from, observed_until, options)
    log.verdict.raise_if_refused()
    return log


def check_transactions(
    source: Any,
    *,
    columns: Mapping[str, Any],
    observed_from: dt.date | str,
    observed_until: dt.date | str,
    **options: Any,
) -> Verdict:
    """Return the verdict of `read_transactions`, without raising it."""
    try:
        return _check(source, columns, observed_from, observed_until, options).verdict
    except DataError as error:
        if error.verdict is None:
            raise
        return error.verdict


def _check(
    source: Any, columns: Mapping[str, Any], first: Any, last: Any, options: dict[str, Any]
) -> Transactions:
    start, end = as_date(first, "observed_from"), as_date(last, "observed_until")
    if end < start:
        raise ConfigError(f"transactions: observed_until {end} lies before observed_from {start}")
    names = Policies.__dataclass_fields__
    policies = Policies(**{k: v for k, v in options.items() if k in names})
    reading = {k: v for k, v in options.items() if k not in names}
    read = in_one_currency(
        read_table(source, SCHEMA, columns=columns, **reading), _conversion(policies, start, end, reading)
    )
    read = with_unmapped_currencies(read, start, end)
    checked = check_lines(read.table, policies, start, end, name=read.place, columns=columns)
    looked = look_through(checked, policies, start, end, name=read.place)
    checked, lines = looked.checked, looked.lines
    log = Transactions(
        lines=lines,
        merged=lines,
        observed_from=start,
        observed_until=end,
        verdict=read.judged(checked.verdict),
        set_aside=checked.set_aside,
        set_aside_rows=checked.set_aside_rows,
        n_rows_in=checked.n_rows_in,
        refunds=policies.refunds,
        part_deliveries=policies.part_deliveries,
        acquired=acquired(policies.customers, lines.get_backend()),
    ).on_lines(lines)
    log = with_burn_in(log, policies, looked.people, read.place)
    return _with_control(replace(log, verdict=_with_reading(log.verdict, looked)), policies, reading)


def _with_reading(verdict: Verdict, looked: LookedThrough) -> Verdict:
    return replace(verdict, reading=(*verdict.reading, *looked.reading))


def _conversion(policies: Policies, start: dt.date, end: dt.date, reading: dict[str, Any]) -> Conversion:
    return Conversion(
        own=policies.currency,
        rates=rates_of(policies.rates, policies.currency, reading),
        missing=policies.missing_currency,
        first=start,
        last=end,
    )


def _with_control(log: Transactions, policies: Policies, reading: dict[str, Any]) -> Transactions:
    if policies.control is None:
        return log
    found = ledgers.compare(
        log,
        policies.control,
        calendar=policies.calendar or Calendar(),
        folder=reading.get("folder", "."),
        engine=reading.get("engine"),
        clocks=ledgers.Clocks(reading.get("timezone"), reading.get("source_timezone")),
        currency=policies.currency,
    )
    verdict = log.verdict.with_defects(found.defects)
    verdict = replace(verdict, reading=(*verdict.reading, *found.reading))
    return replace(log, control=found.table, control_reasons=found.reasons, verdict=verdict)
