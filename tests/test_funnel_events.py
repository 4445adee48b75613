"""Events counted by declared rules: as ClickHouse does, as a walk through one entity does, in two engines."""

import itertools
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
from event_machine import machine
from hypothesis import given, settings
from hypothesis import strategies as st
from published.funnel_events import START, events_of

import crm_analysis as crm
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import count_events, count_stages, step_times

SHARED = Path(__file__).parents[1] / "../shared"
MODES = {
    "default": "ordered",
    "strict_once": "ordered",
    "strict_order": "nothing between",
    "strict_deduplication": "no repeats",
    "strict_increase": "strictly later",
}
STEPS = list("ABCD")
needs_reference = pytest.mark.skipif(
    not (SHARED / "reference").is_dir(), reason="../shared/reference is absent"
)


def count(log, *, steps=STEPS, **rules):
    return count_events(log, steps=steps, known=list("ABCDXYZ"), **rules)


def reach(counts, ids) -> list[int]:
    """Steps that each entity made; 0 for who is in no count."""
    furthest = counts.members["furthest"].reindex(pd.Index(ids).astype(str))
    return (furthest + 1).fillna(0).astype(int).tolist()


def log_of(cases) -> pd.DataFrame:
    return events_of({str(k): text for k, text in enumerate(cases)})


@needs_reference
@pytest.mark.parametrize("mode", MODES)
def test_reach_is_that_of_clickhouse(mode):
    """400 random sequences, window 12."""
    cases = pd.read_csv(SHARED / "reference/windowfunnel_clickhouse_400.csv")
    counts = count(log_of(cases["events"]), order=MODES[mode], window="12 seconds")
    assert reach(counts, cases.index) == cases[mode].tolist()


@needs_reference
def test_reach_is_that_of_the_table_by_hand():
    cases = pd.read_csv(SHARED / "reference/windowfunnel_hand.csv")
    for mode, order in MODES.items():
        counts = count(log_of(cases["events"]), order=order, window="100 seconds")
        assert reach(counts, cases.index) == cases[mode].tolist(), mode
    counts = count(log_of(cases["events"]), reentry="first entry", window="100 seconds")
    assert reach(counts, cases.index) == cases.iloc[:, -1].tolist()


events = st.lists(st.tuples(st.integers(0, 25), st.sampled_from("AAABBBCCDX")), min_size=1, max_size=10)
logs = st.lists(events, min_size=1, max_size=6)
windows = st.sampled_from([None, 0, 3, 8, 20])


def frame_of(entities) -> pd.DataFrame:
    rows = [
        (str(who), event, START + pd.Timedelta(at, unit="s"))
        for who, found in enumerate(entities)
        for at, event in found
    ]
    return pd.DataFrame(rows, columns=["entity_id", "event", "occurred_at"])


def seconds(length):
    return None if length is None else f"{length} seconds"


def exists(found, window, gaps) -> int:
    """Most steps for which some events, one per step in the order of times, are within the windows."""
    by_step = [[at for at, event in found if event == step] for step in STEPS]
    for k in range(len(STEPS), 0, -1):
        for times in itertools.product(*by_step[:k]):
            rises = all(a <= b for a, b in itertools.pairwise(times))
            near = all(
                gap is None or b - a <= gap
                for gap, (a, b) in zip(gaps, itertools.pairwise(times), strict=False)
            )
            if rises and near and (window is None or times[-1] - times[0] <= window):
                return k
    return 0


@settings(max_examples=25, deadline=None)
@given(logs, windows, st.tuples(windows, windows, windows))
def test_reach_is_that_of_trying_all_chains(entities, window, gaps):
    counts = count(frame_of(entities), window=seconds(window), step_windows=[seconds(gap) for gap in gaps])
    assert reach(counts, range(len(entities))) == [exists(found, window, gaps) for found in entities]


@pytest.mark.parametrize("order", ["ordered", "strictly later", "no repeats", "nothing between"])
def test_reach_is_that_of_a_walk_through_each_entity(order):
    """The walk is ClickHouse's, which gave the same on 4,000 random sequences in each mode."""
    log, entities = many(seed=1)
    for window in (None, 0, 5, 15):
        counts = count(log, window=seconds(window), order=order)
        assert reach(counts, range(len(entities))) == [
            machine(f, STEPS, window, order).reach for f in entities
        ]


