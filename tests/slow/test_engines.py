"""The same expressions on other engines: doors, customers, periods and funnel give what DuckDB gives.

Each engine holds typed tables, made dirty in the ways that the doors look for.
"""

import datetime as dt
import importlib.util
import os
import shutil
from pathlib import Path

import ibis
import pandas as pd
import pytest

import crm_analysis as crm
from crm_analysis.doors.costs import count_service, profit_per_customer, read_service, read_spend
from crm_analysis.workspace import Control, Costs

DATA = Path(__file__).parents[2] / "data" / "firm_a"
POSTGRES = os.environ.get("CRM_TEST_POSTGRES")
HAS_SPARK = importlib.util.find_spec("pyspark") is not None and shutil.which("java") is not None
ENGINES = [
    pytest.param(
        "postgres",
        marks=pytest.mark.skipif(
            not POSTGRES, reason="CRM_TEST_POSTGRES names no PostgreSQL database to write to"
        ),
    ),
    pytest.param(
        "spark",
        marks=pytest.mark.skipif(not HAS_SPARK, reason="needs Java and pyspark: uv sync --extra spark"),
    ),
]
# Sales of every fifth customer in two years, numbered.
SALES = """
    SELECT *, row_number() OVER (ORDER BY date, order_id, product_id, amount, quantity, unit_cost) AS i
    FROM '{file}'
    WHERE ascii(right(customer_id, 1)) % 5 = 0 AND date BETWEEN '2023-01-10' AND '2024-12-31'
        AND amount >= 0
"""
# Every kind of row that the doors set aside, flag or merge, in deterministic places.
DIRTY = """
    SELECT
        CASE WHEN i % 211 = 0 THEN NULL WHEN i % 307 = 0 THEN 'TEST' || (i % 5)
            WHEN i % 353 = 0 THEN 'vf' ELSE customer_id END
            AS customer_id,
        CASE WHEN i % 401 = 0 THEN NULL ELSE date + INTERVAL (i * 37 % 1440) MINUTE
            + INTERVAL (CASE WHEN i % 23 = 0 THEN 2 ELSE 0 END) DAY END AS date,
        CASE WHEN i % 313 = 0 THEN NULL ELSE order_id END AS order_id,
        product_id,
        quantity,
        CAST(CASE WHEN i % 89 = 0 THEN 0 WHEN i = 900 THEN 4000000 WHEN i % 409 = 0 THEN NULL
            WHEN i % 127 = 0 THEN amount + 1 ELSE amount END AS DECIMAL(18, 4)) AS amount,
        CAST((amount + discount) / quantity AS DECIMAL(18, 4)) AS unit_price,
        discount,
        unit_cost,
        CASE WHEN i % 50 = 0 THEN NULL WHEN i % 6 = 0 THEN 'EUR' WHEN i % 3 = 0 THEN 'eur' ELSE 'CNY' END
            AS coin,
        i
    FROM ({sales})
"""
BACK = "date + INTERVAL (i % 40) DAY AS date"
LOG = f"""
    WITH sold AS ({DIRTY})
    SELECT * FROM sold
    UNION ALL SELECT * FROM sold WHERE i % 17 = 0
    -- Refunds of whole lines and of parts: under ids of cancellations, under none, under that of the sale.
    UNION ALL SELECT * REPLACE ({BACK}, 'C' || order_id AS order_id, -quantity AS quantity, -amount AS amount)
        FROM sold WHERE i % 61 = 0
    UNION ALL SELECT * REPLACE ({BACK}, NULL AS order_id, -1 AS quantity, -unit_price AS amount)
        FROM sold WHERE i % 73 = 0
    UNION ALL SELECT * REPLACE ({BACK}, -amount AS amount) FROM sold WHERE i % 83 = 0
    UNION ALL SELECT * REPLACE ({BACK}, 'C' || order_id AS order_id, 'NOBODY' AS product_id,
            -quantity AS quantity, 0 AS amount)
        FROM sold WHERE i % 241 = 0
"""
ORDERS_FILE = f"""
    SELECT * EXCLUDE i, date AT TIME ZONE 'America/New_York' AS moment FROM ({LOG})
    ORDER BY hash(i, date, amount)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Parquet files of typed tables."""
    folder = tmp_path_factory.mktemp("engines")
    database = ibis.duckdb.connect()
    database.raw_sql("SET TimeZone = 'UTC'")
    sales = SALES.format(file=DATA / "transactions.parquet")
    deals = f"FROM '{DATA / 'stage_history.parquet'}' WHERE ascii(right(id, 1)) % 5 = 0"
    service = f"FROM '{DATA / 'service.parquet'}' WHERE ascii(right(customer_id, 1)) % 3 = 0"
    spend = f"SELECT * REPLACE (CAST(month || '-01' AS DATE) AS month) FROM '{DATA / 'marketing_spend.csv'}'"
    master = f"FROM '{DATA / 'customers.parquet'}'"
    for name, query in {
        "orders": ORDERS_FILE.format(sales=sales),
        "deals": deals,
        "service": service,
        "master": master,
        "spend": spend,
    }.items():
        database.raw_sql(f"COPY ({query}) TO '{folder / name}.parquet'")
    return folder


