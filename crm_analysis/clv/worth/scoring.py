"""Bases that should not come to Python: counted in the engine, scored batch by batch into a Parquet file.

A fit needs how many customers share each history, not the customers; a score is a history's answer times the
customer's own amount. What is held in memory grows with the distinct histories, not with the customers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.histories import COLUMNS, distinct_histories, find_histories, purchase_histories
from crm_analysis.clv.models.purchases import Horizon, PurchaseModel
from crm_analysis.clv.models.spend import SpendFit, SpendModel
from crm_analysis.clv.worth.answers import Question, answer_histories
from crm_analysis.clv.worth.value import HORIZON, CostPer, Terms, model_of, value_name, valued
from crm_analysis.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

AMOUNTS = ["n_paid_repeat", "mean_repeat_amount"]
PER_UNIT_OF_LOG = 500  # amounts within 0.2% of each other are counted as one
ROWS = 500_000
HELD = 2_000_000  # histories answered once for all; of more, each batch has its own


def count_histories(table: ir.Table) -> pd.DataFrame:
    """Count in the engine how many customers share each history: all that a purchase model is fitted to.

    Parameters
    ----------
    table : `crm.customer_table(log)`, or another Ibis table with n_repeat, t_last, t_observed (days);
        filtered by `history_complete` where the fit is of complete histories.

    Returns
    -------
    DataFrame for the `fit_` functions: n_repeat, t_last, t_observed, n_customers.
    """
    _present(table, COLUMNS)
    counted = table.group_by(COLUMNS).agg(n_customers=table.count()).to_pandas()
    return distinct_histories(counted)[0]


def count_amounts(table: ir.Table) -> pd.DataFrame:
    """Count in the engine how many customers share an average amount, to within 0.2%.

    Each row holds the geometric mean of its amounts, so that what is lost of the likelihood is of the second
    order: a ten millionth of each customer's.

    Returns
    -------
    DataFrame for `fit_gamma_gamma` and `fit_spend`: n_paid_repeat, mean_repeat_amount, n_customers.
    """
    _present(table, AMOUNTS)
    paid = table.filter(table.n_paid_repeat > 0)
    logs = paid.select("n_paid_repeat", log_mean=paid.mean_repeat_amount.cast("float64").ln())
    bins = logs.mutate(bin=(logs.log_mean * PER_UNIT_OF_LOG).floor())
    counted = bins.group_by("n_paid_repeat", "bin").agg(
        mean_repeat_amount=bins.log_mean.mean().exp(), n_customers=bins.count()
    )
    return counted.drop("bin").order_by(["n_paid_repeat", "mean_repeat_amount"]).to_pandas()


def score_to_parquet(
    table: ir.Table,
    path: str | Path,
    *,
    purchases: Fit[PurchaseModel] | PurchaseModel,
    spend: SpendFit | SpendModel,
    margin: float | str,
    annual_discount_rate: float,
    horizon: Horizon = HORIZON,
    observed_until: str | date | None = None,
    cost_to_serve: float | str | None = None,
    cost_per: CostPer | None = None,
    rows: int = ROWS,
) -> int:
    """Value every customer of a table in the engine, and write `value_customers` of them to a Parquet file.

    Parameters
    ----------
    table : customer_id and what `value_customers` needs; read twice, so a table of many purchases is better
        written to Parquet first.
    path : the file, which appears when it is complete; an older one is replaced then.
    margin, cost_to_serve : a number, or a column of `table`.
    rows : customers held in memory at a time.

    Returns
    -------
    How many customers were written. The file has customer_id as text, then the columns of `value_customers`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    terms = Terms.agree(
        spend=spend,
        margin=margin,
        cost_to_serve=cost_to_serve,
        cost_per=cost_per,
        value_name=value_name(horizon),
    )
    question = Question.ask(
        horizon, annual_discount_rate, observed_until=observed_until, with_years=cost_per == "year"
    )
    model = model_of(purchases)
    known = list(getattr(model, "averages", ()))  # covariates: answers differ between customers alike
    own = [name for name in (margin, cost_to_serve, *known) if isinstance(name, str)]
    needed = list(dict.fromkeys(["customer_id", *COLUMNS, *AMOUNTS, *own]))
    _present(table, needed)
    distinct = count_histories(table if not known else table.limit(0))
    each_batch = bool(known) or len(distinct) > HELD
    if each_batch:
        distinct = distinct.iloc[:0]
    answers = answer_histories(purchase_histories(distinct, unit=model.unit), purchases, question)
    selected = table.select(needed).mutate(
        customer_id=table.customer_id.cast("string"), **{name: table[name].cast("float64") for name in own}
    )

    def scored(batch: pa.RecordBatch | pa.Table) -> pa.Table:
        customers = batch.to_pandas().set_index("customer_id")
        if each_batch and batch.num_rows:
            histories, row = model._distinct(customers)
            values = valued(customers, answer_histories(histories, purchases, question), row, terms)
        else:
            values = valued(customers, answers, find_histories(distinct, customers), terms)
        columns = {name: pa.array(values[name].to_numpy()) for name in values}
        return pa.table({"customer_id": batch.column("customer_id"), **columns})

    written = 0
    schema = scored(selected.limit(0).to_pyarrow()).schema
    few = ["purchases_p10", "purchases_p90"]  # a dictionary of the other columns takes time and saves nothing
    with (
        _complete(Path(path)) as unfinished,
        pq.ParquetWriter(unfinished, schema, use_dictionary=few) as writer,
    ):
        for batch in selected.to_pyarrow_batches(chunk_size=rows):
            writer.write_table(scored(batch))
            written += batch.num_rows
    return written


@contextmanager
def _complete(path: Path) -> Iterator[Path]:
    """Give a name to write under; what was written takes the place of `path` only when nothing went wrong."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _present(table: ir.Table, names: list[str]) -> None:
    if missing := [name for name in names if name not in table.columns]:
        raise DataError(f"customers: no column {missing}; columns present: {list(table.columns)}")