def many(seed, n=400) -> tuple[pd.DataFrame, list]:
    generator = np.random.default_rng(seed)
    entities = [
        list(zip(generator.integers(0, 30, size), generator.choice(list("AAABBBCCDX"), size), strict=True))
        for size in generator.integers(1, 12, n)
    ]
    return frame_of(entities), entities


@pytest.mark.parametrize("exclusion", ["entity leaves", "chain ends"])
@pytest.mark.parametrize("ends", [("A", "B"), ("B", "D"), ("A", "D")])
def test_excluded_events_do_what_a_walk_does(exclusion, ends):
    log, entities = many(seed=2)
    excluded = ("X", *map(STEPS.index, ends))
    for window in (None, 8):
        counts = count(log, window=seconds(window), exclude={"X": ends}, exclusion=exclusion)
        walked = [
            machine(f, STEPS, window, "ordered", excluded=excluded, exclusion=exclusion) for f in entities
        ]
        assert reach(counts, range(len(entities))) == [one.reach for one in walked]
        assert counts.n_left_out == sum(one.left for one in walked)


@pytest.mark.parametrize("window", [None, 8])
def test_times_are_those_of_the_chain_that_first_came_furthest(window):
    log, entities = many(seed=3)
    members = count(log, window=seconds(window)).members
    at = (members[[f"at_{k}" for k in range(4)]] - START).apply(lambda column: column.dt.total_seconds())
    for who, found in enumerate(entities):
        walked = machine(found, STEPS, window, "ordered")
        if walked.reach:
            assert at.loc[str(who)].dropna().tolist() == walked.times


def random_log(seed, n=60, *, names="AAABBCCDXY") -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 12, n)
    size = sizes.sum()
    at = START + pd.to_timedelta(generator.integers(0, 15, size), unit="s")
    return pd.DataFrame(
        {
            "entity_id": np.repeat([f"u{k}" for k in range(n)], sizes),
            "event": generator.choice(list(names), size),
            "occurred_at": at,
            "colour": generator.choice(["red", "blue", None], size),
        }
    )


RULES = [
    {},
    {"window": "10 seconds", "step_windows": ["5 seconds", None, "8 seconds"]},
    {"order": "strictly later", "window": "10 seconds"},
    {"order": "no repeats"},
    {"order": "nothing between", "window": "20 seconds"},
    {"order": "any order", "window": "10 seconds", "by": "colour"},
    {"reentry": "first entry", "window": "15 seconds"},
    {
        "exclude": {"X": ("A", "B"), "Y": ("B", "D")},
        "window": "12 seconds",
        "step_windows": {"B": "6 seconds"},
    },
    {"exclude": ["X"], "exclusion": "chain ends", "optional": ["B"]},
    {"optional": ["B", "C"], "window": "10 seconds"},
    {"steps": ["A", "B", "A"]},
    {
        "steps": ["A", ["B", "C"], ["C", "D"]],
        "window": "9 seconds",
        "by": "colour",
        "attribution": "first known",
    },
    {"window": "1 day", "observed_until": START.date(), "by": "colour"},
    {"by": "colour", "attribution": "last known"},
    {"by": "colour", "attribution": "C"},
]


@pytest.mark.parametrize("rules", RULES, ids=str)
def test_two_engines_give_one_answer(rules):
    """Every member with every time and attribute, whatever the order of the rows."""
    log = random_log(3)
    fast = count(log, **rules)
    engine = ibis.duckdb.connect()
    table = engine.create_table("log", log.sample(frac=1, random_state=1))
    reference = count(table, engine="expression", **rules)
    pd.testing.assert_frame_equal(fast.table, reference.table)
    columns = [name for name in fast.members if name != "colour"]
    pd.testing.assert_frame_equal(fast.members[columns], reference.members[columns])
    if "by" in rules:
        assert fast.groups("colour").equals(reference.groups("colour"))
    assert fast.n_left_out == reference.n_left_out