@pytest.fixture(scope="module", params=ENGINES)
def engine(request, files):
    connect = {"postgres": _postgres, "spark": _spark}[request.param]
    yield from connect(files)


def _postgres(files):
    server = ibis.connect(POSTGRES)
    for file in files.glob("*.parquet"):
        server.create_table(file.stem, ibis.duckdb.connect().read_parquet(file).to_pyarrow(), overwrite=True)
    yield server.table
    for file in files.glob("*.parquet"):
        server.drop_table(file.stem)


def _spark(files):
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "2g",
        # Small tables: to compile and to plan a query takes longer than to run it.
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.adaptive.enabled": "false",
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    spark = ibis.pyspark.connect(session)
    # From Parquet: from pandas a missing string would become the text "NaN".
    tables = {file.stem: spark.read_parquet(file) for file in files.glob("*.parquet")}
    yield tables.__getitem__
    session.stop()


COLUMNS = {
    "customer_id": "customer_id",
    "occurred_at": "date",
    "amount": "amount",
    "order_id": "order_id",
    "product_id": "product_id",
    "quantity": "quantity",
    "unit_price": "unit_price",
    "unit_cost": "unit_cost",
    "discount": "discount",
}
ORDERS = {
    "columns": COLUMNS,
    "observed_from": "2023-02-01",
    "observed_until": "2024-11-30",
    "max_set_aside": 0.3,
    "cancelled_orders": "C",
}
EXCHANGED = {"columns": COLUMNS | {"currency": "coin"}, "currency": "CNY"}
EVERY_THIRD_DAY = pd.date_range("2023-01-01", "2024-12-31", freq="3D")
DAILY = pd.DataFrame(
    {
        "date": EVERY_THIRD_DAY,
        "currency": "EUR",
        "rate": [7.5 + n % 11 / 97 for n in range(len(EVERY_THIRD_DAY))],
    }
)
POLICIES = {
    "net in order": {},
    "net in period": {"refunds": "net in period"},
    "set aside": {"refunds": "set aside"},
    "no duplicates": {"drop_duplicates": True},
    "no bulk orders": {"bulk_orders": "set aside"},
    "no test customers": {"test_customers": ["TEST1", "TEST?2", "T*3", "test*"]},
    "first day": {"part_deliveries": "first day", "refunds": "net in period"},
    "first day, net in order": {"part_deliveries": "first day"},
    "all at once": {
        "drop_duplicates": True,
        "bulk_orders": "set aside",
        "test_customers": ["TEST*"],
        "part_deliveries": "first day",
    },
    "constant rates": EXCHANGED | {"rates": pd.DataFrame({"currency": ["EUR"], "rate": [7.8125]})},
    "daily rates": EXCHANGED | {"rates": DAILY, "missing_currency": "own"},
    "no order ids": {
        "columns": {k: v for k, v in COLUMNS.items() if k != "order_id"},
        "cancelled_orders": None,
        "bulk_orders": "set aside",
    },
    "quantity x price": {
        "columns": COLUMNS | {"amount": {"quantity": "quantity", "unit_price": "unit_price"}}
    },
    "few columns": {
        "columns": {"customer_id": "customer_id", "occurred_at": "date", "amount": "amount"},
        "cancelled_orders": None,
    },
}
MASTER = {name: name for name in ("customer_id", "acquired_at", "region", "credit_days", "referred_by")}
CLOCKS = {
    "moments": {"columns": COLUMNS | {"occurred_at": "moment"}, "timezone": "Asia/Shanghai"},
    "clocks of another zone": {"source_timezone": "America/New_York", "timezone": "Asia/Shanghai"},
}
DEALS = {
    "columns": {
        "opportunity_id": "id",
        "stage": "stage",
        "entered_at": "entered_at",
        "owner": "owner",
        "amount": "amount",
        "lost_reason": "lost_reason",
    },
    "stages": ["Lead", "Qualified", "Proposal", "Negotiation", "Won"],
    "snapshot_at": "2025-06-30",
    "max_set_aside": 0.3,
}


