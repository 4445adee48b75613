"""The door for event logs: every row accounted for, whatever the source, and no matter in which order."""

import datetime as dt
import gzip
from pathlib import Path

import ibis
import pandas as pd
import pytest

import crm_analysis as crm
from crm_analysis.doors.sources import connect
from crm_analysis.errors import ConfigError, DataError

SHARED = Path(__file__).parents[2] / "shared/data/retentioneering_ecom/ecom.csv.gz"
COLUMNS = {"entity_id": "who", "event": "what", "occurred_at": "when", "device": "platform"}
LINES = """who,what,when,platform,price
007,view,2025-03-01 10:00:00,web,1.5
007,cart,2025-03-01 10:00:00,web,
007,view,2025-03-02 09:00:00,app,2.5
008,view,2025-03-01 09:00:00,,3.5
008,view,2025-03-01 09:00:00,,3.5
,view,2025-03-01 09:00:00,web,1
009,,2025-03-01 09:00:00,web,1
009,view,,web,1
009,view,2025-02-27 23:59:59,web,1
009,view,2025-04-01 00:00:00,web,1
"""
SPAN = {"observed_from": "2025-02-28", "observed_until": "2025-03-31", "max_set_aside": 0.6}
KEPT = [
    ("007", "cart", dt.datetime(2025, 3, 1, 10), "web"),
    ("007", "view", dt.datetime(2025, 3, 1, 10), "web"),
    ("007", "view", dt.datetime(2025, 3, 2, 9), "app"),
    ("008", "view", dt.datetime(2025, 3, 1, 9), None),
    ("008", "view", dt.datetime(2025, 3, 1, 9), None),
]


def rows_of(events):
    return sorted((tuple(row.values()) for row in events.rows.to_pyarrow().to_pylist()), key=str)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "events.csv").write_text(LINES)
    (tmp_path / "events.csv.gz").write_bytes(gzip.compress(LINES.encode()))
    frame = pd.read_csv(tmp_path / "events.csv", dtype={"who": str}, parse_dates=["when"])
    frame.to_parquet(tmp_path / "events.parquet")
    return tmp_path


def source_of(kind, folder):
    if kind == "frame":
        return pd.read_parquet(folder / "events.parquet")
    if kind == "table":
        return ibis.duckdb.connect().read_parquet(folder / "events.parquet")
    return str(folder / f"events.{kind}")


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet", "frame", "table"])
def test_every_source_gives_the_same_rows_and_accounts_for_all_of_them(folder, kind):
    events = crm.read_events(source_of(kind, folder), columns=COLUMNS, **SPAN)
    assert rows_of(events) == KEPT
    assert events.attributes == ("device",)
    assert events.set_aside == {
        "entity missing": 1,
        "event missing": 1,
        "time missing": 1,
        "before observed_from": 1,
        "after observed_until": 1,
    }
    assert events.n_rows_in == 10
    assert events.set_aside_rows.count().to_pyarrow().as_py() == 5
    assert events.verdict.n_kept == len(KEPT)


def defect(verdict, name):
    return next(each for each in verdict.defects if each.name == name)


def test_duplicates_are_counted_and_kept_unless_the_caller_says_so(folder):
    events = crm.read_events(str(folder / "events.csv"), columns=COLUMNS, **SPAN)
    assert defect(events.verdict, "exact duplicate").n_rows == 1
    dropped = crm.read_events(str(folder / "events.csv"), columns=COLUMNS, drop_duplicates=True, **SPAN)
    assert dropped.set_aside["exact duplicate"] == 1
    assert rows_of(dropped) == KEPT[:-1]


def test_rows_alike_but_in_a_column_that_is_not_mapped_are_no_duplicates():
    log = pd.DataFrame({"who": ["1", "1"], "what": "a", "when": "2025-01-01", "platform": "x", "n": [1, 2]})
    assert crm.check_events(log, columns=COLUMNS).status == "PASS"


def test_ties_are_a_defect_only_where_strict_order_is_asked(folder):
    path = str(folder / "events.csv")
    loose, strict = (crm.check_events(path, columns=COLUMNS, strict_order=s, **SPAN) for s in (False, True))
    assert "events at the same moment" not in [each.name for each in loose.defects]
    tied = defect(strict, "events at the same moment")
    assert tied.n_rows == 2
    assert "in 1 moments these are different events" in tied.found
    assert tied.bias.startswith("steps at one moment are taken in their declared order: rates lean high")
    late = defect(strict, "rows out of order")
    assert (late.n_rows, late.bias) == (1, "none: each entity's rows are in order")


def test_the_order_of_the_rows_changes_nothing(folder):
    log = pd.read_parquet(folder / "events.parquet")
    shuffled = log.sample(frac=1.0, random_state=3)
    first, second = (
        crm.read_events(each, columns=COLUMNS, strict_order=True, **SPAN) for each in (log, shuffled)
    )
    assert rows_of(first) == rows_of(second)
    assert first.verdict == second.verdict