def test_long_logs_are_counted_in_parts(monkeypatch):
    log = random_log(5, n=300)
    whole = count(log, window="10 seconds", by="colour")
    monkeypatch.setattr("crm_analysis.funnel.counting.event_reading.LARGE", 100)
    monkeypatch.setattr("crm_analysis.funnel.counting.event_reading.WORTH_TWO", 10)
    parts = count(ibis.duckdb.connect().create_table("log", log), window="10 seconds", by="colour")
    pd.testing.assert_frame_equal(whole.table, parts.table)
    pd.testing.assert_frame_equal(whole.members, parts.members.sort_index(), check_categorical=False)


def test_twins_are_repeats_in_both_engines():
    for engine in ("memory", "expression"):
        counts = count(log_of(["A1 B2 B2 C3", "A1 A1 B2 C3"]), order="no repeats", engine=engine)
        assert counts.counts == [2, 2, 1, 0]


def test_counts_without_members():
    log = random_log(6)
    whole = count(log, order="nothing between")
    for table in (log, ibis.duckdb.connect().create_table("log", log)):
        alone = count(table, order="nothing between", keep_members=False)
        pd.testing.assert_frame_equal(alone.table, whole.table)
        with pytest.raises(ConfigError, match="without ids"):
            alone.who("A")
    with pytest.raises(ConfigError, match="belong to members"):
        count(log, by="colour", keep_members=False)


@pytest.mark.parametrize("unit", ["us", "ms", "s"])
def test_keys_that_fit_into_no_number_are_sorted_too(unit):
    """Microseconds of centuries and ids leave no room in 64 bits."""
    log = random_log(7, n=200)
    far = log.assign(occurred_at=log["occurred_at"].astype(f"datetime64[{unit}]"))
    far.loc[len(far)] = ["far", "Z", pd.Timestamp("1700-01-01 00:00:00.000001").as_unit("us"), None]
    assert count(far, window="10 seconds", exclude=["Z"]).counts == count(log, window="10 seconds").counts


@settings(max_examples=12, deadline=None)
@given(logs, st.integers(0, 20), st.integers(0, 20), st.sampled_from(["ordered", "any order"]))
def test_invariants(entities, window, wider, order):
    """Reach never rises; other orders of rows and events that are no step change nothing; wider is more."""
    log = frame_of(entities)
    narrow = count(log, window=seconds(window), order=order)
    assert all(a >= b for a, b in itertools.pairwise(narrow.counts))
    moved = count(log.iloc[::-1], window=seconds(window), order=order)
    pd.testing.assert_frame_equal(narrow.members, moved.members)
    more = pd.concat([log, log.assign(event="Z")])
    assert count(more, window=seconds(window), order=order).counts == narrow.counts
    wide = count(log, window=seconds(window + wider), order=order).counts
    assert all(a <= b for a, b in zip(narrow.counts, wide, strict=True))


def test_an_event_that_is_no_step_breaks_the_strict_order():
    assert count(log_of(["A1 B2 C3"]), order="nothing between").counts == [1, 1, 1, 0]
    assert count(log_of(["A1 Z2 B2 C3"]), order="nothing between").counts == [1, 0, 0, 0]


def test_excluded_events_by_both_rules():
    log = log_of(["A1 X2 B3"])
    assert count(log, exclude=["X"]).counts == [0, 0, 0, 0]
    assert count(log, exclude=["X"]).n_left_out == 1
    assert count(log, exclude=["X"], exclusion="chain ends").counts == [1, 0, 0, 0]
    assert count(log_of(["A1 X2 A3 B4"]), exclude=["X"], exclusion="chain ends").counts == [1, 1, 0, 0]
    assert count(log_of(["A1 B2 X3 C4"]), exclude={"X": ("A", "B")}).counts == [1, 1, 1, 0]