def here(files, name):
    return ibis.duckdb.connect().read_parquet(files / f"{name}.parquet")


def both(files, engine, name):
    return here(files, name), engine(name)


def sorted_rows(table):
    """All rows in an order of their own."""
    frame = table.to_pandas()
    # What nobody reads comes with a zone from some engines and without from others, moments are the same.
    unread = {name: pd.to_datetime(frame[name], utc=True) for name in frame if name == "source:moment"}
    frame = frame.assign(**unread)[sorted(frame.columns)].astype(object)
    frame = frame.where(frame.notna(), None)
    order = frame.map(str).sort_values(list(frame.columns), kind="stable").index
    return frame.loc[order].reset_index(drop=True)


def same(table, other):
    mine, others = sorted_rows(table), sorted_rows(other)
    assert len(mine) > 0
    pd.testing.assert_frame_equal(mine, others, check_dtype=False, rtol=0, atol=0)


def same_frames(frame, other):
    assert len(frame) > 0
    pd.testing.assert_frame_equal(frame, other, check_dtype=False, rtol=1e-12, atol=0)


def found(verdict):
    """Every defect with its numbers and sentence, but for the name of the table and the examples."""
    return [
        (
            d.name,
            d.consequence,
            d.n_rows,
            d.share_of_rows,
            d.share_of_revenue,
            d.found.partition(": ")[2],
            d.bias,
        )
        for d in verdict.defects
    ]


def same_log(theirs, ours):
    assert theirs.n_rows_in == ours.n_rows_in
    assert theirs.set_aside == ours.set_aside
    assert found(theirs.verdict) == found(ours.verdict)
    assert theirs.verdict.reading == ours.verdict.reading
    same(theirs.lines, ours.lines)
    same(theirs.merged, ours.merged)
    same(theirs.set_aside_rows, ours.set_aside_rows)
    same(crm.customer_table(theirs), crm.customer_table(ours))


@pytest.mark.parametrize("policy", POLICIES)
def test_logs_are_the_same(engine, files, policy):
    ours, theirs = (
        crm.read_transactions(t, **ORDERS | POLICIES[policy]) for t in both(files, engine, "orders")
    )
    same_log(theirs, ours)


@pytest.mark.parametrize("clocks", CLOCKS)
def test_clocks_of_other_zones_are_the_same(engine, files, clocks):
    if clocks == "clocks of another zone" and engine("orders").get_backend().name == "pyspark":
        with pytest.raises(crm.errors.DataError, match="not converted in Spark"):
            crm.read_transactions(engine("orders"), **ORDERS | CLOCKS[clocks])
        return
    ours, theirs = (
        crm.read_transactions(t, **ORDERS | CLOCKS[clocks]) for t in both(files, engine, "orders")
    )
    own = crm.read_transactions(here(files, "orders"), **ORDERS)
    assert own.lines.occurred_at.max().to_pyarrow() != ours.lines.occurred_at.max().to_pyarrow()
    same_log(theirs, ours)


def test_moments_without_a_time_zone_are_refused(engine, files):
    for table in both(files, engine, "orders"):
        with pytest.raises(crm.errors.DataError, match="holds times with a zone; set timezone"):
            crm.read_transactions(table, **ORDERS | {"columns": COLUMNS | {"occurred_at": "moment"}})


def test_the_past_and_periods_are_the_same(engine, files):
    logs = [
        crm.read_transactions(t, **ORDERS, customers=crm.read_customers(master, columns=MASTER)).as_of(
            "2024-05-31"
        )
        for t, master in zip(both(files, engine, "orders"), both(files, engine, "master"), strict=True)
    ]
    same(*(log.merged for log in logs))
    same_frames(*(crm.summarise_customers(log) for log in logs))
    same_frames(*(crm.base.period_summary(log, period="2024-05") for log in logs))
    same_frames(*(crm.base.period_summary(log, period="2024Q1") for log in logs))


