"""Amounts of a log in one currency: converted at stated rates, or refused where they are in several."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from crm_analysis.doors.rates import DECIMALS, Rates, code, read_rates, without_a_rate
from crm_analysis.doors.schema import Check, as_view, is_missing, is_ours
from crm_analysis.doors.sources import SourceTable
from crm_analysis.doors.values import MONEY
from crm_analysis.doors.verdict import Defect
from crm_analysis.errors import ConfigError
from crm_analysis.workspace import RatesSource

Missing = Literal["set aside", "own"]
MONIES = ("amount", "unit_price", "unit_cost", "discount")
MISSING = Check(
    "currency missing",
    "set aside",
    is_missing("currency"),
    'name no currency; set missing_currency = "own" if they are in the currency of the workspace',
    bias="purchases and revenue are biased down",
    shows=("customer_id", "occurred_on"),
)


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What the caller says about currencies.

    own : the currency that all amounts shall be in; None where that is not said.
    rates : into it.     missing : "own" takes rows without a currency to be in it.
    first, last : days within which a row needs a rate.
    """

    own: str | None = None
    rates: Rates | None = None
    missing: Missing = "set aside"
    first: dt.date
    last: dt.date

    def __post_init__(self) -> None:
        if self.missing not in ("set aside", "own"):
            raise ConfigError(
                f"transactions: missing_currency = {self.missing!r}: 'set aside' or 'own' was expected"
            )
        if self.missing == "own" and self.own is None:
            raise ConfigError("transactions: missing_currency = 'own' needs currency, such as 'CNY'")


def rates_of(given: Any, own: str | None, options: dict[str, Any]) -> Rates | None:
    """Rates as they were read, or read now from a workspace's source, a path or a frame."""
    if given is None or isinstance(given, Rates):
        return given
    if own is None:
        raise ConfigError("transactions: rates need currency, what amounts are converted to, such as 'CNY'")
    where = {name: options[name] for name in ("folder", "engine", "timezone") if name in options}
    if isinstance(given, RatesSource):
        said = given.model_dump(exclude={"source"}, exclude_none=True)
        return read_rates(given.source, currency=own, **said, **where)
    return read_rates(given, currency=own, **where)


def in_one_currency(read: SourceTable, how: Conversion) -> SourceTable:
    """Return the log with all money in one currency, which is what its notes and reading say; or refuse it.

    Converted lines keep `amount_original`, and `currency`, which is that of the source. Products are exact
    and rounded half up (away from zero) to four decimals.
    """
    if "currency" not in read.table.columns:
        if how.rates:
            raise ConfigError("transactions: rates need a column for currency; add it to columns")
        return read
    seen = _seen(read.table, how)
    read = replace(read, table=_in_codes(read.table, seen, how))
    if how.rates is None:
        return replace(read, notes=(*read.notes, *_not_one(seen, how, read.place)))
    return _converted(read, seen, how.rates)


def _seen(table: ir.Table, how: Conversion) -> pd.DataFrame:
    """One row per spelling (and day, where rates have days): currency, n, amount of rows that need a rate."""
    day = table.occurred_at.date()
    needed = day.between(how.first, how.last) & ~is_missing("amount")(table)
    if "source_total" in table.columns:
        needed = needed & ~table.source_total
    keys: dict[str, Any] = {"spelling": table.currency}
    if how.rates and not how.rates.constant:
        keys["date"] = day
    counts = table.group_by(**keys).agg(n=table.count(where=needed), amount=table.amount.sum(where=needed))
    names = [*keys, "n", "amount"]
    seen = pd.DataFrame(counts.to_pyarrow().to_pylist(), columns=names).dropna(subset=list(keys)[1:])
    if "date" in seen:
        seen["date"] = pd.to_datetime(seen["date"]).astype("datetime64[us]")
    missing = code(how.own) if how.missing == "own" and how.own else None
    said = seen["spelling"].map(code, na_action="ignore").astype(object)
    return seen.assign(
        currency=said.where(said.notna(), missing),
        n=seen["n"].astype(int),
        amount=seen["amount"].where(seen["amount"].notna(), Decimal(0)),
    )


def _in_codes(table: ir.Table, seen: pd.DataFrame, how: Conversion) -> ir.Table:
    """Column currency with one spelling for each code."""
    spelled = seen[["spelling", "currency"]].drop_duplicates().dropna()
    others = spelled[spelled["spelling"] != spelled["currency"]].itertuples(index=False)
    currency = table.currency
    branches = [(currency == spelling, ibis.literal(name)) for spelling, name in others]
    if how.missing == "own" and how.own:
        branches.append((is_missing("currency")(table), ibis.literal(code(how.own))))
    return table.mutate(currency=ibis.cases(*branches, else_=currency)) if branches else table


def _not_one(seen: pd.DataFrame, how: Conversion, place: str) -> list[Defect]:
    """Refuse several currencies, and one that is not the workspace's."""
    totals = _totals(seen)
    found = ", ".join(_with_total(name, row) for name, row in totals.iterrows())
    if len(totals) > 1:
        sentence = (
            f"{place}: several currencies in the column currency ({found}); one was expected: set rates (a "
            "table of date, currency and rate) to convert them, or keep the rows of one currency"
        )
        return [Defect("several currencies", "refuse", sentence)]
    if how.own and len(totals) and totals.index[0] != code(how.own):
        sentence = (
            f"{place}: amounts are in {totals.index[0]} ({found}), the workspace in {code(how.own)}: set "
            f'rates to convert them, or currency = "{totals.index[0]}"'
        )
        return [Defect("another currency", "refuse", sentence)]
    return []