def test_a_repeated_step_needs_a_later_event():
    counts = count(log_of(["A1", "A1 A1", "A1 A2", "A1 A2 A3"]), steps=["A", "A", "A"])
    assert counts.stages == ("A", "A (2)", "A (3)")
    assert counts.counts == [4, 2, 1]
    assert count(log_of(["A1 B2 A2", "A1 B2 A3"]), steps=["A", "B", "A"]).counts == [2, 2, 1]


def test_a_step_may_be_several_events_and_have_a_label():
    counts = count(log_of(["A1 C2", "B1 C2", "C1"]), steps={"Basket": ["A", "B"], "Paid": "C"})
    assert counts.stages == ("Basket", "Paid")
    assert counts.counts == [2, 2]


def test_an_optional_step_may_be_left_out():
    counts = count(log_of(["A1 B2 C3", "A1 C2", "A1 B2", "A1"]), steps=["A", "B", "C"], optional=["B"])
    assert counts.counts == [4, 2, 2]
    assert counts.table["n_advanced"].tolist() == [3, 1, 2]
    assert counts.who("B", outcome="entered") == ["0", "2"]


def test_attempts_follow_one_another():
    """Two completed, one that timed out, and a first step within the time of another one."""
    log = log_of(["A0 B5 A6 B7 A20 A25 A40"])
    assert count(log, steps=["A", "B"], window="10 seconds").counts == [1, 1]
    attempts = count(log, steps=["A", "B"], window="10 seconds", count="attempts")
    assert attempts.counts == [4, 2]
    assert attempts.rules["count"] == "attempts"
    at = sorted((attempts.members["at_0"] - START).dt.total_seconds())
    assert at == [0, 6, 20, 40]


def test_an_attempt_is_over_with_its_last_event_or_after_its_window():
    """The event that completes one starts no other; at the end of the window it is not over yet."""
    assert count(log_of(["A0 B1 A2 B3 A4"]), steps=["A", "B", "A"], count="attempts").counts == [2, 1, 1]
    attempts = count(log_of(["A0 A10 A11"]), steps=["A", "B"], window="10 seconds", count="attempts")
    assert sorted((attempts.members["at_0"] - START).dt.total_seconds()) == [0, 11]


def test_young_entries_are_not_yet_known():
    """Entries are judged by their window, not by whether they led anywhere already."""
    day = pd.Timedelta(1, unit="D")
    log = pd.DataFrame(
        [
            ("old", "A", START),
            ("old", "B", START + day),
            ("young, went on", "A", START + 9 * day),
            ("young, went on", "B", START + 9 * day + day / 2),
            ("young", "A", START + 9 * day),
            ("came back", "A", START),
            ("came back", "A", START + 9 * day),
            ("came back", "B", START + 9 * day),
        ],
        columns=["entity_id", "event", "occurred_at"],
    )
    until = (START + 9 * day).date()
    counts = count(log, steps=["A", "B"], window="7 days", observed_until=until)
    assert counts.table["n_entered"].tolist() == [2, 1]
    assert counts.table["n_open"].tolist() == [1, 0]
    assert counts.table["n_not_yet_known"].tolist() == [2, 1]
    assert counts.who("A", outcome="not yet known") == ["young", "young, went on"]
    assert counts.who("A") == ["came back"]
    everybody = count(log, steps=["A", "B"], window="7 days")
    assert everybody.counts == [4, 3]
    # The window ends within the last day observed, and is over.
    assert count(log, steps=["A", "B"], window="7 days", observed_until=(START + 16 * day).date()).counts == [
        4,
        3,
    ]
    assert count(log, steps=["A", "B"], window="7 days", observed_until=(START + 15 * day).date()).counts == [
        2,
        1,
    ]


def test_entries_of_a_period():
    log = log_of(["A0 B5 A86400 B86405", "A0 A86400", "A86399 B86400"])
    first, second = START.date(), START.date() + pd.Timedelta(1, unit="D")
    counts = count(log, steps=["A", "B"], entered_from=second)
    assert counts.counts == [2, 1]
    assert count(log, steps=["A", "B"], entered_until=first).counts == [3, 2]
    attempts = count(log, steps=["A", "B"], entered_until=first, window="1 minute", count="attempts")
    assert attempts.counts == [3, 2]