def test_masters_are_the_same(engine, files):
    ours, theirs = (crm.read_customers(t, columns=MASTER) for t in both(files, engine, "master"))
    assert found(theirs.verdict) == found(ours.verdict)
    same(theirs.table, ours.table)


@pytest.mark.parametrize("tolerance", [1.0, 0.001], ids=["tolerated", "refused"])
def test_control_totals_are_the_same(engine, files, tmp_path, tolerance):
    """A ledger before refunds, one month of which holds more than we know."""
    orders = here(files, "orders")
    kept = orders.filter(orders.amount > 0)
    ledger = kept.group_by(period=kept.date.strftime("%Y-%m")).agg(
        revenue=kept.amount.sum(), orders=kept.order_id.nunique()
    )
    ledger = ledger.filter(ledger.period.between("2023-03", "2024-10")).order_by("period").to_pandas()
    ledger.loc[3, "revenue"] += 12345
    ledger.to_csv(tmp_path / "ledger.csv", index=False)
    control = Control(source=str(tmp_path / "ledger.csv"), tolerance=tolerance)
    if tolerance < 1:
        verdicts = [
            crm.check_transactions(t, **ORDERS, control=control) for t in both(files, engine, "orders")
        ]
        assert {verdict.status for verdict in verdicts} == {"REFUSE"}
        assert found(verdicts[0]) == found(verdicts[1])
        return
    ours, theirs = (
        crm.read_transactions(t, **ORDERS, control=control) for t in both(files, engine, "orders")
    )
    assert (ours.control["difference"] != 0).any()
    same_frames(theirs.control, ours.control)
    same_frames(theirs.control_reasons, ours.control_reasons)


def stage_dates(table):
    """One row per deal with the date of each stage."""
    dates = {f"{stage} on": table.entered_at.min(where=table.stage == stage) for stage in DEALS["stages"]}
    lost = table.entered_at.min(where=table.stage == "Lost")
    return table.group_by("id").agg(**dates, **{"Lost on": lost}, owner=table.owner.max())


def current(table):
    """One row per deal with its last stage."""
    return table.group_by("id").agg(
        created=table.entered_at.min(),
        stage=table.stage.argmax(table.entered_at),
        closed=table.entered_at.max(where=table.stage.isin(["Won", "Lost"])),
    )


def last_open(table):
    """One row per deal with its last stage that is open, and an outcome beside it."""
    is_open = table.stage.notin(["Won", "Lost"])
    deals = table.group_by("id").agg(
        created=table.entered_at.min(),
        stage=table.stage.argmax(table.entered_at, where=is_open),
        last=table.stage.argmax(table.entered_at),
        closed=table.entered_at.max(where=~is_open),
    )
    return deals.mutate(
        outcome=deals["last"].cases(("Won", "Closed Won"), ("Lost", "verloren"), else_="open"),
    )


def dates_and_outcome(table):
    """Stage dates without those of the ends: an outcome and its day."""
    deals = stage_dates(table)
    won, lost = deals["Won on"], deals["Lost on"]
    outcome = ibis.cases((won.notnull(), "Closed Won"), (lost.notnull(), "verloren"), else_="open")  # noqa: PD004
    return deals.mutate(outcome=outcome, closed=ibis.coalesce(won, lost)).drop("Won on", "Lost on")


def months(table):
    """A row per deal and month in which something happened: the furthest stage by name."""
    return table.group_by("id", day=table.entered_at.truncate("M").date()).agg(stage=table.stage.max())


def months_and_outcome(table):
    shots = months(table)
    outcome = shots.stage.cases(("Won", "Closed Won"), ("Lost", "verloren"), else_="open")
    ended = shots.stage.isin(["Won", "Lost"])
    return shots.mutate(outcome=outcome, stage=ended.ifelse("Negotiation", shots.stage))


