"""A firm as files: Parquet for what is long, CSV for what one reads; the same bytes every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.simulate.firms import Firm, firm
from crm_analysis.simulate.plan import FIRMS

FILES = {
    "transactions": "transactions.parquet",
    "customers": "customers.parquet",
    "pipeline": "stage_history.parquet",
    "contacts": "contacts.parquet",
    "service": "service.parquet",
    "payments": "payments.parquet",
    "campaigns": "campaigns.csv",
    "costs": "costs.csv",
    "spend": "marketing_spend.csv",
    "owners": "owners.csv",
    "churn_reasons": "churn_reasons.csv",
    "ledger": "ledger.csv",
}
TRUTH_FILES = {
    "customers": "customers.parquet",
    "opportunities": "opportunities.parquet",
    "defects": "defects.parquet",
    "rates": "rates.csv",
    "owners": "owners.csv",
    "split": "split.csv",
    "mix": "mix.csv",
    "season": "season.csv",
    "campaigns": "campaigns.csv",
}
MONEY = {"amount", "unit_cost", "discount"}
DATES = {"acquired_at", "expected_close", "due_at", "paid_at"}


def write_sample(folder: str | Path, *, seed: int = 1) -> list[Path]:
    """Write firms A and B under `folder`, and their truth under `folder`/truth; the files written."""
    root = Path(folder)
    written: list[Path] = []
    for name in FIRMS:
        made = f"firm_{name.lower()}"
        written += write_firm(firm(name, seed=seed), root / made, truth_folder=root / "truth" / made)
    return written


def write_firm(simulated: Firm, folder: str | Path, *, truth_folder: str | Path) -> list[Path]:
    """Write a firm's files into `folder` and its truth into `truth_folder`; the files written."""
    open_to_all = [_write(getattr(simulated, k), Path(folder) / name) for k, name in FILES.items()]
    truth = [
        _write(getattr(simulated.truth, k), Path(truth_folder) / name) for k, name in TRUTH_FILES.items()
    ]
    return open_to_all + truth


def _write(table: pd.DataFrame, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        table.to_csv(path, index=False, lineterminator="\n", date_format="%Y-%m-%d")
    else:
        _write_parquet(table, path)
    return path


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {str(name): _column(table[name]) for name in table.columns}
    pq.write_table(
        pa.table(columns), path, compression="zstd", compression_level=15, store_decimal_as_integer=True
    )


def _column(values: pd.Series) -> Any:
    import pyarrow as pa

    if values.name in MONEY:
        return _decimals(values)
    if values.name in DATES:
        return pa.array(values.to_numpy().astype("datetime64[D]"))
    if values.dtype.kind == "M":
        return pa.array(values.to_numpy().astype("datetime64[us]"))
    return pa.array(values, type=pa.string()) if values.dtype == "str" else pa.array(values, from_pandas=True)


def _decimals(values: pd.Series) -> Any:
    """Exact decimal(18,4) of amounts in whole cents."""
    import pyarrow as pa

    low = np.round(values.to_numpy() * 100).astype("<i8") * 100
    words = np.column_stack([low, low >> 63])
    return pa.Array.from_buffers(pa.decimal128(18, 4), len(low), [None, pa.py_buffer(words.tobytes())])