def test_rows_above_a_later_one_of_their_entity_are_told(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("who,what,when,platform\n1,a,2025-01-02 00:00:00,x\n1,b,2025-01-01 00:00:00,x\n")
    found = crm.check_events(str(path), columns=COLUMNS, strict_order=True)
    assert "steps seem to have happened backwards" in defect(found, "rows out of order").bias


def test_attributes_keep_their_type_and_their_name():
    log = pd.DataFrame(
        {
            "who": [1, 2],
            "what": ["a", "b"],
            "when": pd.to_datetime(["2025-01-01", "2025-01-02"]),
            "price": [1.25, float("nan")],
            "paid": [True, False],
        }
    )
    columns = {k: COLUMNS[k] for k in ("entity_id", "event", "occurred_at")} | {
        "设备": "paid",
        "price": "price",
    }
    events = crm.read_events(log, columns=columns)
    assert events.attributes == ("设备", "price")
    found = {row["entity_id"]: (row["设备"], row["price"]) for row in events.rows.to_pyarrow().to_pylist()}
    assert found == {"1": (True, 1.25), "2": (False, None)}


def test_attributes_may_have_any_other_name(folder):
    names = ["n", "total", "hash", "above", "before", "copy", 'a"b; --', "=1+1"]
    columns = COLUMNS | dict.fromkeys(names, "platform")
    path = str(folder / "events.csv")
    for drop in (False, True):
        events = crm.read_events(path, columns=columns, strict_order=True, drop_duplicates=drop, **SPAN)
        assert events.attributes == ("device", *names)
        assert len(rows_of(events)) == len(KEPT) - drop


def test_times_of_another_zone_become_local():
    log = pd.DataFrame({"who": ["1"], "what": "a", "when": ["2025-01-01T23:30:00Z"], "platform": "x"})
    events = crm.read_events(log, columns=COLUMNS, timezone="Asia/Shanghai", observed_from="2025-01-02")
    assert rows_of(events)[0][2] == dt.datetime(2025, 1, 2, 7, 30)


def test_both_days_of_the_span_are_whole():
    moments = ["2025-02-27T23:59:59.999999", "2025-02-28", "2025-03-31T23:59:59.999999", "2025-04-01"]
    log = pd.DataFrame(
        {"who": "1", "what": "a", "when": pd.to_datetime(moments, format="ISO8601"), "platform": "x"}
    )
    events = crm.read_events(log, columns=COLUMNS, **SPAN)
    kept = [row[2] for row in rows_of(events)]
    assert rows_of(events.as_of("2025-02-27")) == []
    assert kept == [dt.datetime(2025, 2, 28), dt.datetime(2025, 3, 31, 23, 59, 59, 999999)]


def test_as_of_an_earlier_day(folder):
    events = crm.read_events(str(folder / "events.csv"), columns=COLUMNS, **SPAN)
    early = events.as_of("2025-03-01")
    assert rows_of(early) == [row for row in KEPT if row[2] < dt.datetime(2025, 3, 2)]
    assert early.observed_until == dt.date(2025, 3, 1)
    with pytest.raises(ConfigError, match="as_of 2025-04-01 lies after observed_until 2025-03-31"):
        events.as_of("2025-04-01")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": COLUMNS | {"occurred_at": "gone"}}, "no column 'gone' (for occurred_at)"),
        ({"max_set_aside": 0.1}, "50.0% of 10 rows would be set aside, 10.0% are allowed"),
        (
            {"observed_from": "2025-05-01", "observed_until": "2025-05-31", "max_set_aside": 1.0},
            "no rows are left",
        ),
    ],
)
def test_refusals_say_what_is_wrong(folder, changes, words):
    with pytest.raises(DataError) as error:
        crm.read_events(str(folder / "events.csv"), **({"columns": COLUMNS} | SPAN | changes))
    assert words in str(error.value)
    assert error.value.verdict.status == "REFUSE"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": COLUMNS | {"reason": "what"}}, r"\['reason'\] cannot be names of attributes"),
        ({"columns": COLUMNS | {"source:x": "what"}}, "cannot be names of attributes"),
        (
            {"columns": COLUMNS | {"Event": "what"}},
            r"\['Event'\] cannot be .* differ only in capital letters",
        ),
        ({"observed_from": "2025-04-01"}, "observed_until 2025-03-31 lies before observed_from 2025-04-01"),
    ],
)
def test_arguments_that_cannot_be_are_refused(folder, changes, words):
    with pytest.raises(ConfigError, match=words):
        crm.read_events(str(folder / "events.csv"), **({"columns": COLUMNS} | SPAN | changes))


def test_a_parquet_file_stays_where_it_is(folder):
    engine = connect()
    events = crm.read_events(str(folder / "events.parquet"), columns=COLUMNS, engine=engine, **SPAN)
    stored = engine.raw_sql("SELECT max(estimated_size) FROM duckdb_tables()").fetchone()[0]
    # Hashes that are there twice are written down, no rows.
    assert stored < len(KEPT)
    assert rows_of(events) == KEPT


@pytest.mark.skipif(not SHARED.is_file(), reason="shared data not there")
@pytest.mark.parametrize(("entity", "n"), [("session_id", 3605), ("user_id", 600)])
def test_clicks_of_a_shop(entity, n):
    columns = {"entity_id": entity, "event": "event", "occurred_at": "timestamp", "platform": "platform"}
    events = crm.read_events(str(SHARED), columns=columns, strict_order=True)
    assert events.n_rows_in == events.verdict.n_kept == 31_106
    assert events.rows.entity_id.nunique().to_pyarrow().as_py() == n
    assert defect(events.verdict, "rows out of order").n_rows == 586
    assert defect(events.verdict, "events at the same moment").n_rows == 163
