"""A workspace opened: checked once, kept whole or not at all, the same for everybody who opens it."""

import datetime as dt
import gzip
import json
import multiprocessing
import shutil

import pandas as pd
import pytest

import crm_analysis as crm
from crm_analysis.doors import store
from crm_analysis.errors import ConfigError, DataError

TOML = """
name = "Small"
currency = "EUR"
timezone = "Europe/Berlin"
output = "out"

[firms.a]
name = "Firm A"
observed_from = 2024-01-01
observed_until = 2024-03-31
[firms.a.transactions]
source = "sales.csv"
max_set_aside = 0.5
[firms.a.transactions.columns]
customer_id = "customer"
occurred_at = "date"
amount = "amount"
order_id = "order"
quantity = "n"
unit_cost = "cost"
[firms.a.customers]
source = "customers.csv"
[firms.a.pipeline]
source = "deals.csv"
stages = ["Lead", "Won"]
columns = { opportunity_id = "id", stage = "stage", entered_at = "at" }
snapshot_at = 2024-03-31
[firms.a.spend]
source = "spend.csv"
[firms.a.service]
source = "service.csv"
[firms.a.control]
source = "ledger.csv"
[firms.b]
name = "Firm B"
observed_from = 2024-01-01
observed_until = 2024-03-31
[firms.b.transactions]
source = "sales.csv"
columns = { customer_id = "customer", occurred_at = "date", amount = "amount" }
max_set_aside = 0.5
[costs]
order = 2.0
visit = 10.0
return = 3.0
"""
FILES = {
    "small.toml": TOML,
    "sales.csv": "customer,order,date,amount,n,cost\nx,1,2024-01-05,100,2,30\nx,2,2024-02-05,50,1,30\n"
    "x,2,2024-03-09,-10,0,30\ny,3,2024-02-06,20,1,5\n,4,2024-02-07,5,1,1\n",
    "customers.csv": "customer_id,acquired_at,segment\nx,2023-06-01,Large\ny,2024-02-06,Small\n",
    "deals.csv": "id,stage,at\n1,Lead,2024-01-01\n1,Won,2024-01-04\n2,Lead,2024-02-01\n",
    "spend.csv": "month,source,spend\n2024-02,Web,20.5\n2024-01,Web,10\n",
    "service.csv": "customer_id,occurred_at,kind,quantity\n"
    "x,2024-01-20,visit,2\nx,2024-03-09,return,1\nz,2024-02-01,visit,1\n",
    "ledger.csv": "period,revenue\n2024-01,100\n2024-02,70\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def opened(folder):
    return crm.open_workspace(folder / "small.toml")


def kept(folder):
    return sorted(path.name for path in (folder / "out" / ".checked").glob("*") if path.name != ".spill")


def test_tables_of_a_workspace(opened):
    assert opened.firms == ("a", "b")
    assert opened.firm_name("a") == "Firm A"
    log = opened.transactions("a")
    assert log.set_aside == {"customer missing": 1}
    assert log.control["difference"].tolist() == [0.0, 0.0]
    assert log.has_orders
    assert opened.customers("a").count().to_pyarrow().as_py() == 2
    assert opened.pipeline("a").opportunities.outcome.to_pyarrow().to_pylist().count("won") == 1
    assert opened.spend("a").to_dict("list") == {
        "month": [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-01")],
        "source": ["Web", "Web"],
        "spend": [10.0, 20.5],
    }
    assert (opened.customers("b"), opened.pipeline("b"), opened.spend("b"), opened.service("b")) == (
        None,
    ) * 4
    with pytest.raises(ConfigError, match="no firm 'c'"):
        opened.transactions("c")


def test_tables_can_be_joined_for_they_share_an_engine(opened):
    joined = opened.transactions("a").purchases.join(opened.customers("a"), "customer_id")
    assert joined.count().to_pyarrow().as_py() == 3


def test_second_opening_reads_what_the_first_one_kept(folder, opened, monkeypatch):
    first = crm.summarise_customers(opened.transactions("a"))
    verdicts = opened.verdicts()
    assert set(verdicts) == {
        ("a", t) for t in ("transactions", "customers", "pipeline", "spend", "service")
    } | {("b", "transactions")}
    monkeypatch.setattr(store, "read_transactions", None)
    again = crm.open_workspace(folder / "small.toml")
    log = again.transactions("a")
    pd.testing.assert_frame_equal(crm.summarise_customers(log), first)
    pd.testing.assert_frame_equal(log.control, opened.transactions("a").control)
    assert again.verdicts() == verdicts
    assert log.acquired is not None
    assert (log.set_aside, log.observed_until, log.burn_in_days) == (
        {"customer missing": 1},
        opened.transactions("a").observed_until,
        0,
    )


def test_a_changed_file_or_mapping_is_checked_anew(folder, opened):
    opened.transactions("b")
    before = set(kept(folder))
    (folder / "sales.csv").write_text(FILES["sales.csv"] + "y,9,2024-03-01,7,1,1\n")
    log = crm.open_workspace(folder / "small.toml").transactions("b")
    assert log.n_rows_in == 6
    (folder / "small.toml").write_text(TOML.replace("Europe/Berlin", "Asia/Shanghai"))
    crm.open_workspace(folder / "small.toml").transactions("b")
    assert len(set(kept(folder)) - before) == 2


def test_as_of_and_the_customers_of_the_master(opened):
    early = opened.transactions("a", until="2024-02-29")
    assert early.lines.amount.sum().to_pyarrow().as_py() == 170
    customers = crm.summarise_customers(early)
    assert customers["history_complete"].tolist() == [False, True]
    assert opened.pipeline("a", until="2024-01-02").opportunities.outcome.to_pyarrow().to_pylist() == ["open"]


def test_profit_by_hand(opened):
    # x: 140 revenue; goods 3 x 30; 2 orders x 2, 2 visits x 10, 1 return x 3. y: 20, 5, 1 order. z: a visit.
    expected = pd.DataFrame(
        {
            "revenue": [140.0, 20.0, 0.0],
            "cost_of_goods": [90.0, 5.0, 0.0],
            "cost_to_serve": [27.0, 2.0, 10.0],
            "profit": [23.0, 13.0, -10.0],
        },
        index=pd.Index(["x", "y", "z"], name="customer_id"),
    )
    pd.testing.assert_frame_equal(opened.profit("a"), expected, check_index_type=False)
    parts = [opened.profit("a", until="2024-02-05"), opened.profit("a", since="2024-02-06")]
    whole = parts[0].add(parts[1], fill_value=0.0)
    pd.testing.assert_frame_equal(whole, expected, check_index_type=False)
    assert opened.service("a", until="2024-01-31").loc["x"].tolist() == [2.0, 0.0, 0.0]


def test_profit_needs_costs_or_a_margin(folder, opened):
    with pytest.raises(
        ConfigError, match=r"no unit costs and the workspace no margin; map .* or set \[value\] margin"
    ):
        opened.profit("b")
    assert opened.profit("b", margin=0.3).loc["y"].tolist() == pytest.approx([20.0, 14.0, 2.0, 4.0])
    pd.testing.assert_frame_equal(opened.profit("a", margin=0.9), opened.profit("a"))
    (folder / "small.toml").write_text(TOML + "[value]\nmargin = 0.3\n")
    found = crm.open_workspace(folder / "small.toml").profit("b")
    assert found.loc["y"].tolist() == pytest.approx([20.0, 14.0, 2.0, 4.0])
    with pytest.raises(ConfigError, match="must be in order within the observed 2024-01-01 to 2024-03-31"):
        opened.profit("a", since="2023-12-31")


def test_a_refusal_carries_the_verdict_and_nothing_is_written(folder, opened):
    (folder / "sales.csv").write_text("customer,order,date,amount,n,cost\nx,1,soon,100,2,30\n")
    with pytest.raises(DataError) as error:
        opened.transactions("b")
    assert error.value.verdict.status == "REFUSE"
    assert not (folder / "out").exists()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_that_changes_before_its_table_is_kept_is_refused(folder, monkeypatch, kind):
    sales = pd.read_csv(folder / "sales.csv", dtype=str)
    sales.to_parquet(folder / "sales.parquet")
    (folder / "small.toml").write_text(TOML.replace("sales.csv", f"sales.{kind}"))
    real = store.read_transactions

    def late(*given, **named):
        log = real(*given, **named)
        sales.iloc[:2].to_parquet(folder / "sales.parquet")
        sales.iloc[:2].to_csv(folder / "sales.csv", index=False)
        return log

    monkeypatch.setattr(store, "read_transactions", late)
    opened = crm.open_workspace(folder / "small.toml")
    with pytest.raises(DataError, match=f"sales.{kind}: changed while it was read") as error:
        opened.transactions("b")
    assert error.value.verdict.status == "REFUSE"
    assert kept(folder) == []
    assert crm.open_workspace(folder / "small.toml").transactions("b").n_rows_in == 2


def test_unknown_service_is_refused(folder, opened):
    (folder / "service.csv").write_text("customer_id,occurred_at,kind\nx,2024-01-20,dinner\n")
    with pytest.raises(
        DataError, match="of a kind that has no cost; one of visit, call, return was expected"
    ):
        opened.service("a")


def test_a_folder_that_another_process_was_first_to_write_stays(tmp_path):
    def late(unfinished):
        (unfinished / "ours").touch()
        (tmp_path / "there").mkdir()
        (tmp_path / "there" / "theirs").touch()

    store._publish(tmp_path / "there", late)
    assert [path.name for path in tmp_path.rglob("*")] == ["there", "theirs"]


def test_a_failed_writing_leaves_nothing(tmp_path):
    def fail(unfinished):
        (unfinished / "half").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store._publish(tmp_path / "there", fail)
    assert list(tmp_path.iterdir()) == []


def open_and_count(path):
    opened = crm.open_workspace(path)
    return len(opened.verdicts()), len(crm.summarise_customers(opened.transactions("a")))


def test_processes_open_the_same_workspace_at_once(folder):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.map(open_and_count, [folder / "small.toml"] * 3)
    assert found == [(6, 2)] * 3
    assert len(kept(folder)) == 6
    content = json.loads(
        next((folder / "out" / ".checked").glob("a-transactions-*/content.json")).read_text()
    )
    assert content["verdict"]["verdict"]["status"] == "FLAG"


def test_a_database_is_checked_anew_by_each_process(folder, monkeypatch):
    import duckdb

    with duckdb.connect(str(folder / "sales.duckdb")) as database:
        database.execute(
            "CREATE TABLE sales AS SELECT 'x' AS customer, DATE '2024-01-05' AS date, 100 AS amount"
        )
    monkeypatch.setenv("CRM_TEST_DATABASE", f"duckdb://{folder / 'sales.duckdb'}?read_only=True")
    text = TOML.replace('source = "sales.csv"', 'source = "env:CRM_TEST_DATABASE"\ntable = "sales"')
    (folder / "small.toml").write_text(text)
    opened = crm.open_workspace(folder / "small.toml")
    assert len(crm.summarise_customers(opened.transactions("b"))) == 1
    assert not (folder / "out").exists()
    shutil.rmtree(store._until_exit(), ignore_errors=True)
    store._until_exit.cache_clear()


def test_utc_times_and_a_burn_in_are_read_as_the_workspace_says(tmp_path):
    rows = "customer,date,amount\nx,2024-01-05 23:30,1\ny,2024-03-01 12:00,1\n"
    (tmp_path / "sales.csv").write_text(rows)
    rules = '[firms.b.transactions]\nsource_timezone = "UTC"\nburn_in = "30 days"'
    head, tail = TOML.split("[firms.a]")[0], "[firms.b]" + TOML.split("[firms.b]")[1]
    (tmp_path / "small.toml").write_text(head + tail.replace("[firms.b.transactions]", rules))
    customers = crm.summarise_customers(crm.open_workspace(tmp_path / "small.toml").transactions("b"))
    assert customers["first_at"].dt.strftime("%Y-%m-%d").to_dict() == {"x": "2024-01-06", "y": "2024-03-01"}
    assert customers["history_complete"].to_dict() == {"x": False, "y": True}


def test_spend_is_summed_over_the_months_that_begin_in_a_time(opened):
    january, february, march = (dt.date(2024, month, 1) for month in (1, 2, 3))
    assert opened.spent("a", since=january, until=march) == 30.5
    assert opened.spent("a", since=february, until=march) == 20.5
    assert opened.spent("a", since=january, until=january) == 10
    assert opened.spent("a", since=march, until=march) == 0
    assert opened.spent("b", since=january, until=march) is None


MORE = """
[firms.a.campaigns]
source = "campaigns.csv"
[firms.a.contacts]
source = "contacts.csv"
[firms.a.owners]
source = "owners.csv"
[firms.a.churn_reasons]
source = "churn.csv"
[firms.a.events]
source = "events.csv.gz"
columns = { entity_id = "session", event = "what", occurred_at = "at", device = "platform" }
observed_from = 2023-12-01
"""
MORE_FILES = {
    "campaigns.csv": "campaign,started_at,ended_at,cost_per_contact\nspring,2024-02-01,2024-02-29,8\n",
    "contacts.csv": "campaign,customer_id,sent_at,treated\nspring,x,2024-02-01,1\n"
    "spring,unseen,2024-02-01,0\n",
    "owners.csv": "owner,hired_at,left_at\nann,2020-01-01,\nbob,2020-01-01,2024-02-01\n",
    "churn.csv": "customer_id,left_at,reason\nx,2024-03-01,Price\ny,2024-04-02,Price\n",
}
EVENTS = "session,what,at,platform\n007,view,2023-12-05 10:00,web\n007,cart,2024-01-05 10:00,\n"


@pytest.fixture
def larger(folder):
    for name, text in MORE_FILES.items():
        (folder / name).write_text(text)
    (folder / "events.csv.gz").write_bytes(gzip.compress(EVENTS.encode()))
    (folder / "small.toml").write_text(TOML + MORE)
    return folder


def test_contacts_campaigns_owners_reasons_and_events(larger):
    opened = crm.open_workspace(larger / "small.toml")
    assert opened.contacts("a")["treated"].tolist() == [False, True]
    assert opened.campaigns("a")["cost_per_contact"].tolist() == [8.0]
    assert opened.owners("a")["left_at"].isna().tolist() == [True, False]
    assert opened.churn_reasons("a")["customer_id"].tolist() == ["x"]
    events = opened.events("a")
    assert (events.attributes, events.observed_from) == (("device",), dt.date(2023, 12, 1))
    assert events.rows.count().to_pyarrow().as_py() == 2
    assert opened.events("a", until="2023-12-31").rows.count().to_pyarrow().as_py() == 1
    tables = (opened.contacts, opened.campaigns, opened.owners, opened.churn_reasons, opened.events)
    assert [table("b") for table in tables] == [None] * 5
    found = opened.verdicts()
    assert [defect.name for defect in found["a", "contacts"].defects] == ["customer not in the log"]
    again = crm.open_workspace(larger / "small.toml")
    pd.testing.assert_frame_equal(again.contacts("a"), opened.contacts("a"))
    assert again.events("a").verdict == events.verdict
    assert again.verdicts() == found


def test_what_is_done_to_a_frame_is_done_to_no_other(larger):
    opened = crm.open_workspace(larger / "small.toml")
    owners = opened.owners("a")
    owners["owner"] = "nobody"
    assert opened.owners("a")["owner"].tolist() == ["ann", "bob"]


def test_contacts_are_held_against_the_campaigns_and_the_log_of_today(larger):
    crm.open_workspace(larger / "small.toml").contacts("a")
    (larger / "campaigns.csv").write_text(MORE_FILES["campaigns.csv"].replace("spring", "summer"))
    with pytest.raises(DataError, match="are of campaigns that the table of campaigns does not have"):
        crm.open_workspace(larger / "small.toml").contacts("a")
    (larger / "campaigns.csv").write_text(MORE_FILES["campaigns.csv"])
    (larger / "sales.csv").write_text(FILES["sales.csv"] + "unseen,9,2024-03-01,7,1,1\n")
    found = crm.open_workspace(larger / "small.toml").judged()
    assert found["a", "contacts"].status == "PASS"
    (larger / "sales.csv").write_text("customer,order,date,amount,n,cost\nx,1,soon,100,2,30\n")
    found = crm.open_workspace(larger / "small.toml").judged()
    assert found["a", "contacts"].defects[0].name == "not checked"
