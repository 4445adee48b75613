"""One engine for all doors: a table's columns, and the checks that keep, flag or refuse its rows.

A door declares a `Schema` (what the columns are called and what they hold) and a list of `Check`s (a
predicate, its consequence, the direction of its bias). `check_rows` applies them: a row is set aside under
the first reason that applies, so that rows in = rows kept + rows set aside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from weakref import WeakSet

import ibis
import ibis.expr.types as ir

from crm_analysis.doors.verdict import Consequence, Defect, Verdict

Kind = Literal["id", "text", "money", "number", "time", "day", "flag", "as it is"]
N_EXAMPLES = 3
# Column of a table that marks rows which are totals of the others, where there are any.
TOTAL = "source_total"
TOO_MANY = "too many rows set aside"
# Columns beside the schema's that say where a row stands in its source.
PLACES = ("source_file", "source_sheet", "source_line", "source_row")
_OUR_ENGINES: WeakSet[ibis.BaseBackend] = WeakSet()


@dataclass(frozen=True)
class Column:
    """A column of a canonical table.

    kind : "id" and "text" become text, "money" decimal(18,4), "number" float64, "time" a local timestamp,
        "day" a date, "flag" a boolean; "as it is" keeps the type that the source has.
    """

    name: str
    kind: Kind
    required: bool = False


@dataclass(frozen=True)
class Schema:
    """What a canonical table is called, and its columns.

    may_lack : columns that are not required may be mapped and not be there, as in the older one of two files.
    """

    name: str
    columns: tuple[Column, ...]
    may_lack: bool = False

    @property
    def required(self) -> list[str]:
        """Names of the columns without which the table means nothing."""
        return [column.name for column in self.columns if column.required]

    def column(self, name: str) -> Column:
        """Return the column called `name`."""
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True)
class Check:
    """A property that rows may have, and what follows for them.

    finds : table -> boolean column; NULL counts as False.
    found : the rest of the sentence after "orders: 12 of 400 rows (3.0%) ".
    shows : columns printed of the example rows.
    among, counted : the rows of which it is a share, and what they are called; used by `flag_rows`.
    """

    name: str
    consequence: Consequence
    finds: Callable[[ir.Table], Any]
    found: str
    bias: str = ""
    shows: tuple[str, ...] = ()
    among: Callable[[ir.Table], Any] | None = None
    counted: str = "rows"


@dataclass(frozen=True)
class Checked:
    """A table after its checks.

    kept : rows to trust.     set_aside_rows : the others, with their `reason`.
    set_aside : reason -> number of rows; together with `kept` they are all `n_rows_in` rows.
    money : absolute amount of all rows, where they have one.
    """

    kept: ir.Table
    set_aside_rows: ir.Table
    set_aside: dict[str, int]
    n_rows_in: int
    verdict: Verdict
    money: float | None = None


def own(engine: ibis.BaseBackend) -> ibis.BaseBackend:
    """Note that an engine is ours: the doors may make views and tables in it."""
    _OUR_ENGINES.add(engine)
    return engine


def is_ours(engine: ibis.BaseBackend) -> bool:
    """Whether the doors may make views and tables in an engine."""
    return engine in _OUR_ENGINES


def as_view(table: ir.Table) -> ir.Table:
    """Table under a name of its own, where the engine is ours: what is built on it compiles at once."""
    engine = table.get_backend()
    return engine.create_view(ibis.util.gen_name("view"), table) if is_ours(engine) else table


def written(table: ir.Table) -> ir.Table:
    """Table with its rows written down, so that nothing computes them again.

    In an engine that is not ours they go to a temporary table, which goes when nothing needs it any more.
    """
    engine = table.get_backend()
    if is_ours(engine):
        return engine.create_table(ibis.util.gen_name("rows"), table)
    # Spark keeps no precision of times.
    return table.cache().cast(table.schema())


def settled(table: ir.Table) -> ir.Table:
    """Table whose expressions are computed once, in engines that copy them into every place of their use.

    PostgreSQL and Spark plan for minutes where long cases stand in one another; DuckDB shares what is equal.
    """
    return written(table) if table.get_backend().name != "duckdb" else table


def is_missing(name: str) -> Callable[[ir.Table], Any]:
    """Predicate of a check: the column `name` is empty."""
    return lambda table: table[name].isnull()


def check_rows(
    table: ir.Table,
    checks: Sequence[Check],
    *,
    name: str,
    amount: str | None = None,
    max_set_aside: float = 1.0,
    in_order: bool = True,
) -> Checked:
    """Apply the checks to a canonical table; counts are taken in the table's own engine.

    Parameters
    ----------
    name : what the table is called in sentences, such as "orders.csv".
    amount : column of money; defects then say their share of revenue.
    max_set_aside : share of rows, above which the verdict is REFUSE.
    in_order : the table keeps the order of its source; of one that does not, the examples are sorted.
    """
    if TOTAL in table.columns:
        checks = [_total_rows(table, amount), *checks]
    marked = as_view(table.mutate(reason=_first_reason(table, checks)).drop(*{TOTAL} & {*table.columns}))
    counts = _count(marked, checks, amount)
    n_rows = sum(n for n, *_ in counts.values())
    aside = {reason: n for reason, (n, *_) in counts.items() if reason}
    aside = {check.name: aside[check.name] for check in checks if check.name in aside}
    examples = partial(_examples, in_order=in_order)
    defects = [
        *_defects(marked, checks, counts, name, examples),
        *too_many(aside, n_rows, max_set_aside, name),
    ]
    return Checked(
        kept=as_view(marked.filter(marked.reason.isnull()).drop("reason")),
        set_aside_rows=marked.filter(marked.reason.notnull()),
        set_aside=aside,
        n_rows_in=n_rows,
        verdict=Verdict(name, n_rows, n_rows - sum(aside.values()), tuple(defects)),
        money=float(sum(money or 0 for _, money, *_ in counts.values())) if amount else None,
    )


def flag_rows(table: ir.Table, checks: Sequence[Check], *, name: str) -> list[Defect]:
    """Defects of a table that keeps all its rows; each share is of the rows `among` which its check looks."""
    among = [check.among(table) if check.among else None for check in checks]
    found = [_holds(check, table) for check in checks]
    found = [where if some is None else some & where for some, where in zip(among, found, strict=True)]
    counts = {f"of{i}": table.count(where=where) for i, where in enumerate(among)}
    counts |= {f"n{i}": table.count(where=where) for i, where in enumerate(found)}
    n = table.agg(**counts).to_pyarrow().to_pylist()[0]
    return [
        _defect(
            check,
            name,
            n[f"n{i}"],
            n[f"of{i}"],
            None,
            _examples(table.filter(where), check.shows, in_order=False),
        )
        for i, (check, where) in enumerate(zip(checks, found, strict=True))
        if n[f"n{i}"]
    ]


def _total_rows(table: ir.Table, amount: str | None) -> Check:
    """Check of rows that are totals: no row of the log, whatever else is wrong with them."""
    return Check(
        "total row",
        "set aside",
        lambda t: t[TOTAL],
        f"are totals of other rows{_proof(table, amount) if amount else ''}",
        bias="none: with them, revenue would be counted twice",
        shows=tuple(filter(None, [amount])),
    )


def _proof(table: ir.Table, amount: str) -> str:
    """What one total says against the sum of all other rows."""
    total, other = table[amount].sum(where=table[TOTAL]), table[amount].sum(where=~table[TOTAL])
    n = table.count(where=table[TOTAL])
    row = table.agg(n=n, total=total, other=other).to_pyarrow().to_pylist()[0]
    if row["n"] != 1 or row["total"] is None or row["other"] is None:
        return ""
    if row["total"] == row["other"]:
        return f": its amount, {row['total']:,.2f}, equals the sum of all other rows"
    return f": its amount is {row['total']:,.2f}, the sum of all other rows {row['other']:,.2f}"


def _first_reason(table: ir.Table, checks: Sequence[Check]) -> ir.StringValue:
    branches = [(_holds(check, table), check.name) for check in checks if check.consequence == "set aside"]
    return ibis.cases(*branches, else_=ibis.null("string")) if branches else ibis.null("string")


def _holds(check: Check, table: ir.Table) -> ir.BooleanValue:
    return ibis.coalesce(check.finds(table), ibis.literal(False))


def _count(marked: ir.Table, checks: Sequence[Check], amount: str | None) -> dict[str | None, list[Any]]:
    """Per reason (None: kept): rows, money, then rows and money of every check that sets nothing aside."""
    wheres = [None, *(_holds(check, marked) for check in _marks(checks))]
    measures: dict[str, Any] = {}
    for i, where in enumerate(wheres):
        measures[f"n{i}"] = marked.count(where=where)
        if amount:
            measures[f"money{i}"] = marked[amount].abs().sum(where=where)
    rows = marked.group_by("reason").agg(**measures).to_pyarrow().to_pylist()
    each = range(len(wheres))
    return {row["reason"]: [row.get(f"{m}{i}") for i in each for m in ("n", "money")] for row in rows}


def _marks(checks: Sequence[Check]) -> list[Check]:
    return [check for check in checks if check.consequence != "set aside"]


def _defects(
    marked: ir.Table,
    checks: Sequence[Check],
    counts: dict[str | None, list[Any]],
    name: str,
    examples: Callable[[ir.Table, tuple[str, ...]], tuple[str, ...]],
) -> list[Defect]:
    """Defects of the checks that found rows; flags and refusals look at kept rows: each row counts once."""
    n_rows = sum(row[0] for row in counts.values())
    money = float(sum(row[1] or 0 for row in counts.values()))
    kept = counts.get(None, [0] * (2 + 2 * len(checks)))
    defects, i_mark = [], 0
    for check in checks:
        if check.consequence == "set aside":
            n, amount = counts.get(check.name, [0, 0])[:2]
            rows = marked.filter(marked.reason == check.name)
        else:
            n, amount = kept[2 + 2 * i_mark : 4 + 2 * i_mark]
            rows = marked.filter(marked.reason.isnull() & _holds(check, marked))
            i_mark += 1
        if n:
            share = float(amount or 0) / money if money else None
            defects.append(_defect(check, name, int(n), n_rows, share, examples(rows, check.shows)))
    return defects


def _defect(
    check: Check, name: str, n: int, n_rows: int, revenue: float | None, examples: tuple[str, ...]
) -> Defect:
    found = f"{name}: {n:,} of {n_rows:,} {check.counted} ({n / n_rows:.1%}) {check.found}"
    return Defect(check.name, check.consequence, found, n, n / n_rows, revenue, examples, check.bias)


def _examples(rows: ir.Table, shows: tuple[str, ...], *, in_order: bool) -> tuple[str, ...]:
    """Show some rows as text: the first ones of a file, for DuckDB keeps its order; else the smallest."""
    columns = [column for column in (*PLACES, *shows) if column in rows.columns]
    if not columns:
        return ()
    some = rows.select(columns) if in_order else rows.select(columns).order_by(columns)
    found = some.limit(N_EXAMPLES).to_pyarrow().to_pylist()
    return tuple(", ".join(f"{_word(k)} {v}" for k, v in row.items()) for row in found)


def place_of(row: Mapping[str, Any]) -> str:
    """Where a row stands in its source, such as "line 3 "."""
    return "".join(f"{_word(name)} {row[name]} " for name in PLACES if row.get(name) is not None)


def _word(column: str) -> str:
    return column.removeprefix("source_")


def too_many(aside: dict[str, int], n_rows: int, allowed: float, name: str) -> list[Defect]:
    """Refusal of a table of which more rows would be set aside than is allowed."""
    n_aside = sum(n for reason, n in aside.items() if reason != "total row")
    if not n_rows or n_aside / n_rows <= allowed:
        return []
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in aside.items())
    found = (
        f"{name}: {n_aside / n_rows:.1%} of {n_rows:,} rows would be set aside, {allowed:.1%} are allowed "
        f"({reasons}); put the source right, or set max_set_aside if this is as it should be"
    )
    return [Defect(TOO_MANY, "refuse", found, n_aside, n_aside / n_rows)]