CURRENT = {"opportunity_id": "id", "stage": "stage", "created_at": "created", "closed_at": "closed"}
SHOTS = {"opportunity_id": "id", "stage": "stage", "snapshot_on": "day"}
DATED = {stage: f"{stage} on" for stage in [*DEALS["stages"], "Lost"]}
SHAPES = {
    "history": (lambda t: t, {}),
    "stage dates": (
        stage_dates,
        {"shape": "stage dates", "columns": {"opportunity_id": "id", "owner": "owner", "stages": DATED}},
    ),
    "stage dates with outcome": (
        dates_and_outcome,
        {
            "shape": "stage dates",
            "columns": {
                "opportunity_id": "id",
                "owner": "owner",
                "outcome": "outcome",
                "closed_at": "closed",
                "stages": {k: v for k, v in DATED.items() if k not in ("Won", "Lost")},
            },
        },
    ),
    "current stage": (current, {"shape": "current stage", "columns": CURRENT}),
    "current stage with outcome": (
        last_open,
        {"shape": "current stage", "columns": CURRENT | {"outcome": "outcome"}},
    ),
    "snapshots": (months, {"shape": "snapshots", "columns": SHOTS}),
    "snapshots with outcome": (
        months_and_outcome,
        {"shape": "snapshots", "columns": SHOTS | {"outcome": "outcome"}},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_pipelines_are_the_same(engine, files, shape):
    reshaped, arguments = SHAPES[shape]
    ours, theirs = (crm.read_pipeline(reshaped(t), **DEALS | arguments) for t in both(files, engine, "deals"))
    assert theirs.set_aside == ours.set_aside
    assert found(theirs.verdict) == found(ours.verdict)
    same(theirs.history, ours.history)
    same(theirs.opportunities, ours.opportunities)
    if ours.furthest_known:
        rules = [{"window": "120 days"}, {"skipped": "as recorded"}]
        if ours.shape != "current stage":
            steps = {"step_windows": {ours.stages[1]: "20 days"}}
            rules += [{"skipped": "strict"}, {"back": "undone"}, steps, steps | {"reentry": "first entry"}]
        for options in rules:
            mine, others = (crm.funnel.count_stages(p, **options) for p in (ours, theirs))
            same_frames(others.table, mine.table)
            assert others.window_days == mine.window_days


@pytest.mark.parametrize("order", ["ordered", "strictly later", "no repeats", "nothing between", "any order"])
def test_counts_of_events_are_the_same(engine, files, order):
    """Expressions there, arrays here; steps are moves between stages, with ties, attributes and a window."""
    columns = {"entity_id": "id", "event": "stage", "occurred_at": "entered_at", "owner": "owner"}
    logs = [
        t.rename(columns).mutate(occurred_at=lambda t: t.occurred_at.cast("timestamp(6)"))
        for t in both(files, engine, "deals")
    ]
    rules = {"steps": ["Lead", "Qualified", "Proposal", "Won"], "window": "90 days", "order": order}
    variants = [{}, {"observed_until": "2025-06-30"}]
    if order == "ordered":
        lost = {"exclude": {"Negotiation": ("Qualified", "Won")}}
        variants += [lost, lost | {"exclusion": "chain ends"}, {"optional": ["Qualified"]}]
        variants += [{"reentry": "first entry", "step_windows": {"Won": "20 days"}}]
    for options in variants:
        ours, theirs = (
            crm.funnel.count_events(log, **rules, **options, by="owner", attribution="last known")
            for log in logs
        )
        same_frames(theirs.table, ours.table)
        same_frames(theirs.members.drop(columns="owner"), ours.members.drop(columns="owner"))
        assert theirs.groups("owner").equals(ours.groups("owner"))


def test_service_spend_and_profit_are_the_same(engine, files):
    columns = {name: name for name in ("customer_id", "occurred_at", "kind", "quantity")}
    served = [read_service(t, columns=columns).kept for t in both(files, engine, "service")]
    span = {"since": dt.date(2024, 1, 1), "until": dt.date(2024, 11, 30)}
    same_frames(*(count_service(table, **span) for table in served))
    logs = [crm.read_transactions(t, **ORDERS) for t in both(files, engine, "orders")]
    costs = Costs.model_validate({"order": 3.5, "visit": 120, "call": 20, "return": 45})
    same_frames(
        *(
            profit_per_customer(log, **span, costs=costs, service=table, margin=None)
            for log, table in zip(logs, served, strict=True)
        )
    )


def test_spend_is_the_same(engine, files):
    columns = {"month": "month", "spend": "spend", "source": "source"}
    ours, theirs = (read_spend(t, columns=columns) for t in both(files, engine, "spend"))
    assert (theirs.n_rows_in, theirs.money) == (ours.n_rows_in, ours.money)
    same(theirs.kept, ours.kept)
