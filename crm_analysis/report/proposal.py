"""A workspace proposed from an export: columns by their names, everything else to be confirmed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd

from crm_analysis.errors import ConfigError

ROWS_READ = 100_000
ORDERS = {
    "customer_id": ("customerid", "customer", "custid", "clientid", "client", "userid", "memberid", "cid",
                    "accountid", "账户", "客户编号", "客户id", "客户", "会员号"),
    "occurred_at": ("occurredat", "date", "orderdate", "invoicedate", "purchasedate", "createdat", "datetime",
                    "timestamp", "time", "订单日期", "下单时间", "日期", "时间"),
    "amount": ("amount", "revenue", "sales", "totalamount", "total", "ordervalue", "spend", "金额", "销售额",
               "订单金额"),
    "order_id": ("orderid", "order", "orderno", "invoiceno", "invoice", "invoiceid", "transactionid",
                 "订单号", "订单编号"),
    "product_id": ("productid", "product", "sku", "stockcode", "itemid", "产品编号", "商品编号"),
    "category": ("category", "productcategory", "类别", "品类"),
    "quantity": ("quantity", "qty", "数量"),
    "unit_price": ("unitprice", "price", "单价"),
    "unit_cost": ("unitcost", "cost", "单位成本", "成本"),
    "discount": ("discount", "折扣"),
    "channel": ("channel", "渠道"),
}  # fmt: skip
DEALS = {
    "opportunity_id": ("opportunityid", "opportunity", "dealid", "deal", "id", "商机编号", "商机"),
    "stage": ("stage", "dealstage", "stagename", "阶段"),
    "entered_at": ("enteredat", "entered", "stagedate", "changedat", "date", "modifiedat", "日期",
                   "进入时间"),
    "owner": ("owner", "ownername", "salesperson", "rep", "负责人"),
    "amount": ("amount", "value", "dealvalue", "金额"),
}  # fmt: skip


def propose_workspace(name: str, *, orders: Path, deals: Path | None, folder: Path) -> Path:
    """Write `NAME.toml` into `folder`; what cannot be known from the files stands in it as a comment.

    Raises
    ------
    ConfigError
        The workspace exists already, a file is missing or cannot be read.
    """
    path = folder / f"{name}.toml"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise ConfigError(f"workspace name {name!r}: use letters, digits, - and _, since it names files")
    if path.exists():
        raise ConfigError(f"{path}: is there already; it is not overwritten. Choose another name or move it")
    lines = [*_head(name), *_orders(orders)]
    if deals:
        lines += _deals(deals)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _head(name: str) -> list[str]:
    return [
        f"# Proposed by `crm-analysis init {name}`. Read every line, remove the # where a line is to hold,",
        f"# then run: crm-analysis check {name}",
        "schema_version = 1",
        f"name = {_quoted(name)}",
        '# language = "en"                  # or "zh"',
        '# currency = "CNY"                 # confirm: the currency of all amounts',
        '# timezone = "Asia/Shanghai"       # confirm: where the business day begins',
        '# customer = "customer"            # what one customer is: person, account, household',
        "",
        "[firms.a]",
        'name = "Firm A"',
    ]


def _orders(path: Path) -> list[str]:
    table = _read(path)
    columns = _proposed(table, ORDERS)
    if "amount" not in columns and {"quantity", "unit_price"} <= set(columns):
        columns["amount"] = {part: str(columns.pop(part)) for part in ("quantity", "unit_price")}
    columns.pop("unit_price", None)
    first, last = _first_and_last(table, columns.get("occurred_at"))
    return [
        f"# observed_from = {first}       # confirm: day of the first row; was it a whole day?",
        f"# observed_until = {last}      # confirm: day of the last row; was it a whole day?",
        "[firms.a.transactions]",
        f"source = {_quoted(str(path.resolve()))}",
        *_columns(columns, required=("customer_id", "occurred_at", "amount"), table=table),
        '# refunds = "net in order"         # or "set aside"',
    ]


def _first_and_last(table: pd.DataFrame, column: object) -> tuple[str, str]:
    """First and last day seen in a column, or an example where no day can be read."""
    days = pd.to_datetime(table[str(column)], errors="coerce").dropna() if column else pd.Series()
    return (f"{days.min():%Y-%m-%d}", f"{days.max():%Y-%m-%d}") if len(days) else ("2024-01-01", "2024-12-31")


def _deals(path: Path) -> list[str]:
    table = _read(path)
    columns = _proposed(table, DEALS)
    who, stage = columns.get("opportunity_id"), columns.get("stage")
    shape = "history" if who and table[str(who)].duplicated().any() else "current stage"
    stages = list(table[str(stage)].dropna().value_counts().index) if stage else []
    return [
        "",
        "[firms.a.pipeline]",
        f"source = {_quoted(str(path.resolve()))}",
        f"# shape = {_quoted(shape)}         # confirm: history, stage dates, current stage or snapshots",
        "# confirm: stages in their order, without the lost ones, the won one last",
        f"# stages = {json.dumps(stages, ensure_ascii=False)}",
        '# lost = ["Lost"]                  # confirm: the stages that mean lost',
        "# snapshot_at = 2025-12-31         # confirm: the day of the export",
        *_columns(columns, required=("opportunity_id", "stage"), table=table),
    ]


def _columns(
    columns: dict[str, str | dict[str, str]], *, required: tuple[str, ...], table: pd.DataFrame
) -> list[str]:
    """Lines for the mapping that was found, and a comment for what was not."""
    pairs = ", ".join(f"{role} = {_toml(column)}" for role, column in columns.items())
    missing = [role for role in required if role not in columns]
    note = [f"# confirm: no column looks like {role}; columns: {list(table.columns)}" for role in missing]
    return [f"columns = {{ {pairs} }}", *note]


def _toml(column: str | dict[str, str]) -> str:
    if isinstance(column, str):
        return _quoted(column)
    return "{ " + ", ".join(f"{part} = {_quoted(name)}" for part, name in column.items()) + " }"


def _proposed(table: pd.DataFrame, roles: dict[str, tuple[str, ...]]) -> dict[str, str | dict[str, str]]:
    """Column of the table for each role whose usual names it bears; the more usual name wins."""
    plain = {re.sub(r"[\W_]", "", str(column)).lower(): str(column) for column in table.columns}
    found = {role: next((plain[n] for n in names if n in plain), None) for role, names in roles.items()}
    return {role: column for role, column in found.items() if column is not None}


def _read(path: Path) -> pd.DataFrame:
    """Return the first rows of a plain file, all text."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path).head(ROWS_READ)
        if path.suffix in (".xlsx", ".xlsm"):
            return pd.read_excel(path, dtype=str, nrows=ROWS_READ)
        return _read_text(path)
    except (ValueError, OSError) as error:
        raise ConfigError(f"{path}: not readable as a table: {error}") from None


def _read_text(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, sep=None, engine="python", dtype=str, nrows=ROWS_READ, encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8; save it as UTF-8 before `init`") from None


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