@pytest.mark.parametrize(
    ("attribution", "expected"),
    [
        ("first step", {"blue": [1, 1], "(missing)": [2, 1]}),
        ("B", {"red": [1, 1], "(missing)": [2, 1]}),
        ("first known", {"blue": [1, 1], "red": [1, 1], "(missing)": [1, 0]}),
        ("last known", {"red": [2, 2], "(missing)": [1, 0]}),
    ],
)
def test_groups_are_made_after_the_counting(attribution, expected):
    """The entry that counts is the later one; the value of no event decides who is counted."""
    rows = [
        ("1", "A", 0, "red"),
        ("1", "A", 1, "blue"),
        ("1", "B", 2, None),
        ("1", "B", 9, "red"),
        ("2", "A", 0, None),
        ("2", "B", 1, "red"),
        ("3", "A", 0, None),
    ]
    log = pd.DataFrame(
        [(who, event, START + pd.Timedelta(at, unit="s"), value) for who, event, at, value in rows],
        columns=["entity_id", "event", "occurred_at", "colour"],
    )
    log.loc[0, "colour"] = None if attribution == "first known" else "red"
    counts = count(log, steps=["A", "B"], by="colour", attribution=attribution)
    assert {name: part.counts for name, part in counts.by("colour").items()} == expected


def test_times_of_what_was_tried_afterwards_do_not_count():
    counts = count(log_of(["A0 B3600 A5000 A9000 B20000", "A0"]), steps=["A", "B"])
    times = step_times(counts, percentiles=[0.5])
    assert times.loc["B", ["n", "mean", "median", "p50"]].tolist() == [1, 3600, 3600, 3600]
    since_first = step_times(count(log_of(["A0 B10 B20 C25"]), steps=["A", "B", "C"]), since="first step")
    assert since_first["mean"].tolist() == [10, 25]


def test_a_step_left_out_is_no_step_before():
    counts = count(log_of(["A0 C5", "A0 B2 C3"]), steps=["A", "B", "C"], optional=["B"])
    assert step_times(counts).loc["C", ["n", "shortest", "longest"]].tolist() == [2, 1, 5]


def test_windows_of_all_steps_say_when_an_attempt_is_over():
    log = log_of(["A0 B5", "A86400 B86405"])
    rules = {"steps": ["A", "B"], "observed_until": "2024-01-02"}
    assert count(log, step_windows=["1 day"], **rules).counts == [1, 1]
    assert count(log, step_windows=["1 day"], window="9 days", **rules).counts == [1, 1]
    assert count(log, step_windows=["9 days"], **rules).counts == [0, 0]


def test_times_of_steps_nobody_made_are_missing():
    times = step_times(count(log_of(["A0 B1"]), steps=["A", "B", "C"]))
    assert times["n"].tolist() == [1, 0]
    assert times.loc["C"].drop("n").isna().all()


def test_nobody_and_one():
    none = count(log_of(["B1"]), steps=["A", "B"])
    assert none.counts == [0, 0]
    assert none.table["share_of_previous"].isna().all()
    one = count(log_of(["A1"]), steps=["A", "B"])
    assert one.table[["n_entered", "n_open", "n_advanced"]].to_numpy().tolist() == [[1, 1, 0], [0, 0, 0]]
    assert one.table.loc["B", "share_of_previous"] == 0
    assert count(log_of(["A1"]), steps=["A"]).counts == [1]


def test_zones_and_ids_of_other_types():
    log = log_of(["A1 B2", "A1"])
    zoned = log.assign(occurred_at=log["occurred_at"].dt.tz_localize("Asia/Shanghai"))
    numbered = log.assign(entity_id=log["entity_id"].astype(int) + 5)
    assert count(zoned, steps=["A", "B"]).counts == [2, 1]
    for table in (numbered, ibis.memtable(numbered)):
        assert count(table, steps=["A", "B"]).who("B", outcome="entered") == ["5"]


