"""Small checked tables that are handed over in memory: contacts, campaigns, owners, reasons of leaving."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis.expr.types as ir
import pandas as pd

from crm_analysis.doors.schema import Check, Column, Schema, check_rows
from crm_analysis.doors.sources import read_table
from crm_analysis.doors.verdict import Consequence, Defect, Verdict
from crm_analysis.errors import DataError

GIVEN = "reason_given"
TYPES = {"time": "datetime64[us]", "day": "datetime64[us]", "money": "float64", "number": "float64"}


@dataclass(frozen=True)
class Framed:
    """A checked table as a frame.

    frame : typed, in an order that the order of the source does not change.
    set_aside : reason -> rows;  set_aside_rows : those rows, with their reason.
    """

    frame: pd.DataFrame
    verdict: Verdict
    set_aside: dict[str, int]
    set_aside_rows: ir.Table
    n_rows_in: int


@dataclass(frozen=True)
class Rows:
    """Kept rows in which something is to be found; `name` is what the table is called in sentences."""

    frame: pd.DataFrame
    name: str

    def found(
        self,
        what: str,
        consequence: Consequence,
        where: pd.Series,
        sentence: str,
        bias: str = "",
        shows: Sequence[str] = (),
    ) -> list[Defect]:
        """Defect of the rows `where` it is so; none where there are no such rows."""
        n, of = int(where.sum()), len(self.frame)
        if not n:
            return []
        some = self.frame.loc[where, [*shows]].head(3).to_dict("records")
        examples = tuple(", ".join(f"{k} {v}" for k, v in row.items()) for row in some) if shows else ()
        found = f"{self.name}: {n:,} of {of:,} rows ({n / of:.1%}) {sentence}"
        return [Defect(what, consequence, found, n, n / of, None, examples, bias)]


def read_framed(
    source: Any,
    schema: Schema,
    checks: Sequence[Check],
    find: Callable[[Rows], tuple[pd.DataFrame, list[Defect]]],
    *,
    columns: Mapping[str, Any],
    max_set_aside: float = 1.0,
    **options: Any,
) -> Framed:
    """Read and check a table as a frame: days and times as datetime64[us], money as float, flags as bool.

    Parameters
    ----------
    checks : what each row shows by itself.
    find : what kept rows show together; it returns them, with what follows from them, and the defects.

    Raises
    ------
    DataError
        Carrying the verdict, where it is REFUSE.
    """
    read = read_table(source, schema, columns=columns, **options)
    # Checks name the reason for which a row is set aside.
    named = {GIVEN: "reason"} if "reason" in read.table.columns else {}
    checked = check_rows(read.table.rename(named), checks, name=read.place, max_set_aside=max_set_aside)
    read.judged(checked.verdict).raise_if_refused()
    frame = _typed(checked.kept.rename({old: new for new, old in named.items()}), schema)
    if frame.empty:
        empty = f"{read.place}: no rows are left; put the source right"
        defects = [Defect("no rows", "refuse", empty)]
    else:
        frame, defects = find(Rows(frame, read.place))
        defects = [*_copies(Rows(frame, read.place)), *defects]
    verdict = read.judged(checked.verdict.with_defects(defects))
    verdict.raise_if_refused()
    return Framed(frame, verdict, checked.set_aside, checked.set_aside_rows, checked.n_rows_in)


def verdict_of(read: Callable[..., Framed], source: Any, arguments: Mapping[str, Any]) -> Verdict:
    """Return the verdict of a reader, without raising it."""
    try:
        return read(source, **arguments).verdict
    except DataError as error:
        if error.verdict is None:
            raise
        return error.verdict


def _typed(table: ir.Table, schema: Schema) -> pd.DataFrame:
    """Columns of the schema that the table has, sorted by them all."""
    there = [column for column in schema.columns if column.name in table.columns]
    values = {c.name: table[c.name].cast("float64") if c.kind == "money" else table[c.name] for c in there}
    frame = table.select(**values).to_pandas()
    frame = pd.DataFrame({column.name: _as_type(frame[column.name], column) for column in there})
    return frame.sort_values([column.name for column in there], ignore_index=True)


def _as_type(values: pd.Series, column: Column) -> pd.Series:
    """Values in the type of their column; flags that may be missing need one that knows it."""
    flag = "boolean" if values.isna().any() else "bool"
    kind: Any = flag if column.kind == "flag" else TYPES.get(column.kind, "str")
    return values.astype(kind)


def _copies(rows: Rows) -> list[Defect]:
    sentence = "repeat another row in every column that is mapped; they are kept"
    return rows.found(
        "exact duplicate", "flag", rows.frame.duplicated(), sentence, "counts of rows lean high"
    )