def _totals(seen: pd.DataFrame) -> pd.DataFrame:
    """Rows and money per currency; those only of rows that need no rate left out."""
    needed = seen[seen["n"] > 0].dropna(subset=["currency"])
    return needed.groupby("currency").agg(n=("n", "sum"), amount=("amount", "sum"))


def _with_total(name: Any, row: pd.Series) -> str:
    return f"{name} {row['n']:,} rows {row['amount']:,.2f}"


# Converting -----------------------------------------------------------------------------------------------


def _converted(read: SourceTable, seen: pd.DataFrame, rates: Rates) -> SourceTable:
    keys = [name for name in ("currency", "date") if name in seen]
    rated = rates.on(seen.dropna(subset=["currency"]).groupby(keys, as_index=False)[["n", "amount"]].sum())
    needed = rated[rated["n"] > 0]
    if sentence := without_a_rate(needed["currency"], rates) or _too_old(needed, rates):
        refusal = Defect("no rate", "refuse", f"{read.place}: {sentence}")
        return replace(read, notes=(*read.notes, refusal))
    return replace(
        read,
        table=_at_rates(read.table, rated.dropna(subset=["rate"]), keys),
        reading=(*read.reading, _said(needed, rates)),
        notes=(*read.notes, *rates.verdict.defects, *_carried(needed, rates, read.place)),
    )


def _too_old(needed: pd.DataFrame, rates: Rates) -> str:
    """Name the currencies and days for which no rate is young enough."""
    bare = needed[needed["rate"].isna()]
    if bare.empty:
        return ""
    some = [
        f"{name} on {len(days):,} days ({days['n'].sum():,} rows), first {days['date'].min():%Y-%m-%d}"
        for name, days in bare.groupby("currency")
    ]
    return (
        f"{rates.place} has no rate of the day, nor one at most {rates.max_age_days} days older, for "
        f"{'; '.join(some)}; complete the rates, or set max_age_days"
    )


def _carried(needed: pd.DataFrame, rates: Rates, place: str) -> list[Defect]:
    """Flag rates that are not those of the day."""
    foreign, n_rows = needed[needed["currency"] != rates.into], int(needed["n"].sum())
    if rates.constant:
        n = int(foreign["n"].sum())
        sentence = f"{place}: {n:,} of {n_rows:,} rows are converted at constant rates ({rates.place})"
        bias = "trends leave out what exchange rates did; totals of single periods differ from the ledger's"
        return [Defect("constant rates", "flag", sentence, n, n / n_rows, bias=bias)] if n else []
    late = foreign[foreign["rated_on"] < foreign["date"]]
    if late.empty:
        return []
    n, oldest = int(late["n"].sum()), (late["date"] - late["rated_on"]).max().days
    sentence = (
        f"{place}: {n:,} of {n_rows:,} rows lie on {late['date'].nunique():,} days without a rate and take "
        f"the last one before, up to {oldest} days old ({rates.place})"
    )
    bias = "none to speak of, where rates move little in so many days"
    return [Defect("rates carried forward", "flag", sentence, n, n / n_rows, bias=bias)]


def _said(needed: pd.DataFrame, rates: Rates) -> str:
    """Say what was converted: rows, money and rates of each currency."""
    foreign = needed[needed["currency"] != rates.into]
    parts = [_part(name, rows, rates.into) for name, rows in needed.groupby("currency")]
    when = "constant rates"
    if not rates.constant and len(foreign):
        when = f"rates of {foreign['rated_on'].min():%Y-%m-%d} to {foreign['rated_on'].max():%Y-%m-%d}"
    n = foreign["currency"].nunique()
    what = f"{n} currenc{'y' if n == 1 else 'ies'} converted to {rates.into} with {when} ({rates.place})"
    return f"{what}: {', '.join(parts)}" if n else f"all amounts in {rates.into}, as they are"


def _part(name: Any, rows: pd.DataFrame, into: str) -> str:
    total = _with_total(name, rows[["n", "amount"]].sum())
    if name == into:
        return f"{total} as they are"
    low, high = rows["rate"].min(), rows["rate"].max()
    return f"{total} at {low:g}" + (f" to {high:g}" if high > low else "")


def _at_rates(table: ir.Table, rated: pd.DataFrame, keys: list[str]) -> ir.Table:
    """Money times the rate of its currency and day; missing where no rate was needed and there is none."""
    monies = [name for name in MONIES if name in table.columns]
    known = _in_engine(rated, keys, table.get_backend())
    matches = [table.currency == known.rate_currency]
    if "date" in keys:
        matches.append(table.occurred_at.date() == known.rate_date)
    joined = table.left_join(known, matches)
    money = partial(_exactly, rate=joined.exchange_rate)
    converted = {name: money(joined[name]) for name in monies}
    converted["amount_original"] = joined.amount
    return as_view(joined.mutate(**converted).select([*table.columns, "amount_original"]))


def _exactly(money: Any, *, rate: Any) -> Any:
    return (money * rate).cast(MONEY)


def _in_engine(rated: pd.DataFrame, keys: list[str], engine: ibis.BaseBackend) -> ir.Table:
    """Rates as a table of the log's engine, exact to twelve decimals."""
    step = Decimal(1).scaleb(-DECIMALS)
    rates = [Decimal(repr(float(rate))).quantize(step) for rate in rated["rate"]]
    content = {f"rate_{key}": rated[key] for key in keys}
    if "date" in keys:
        content["rate_date"] = rated["date"].dt.date
    table = pa.table(
        {name: pa.array(values) for name, values in content.items()}
        | {"exchange_rate": pa.array(rates, pa.decimal128(8 + DECIMALS, DECIMALS))}
    )
    if not is_ours(engine):
        return ibis.memtable(table)
    return engine.create_table(ibis.util.gen_name("rates"), table)