def test_a_checked_log_says_when_observation_stopped(tmp_path):
    log = log_of(["A1 B2", "A86400 B86401"])
    path = tmp_path / "log.parquet"
    log.to_parquet(path)
    columns = {name: name for name in log}
    checked = crm.read_events(path, columns=columns, observed_until="2024-01-02")
    assert count(checked, steps=["A", "B"], window="1 day").counts == [1, 1]
    assert count_stages(checked, stages=["A", "B"], window="1 day").counts == [1, 1]


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (
            {"steps": ["A", "Bb"], "known": ()},
            "no event 'Bb' in the log; events there, closest first: 'B', 'A'",
        ),
        ({"steps": "AB"}, "expected a list of events"),
        ({"steps": ["A", []]}, r"no event in steps \[2\]"),
        ({"order": "sorted"}, "order 'sorted'; expected one of"),
        ({"window": "10"}, "expected a number with its unit"),
        ({"step_windows": ["1 day"]}, "expected 3 lengths"),
        ({"step_windows": {"Q": "1 day"}}, "step_windows names 'Q'"),
        ({"step_windows": {"A": "1 day"}}, "nothing comes before the first step"),
        ({"exclude": ["A"]}, r"\['A'\] are steps and excluded"),
        ({"exclude": {"X": ("B", "A")}}, "expected an earlier, a later step"),
        ({"optional": ["A"]}, "first and the last step cannot be optional"),
        ({"order": "any order", "step_windows": {"B": "1 day"}}, "no meaning"),
        ({"order": "no repeats", "exclude": ["X"]}, "goes with neither exclude nor optional"),
        ({"order": "any order", "steps": ["A", "A"]}, "in more than one step"),
        ({"count": "attempts", "reentry": "latest viable"}, "attempts follow one another"),
        ({"count": "attempts", "engine": "expression"}, "counted in memory"),
        ({"by": "colour"}, "no columns"),
        ({"attribution": "Q"}, "attribution 'Q'"),
        ({"engine": "fast"}, "expected 'memory' or 'expression'"),
    ],
    ids=str,
)
def test_refusals_say_what_to_do(rules, says):
    with pytest.raises((ConfigError, DataError), match=says):
        count_events(log_of(["A1 B2"]), **({"steps": ["A", "B", "C", "D"], "known": list("ABCDX")} | rules))


def test_logs_that_cannot_be_counted_are_refused():
    log = log_of(["A1 B2"])
    with pytest.raises(DataError, match="no events"):
        count_events(log.iloc[:0], steps=["A"])
    with pytest.raises(DataError, match=r"values are missing: \{'entity_id': 1"):
        count(log.assign(entity_id=[None, "1"]))
    with pytest.raises(DataError, match="expected times"):
        count(log.assign(occurred_at=["yesterday", "today"]))
    with pytest.raises(ConfigError, match="events are a list"):
        count([1, 2])
    with pytest.raises(ConfigError, match="without ids"):
        step_times(count_stages([10, 5]))


ECOM = SHARED / "data/retentioneering_ecom/ecom.csv.gz"
SHOP = ["cart", "shipping_details", "purchase"]


@pytest.mark.skipif(not ECOM.is_file(), reason="../shared/data/retentioneering_ecom is absent")
def test_sessions_and_users_of_a_shop():
    """Numbers of retentioneering 5.2.4 and, by windowFunnel, of ClickHouse 26.9."""
    log = pd.read_csv(ECOM).rename(columns={"timestamp": "occurred_at"})
    log["occurred_at"] = pd.to_datetime(log["occurred_at"])

    def shop(entity="session_id", **rules):
        return count_events(log, steps=SHOP, entity=entity, **rules)

    assert shop().counts == [1022, 512, 173]
    assert shop(window="10 minutes").counts == [1022, 363, 58]
    assert shop("user_id").counts == [489, 385, 213]
    assert shop("user_id", window="7 days").counts == [489, 358, 165]
    assert shop(order="nothing between").counts == [1022, 132, 21]
    assert shop(order="no repeats").counts == [1022, 512, 155]
    groups = shop(by="platform").by("platform")
    assert {name: part.counts for name, part in groups.items()} == {
        "desktop": [547, 283, 97],
        "mobile": [348, 159, 48],
        "tablet": [127, 70, 28],
    }
