"""Pipelines as CRMs write them: outcomes beside stages, fields, renamed stages, dated folders, twins."""

import datetime as dt
from pathlib import Path

import deal_exports as exports
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crm_analysis as crm
from crm_analysis.doors.pipeline.names import plain
from crm_analysis.doors.pipeline.outcomes import meaning
from crm_analysis.doors.pipeline.snapshot_days import days_of
from crm_analysis.errors import ConfigError, DataError

STEPS = exports.steps()
STAGES = ("Lead", "Proposal", "Won")
AT = "2025-06-30"
NOW = {
    "opportunity_id": "id",
    "stage": "stage",
    "outcome": "status",
    "created_at": "created",
    "closed_at": "closed",
}


def defects_of(pipeline):
    return {defect.name: defect for defect in pipeline.verdict.defects}


def deals_of(pipeline, *columns):
    rows = pipeline.opportunities.to_pyarrow().to_pylist()
    return {row["opportunity_id"]: tuple(row[column] for column in columns) for row in rows}


def history(*rows, columns=("id", "stage", "at"), **changes):
    """Long history of (id, stage, "MM-DD") and whatever `columns` says more."""
    table = pd.DataFrame(rows, columns=list(columns))
    table["at"] = pd.to_datetime("2025-" + table["at"])
    names = {"opportunity_id": "id", "stage": "stage", "entered_at": "at"}
    names |= {c: c for c in columns if c not in ("id", "stage", "at", "which", "field")}
    arguments = {"columns": names | changes.pop("more", {}), "stages": STAGES, "snapshot_at": AT} | changes
    return crm.read_pipeline(table, **arguments)


def now(*rows, **changes):
    """One row per deal: id, stage, status, created, closed ("MM-DD")."""
    table = pd.DataFrame(rows, columns=list(NOW.values()))
    for column in ("created", "closed"):
        table[column] = pd.to_datetime("2025-" + table[column])
    arguments = {"columns": NOW, "shape": "current stage", "stages": STAGES, "snapshot_at": AT} | changes
    return crm.read_pipeline(table, **arguments)


DEALS = [
    ("a", "Lead", "Lost", "01-01", "01-10"),
    ("b", "Proposal", " lost", "01-01", "02-01"),
    ("c", "Proposal", "WON", "01-01", "03-01"),
    ("d", "Proposal", "Open", "01-01", None),
    ("e", "Lead", "open", "01-02", None),
]


# An outcome beside the stage -------------------------------------------------------------------------------


def test_the_stage_in_which_a_deal_was_lost_is_its_furthest():
    pipeline = now(*DEALS)
    assert deals_of(pipeline, "outcome", "current_stage", "furthest_stage_number") == {
        "a": ("lost", "Lost", 0),
        "b": ("lost", "Lost", 1),
        "c": ("won", "Won", 2),
        "d": ("open", "Proposal", 1),
        "e": ("open", "Lead", 0),
    }
    assert pipeline.furthest_known
    assert "taken as the furthest; when it was entered is not known" in (
        defects_of(pipeline)["last stage taken as furthest"].found
    )
    steps = {(r["opportunity_id"], r["sequence"]): (r["stage"], r["entered_on"])
             for r in pipeline.history.to_pyarrow().to_pylist()}  # fmt: skip
    assert steps["a", 0] == ("Lead", dt.date(2025, 1, 1))
    assert steps["a", 1] == ("Lost", dt.date(2025, 1, 10))
    assert steps["b", 0] == ("Proposal", None)
    assert steps["d", 0] == ("Proposal", None)
    assert len(steps) == 8


def test_stage_rates_work_where_the_last_stage_is_known():
    counts = crm.funnel.count_stages(now(*DEALS), window="60 days")
    table = counts.table[["n_entered", "n_advanced", "n_lost", "n_open"]]
    assert table.to_numpy().tolist() == [[5, 3, 1, 1], [3, 1, 1, 1], [1, 1, 0, 0]]
    assert counts.who("Proposal") == ["d"]
    # Lost after the window: still open in its last stage at its end.
    early = crm.funnel.count_stages(now(*DEALS), window="20 days")
    assert early.who("Proposal") == ["b", "c", "d"]


def test_an_earlier_day_does_not_know_the_last_stage():
    then = now(*DEALS).as_of("2025-01-20")
    assert deals_of(then, "outcome", "furthest_stage_number")["b"] == ("open", None)
    assert not then.furthest_known
    with pytest.raises(DataError, match="hides how far lost opportunities came"):
        crm.funnel.count_stages(then, window="10 days")


def test_words_that_are_not_known_are_asked_for():
    rows = [*DEALS, ("f", "Lead", "Abandoned", "01-03", "01-09")]
    with pytest.raises(
        DataError, match=r"\['Abandoned'\]; say what each means, such as outcomes = \{ 'Abandoned'"
    ):
        now(*rows)
    assert deals_of(now(*rows, outcomes={"Abandoned": "lost"}), "outcome")["f"] == ("lost",)
    with pytest.raises(ConfigError, match="each word is 'won', 'lost', 'open'"):
        now(*rows, outcomes={"Abandoned": "gone"})


def test_an_outcome_that_is_missing_or_contradicts_its_stage_sets_the_row_aside():
    rows = [*DEALS, ("f", "Lead", None, "01-03", None), ("g", "Won", "Open", "01-03", "01-09")]
    pipeline = now(*rows, max_set_aside=0.5)
    assert pipeline.set_aside == {"outcome missing": 1, "outcome against stage": 1}
    with pytest.raises(ConfigError, match="needs lost"):
        now(*DEALS, lost=[])


def test_days_of_wins_and_losses_may_have_columns_of_their_own():
    pipeline = crm.read_pipeline(
        exports.pipedrive(STEPS),
        shape="current stage",
        columns={"opportunity_id": "Deal - ID", "stage": "Deal - Stage", "outcome": "Deal - Status",
                 "created_at": "Deal - Deal created", "won_at": "Deal - Won time",
                 "lost_at": "Deal - Lost time"},
        stages=[*exports.STAGES[:3], "Won"],
        snapshot_at=AT,
    )  # fmt: skip
    closed = exports.ends(STEPS)["closed"].dt.date.tolist()
    found = deals_of(pipeline, "closed_on")
    assert [found[str(i + 1)][0] for i in range(24)] == [day if pd.notna(day) else None for day in closed]
    with pytest.raises(DataError, match="no column is mapped to closed_at"):
        now(*DEALS, columns={k: v for k, v in NOW.items() if k != "closed_at"})


def test_a_plan_to_close_does_not_close():
    pipeline = now(("a", "Lead", "Open", "01-01", "01-31"), ("b", "Won", "Won", "01-01", "01-31"))
    assert deals_of(pipeline, "outcome", "closed_on")["a"] == ("open", None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("8 - Closed Won (100%)", "won"), ("已赢单", "won"), ("Gewonnen", "won"), ("gagnée", "won"),
     ("Verloren", "lost"),
     ("Closed_Lost", "lost"), ("输单", "lost"), ("perdu", "lost"), ("Wonderful", "open"),
     ("Proposal", "open"), ("未成交", "lost")],
)  # fmt: skip
def test_names_mean_won_or_lost(name, expected):
    assert meaning(name) == expected


# Dates per stage, and a day of closing ---------------------------------------------------------------------

DATED = pd.DataFrame(
    [("a", "01-01", None, None, "Lost", "01-20"), ("b", "01-01", "01-05", None, "Won", "02-01"),
     ("c", "01-01", "01-05", "01-09", "Open", "01-09"), ("d", "01-02", None, None, "Lost", None)],
    columns=["id", "lead", "proposal", "won", "status", "closed"],
)  # fmt: skip
DATED_COLUMNS = {
    "opportunity_id": "id",
    "outcome": "status",
    "closed_at": "closed",
    "stages": {"Lead": "lead", "Proposal": "proposal", "Won": "won"},
}


def dated(**changes):
    table = DATED.copy()
    for column in ("lead", "proposal", "won", "closed"):
        table[column] = pd.to_datetime("2025-" + table[column])
    arguments = {"columns": DATED_COLUMNS, "shape": "stage dates", "stages": STAGES, "snapshot_at": AT}
    return crm.read_pipeline(table, **(arguments | changes))


def test_an_outcome_ends_what_no_stage_date_ends():
    pipeline = dated(max_set_aside=0.5)
    assert deals_of(pipeline, "outcome", "closed_on", "furthest_stage_number") == {
        "a": ("lost", dt.date(2025, 1, 20), 0),
        "b": ("won", dt.date(2025, 2, 1), 2),
        "c": ("open", None, 1),
    }
    assert pipeline.set_aside == {"closed without a date": 1}
    assert defects_of(pipeline)["open with a date of closing"].examples == (
        "opportunity_id c, outcome_word Open",
    )


def test_deals_of_two_pipelines_keep_to_their_columns():
    columns = {
        "opportunity_id": "Record ID",
        "pipeline": "Pipeline",
        "stages": {s: f"Date entered '{s}' (Sales Pipeline)" for s in (*exports.STAGES, exports.LOST)},
    }
    arguments = {"columns": columns, "shape": "stage dates", "stages": exports.STAGES, "lost": [exports.LOST]}
    pipeline = crm.read_pipeline(
        exports.hubspot_two(STEPS), pipeline="Sales Pipeline", snapshot_at=AT, **arguments
    )
    assert pipeline.n_rows_in == 24
    assert pipeline.verdict.reading[-1] == "the 24 of 28 rows with pipeline 'Sales Pipeline'"


# Rows that are meant, and the stage that was left -----------------------------------------------------------


def test_only_the_rows_of_one_field_are_read():
    rows = [
        ("a", "Lead", "01-01", "StageName"),
        ("a", "5000", "01-02", "Amount"),
        ("a", "Won", "01-09", "StageName"),
    ]
    columns = ("id", "stage", "at", "field")
    pipeline = history(*rows, columns=columns, only={"field": "StageName"})
    assert pipeline.verdict.reading[-1] == "the 2 of 3 rows with field 'StageName'"
    assert pipeline.n_rows_in == 2
    with pytest.raises(
        DataError, match=r"only asks for field \['Stage'\], which no row has; values there: \['Am"
    ):
        history(*rows, columns=columns, only={"field": "Stage"})
    with pytest.raises(ConfigError, match="only names the column 'Feld'"):
        history(*rows, columns=columns, only={"Feld": "StageName"})


FROM = ("id", "stage", "at", "from_stage")


def test_the_stage_that_the_first_row_leaves_was_entered():
    pipeline = history(("a", "Proposal", "01-09", "Lead"), ("b", "Lead", "01-03", "Proposal"), columns=FROM)
    assert deals_of(pipeline, "current_stage", "first_stage_number", "furthest_stage_number") == {
        "a": ("Proposal", 0, 1),
        "b": ("Lead", 1, 1),
    }
    assert defects_of(pipeline)["first stage not dated"].n_rows == 2


def test_a_day_of_creation_dates_the_stage_that_the_first_row_leaves():
    rows = [("a", "Proposal", "01-09", "Lead", pd.Timestamp("2025-01-02"))]
    pipeline = history(*rows, columns=(*FROM, "created_at"))
    steps = [(row["stage"], row["entered_on"].day) for row in pipeline.history.to_pyarrow().to_pylist()]
    assert steps == [("Lead", 2), ("Proposal", 9)]
    assert "first stage not dated" not in defects_of(pipeline)


def test_a_stage_that_was_left_and_never_entered_is_a_hole():
    rows = [("a", "Lead", "01-01", None), ("a", "Won", "01-09", "Proposal")]
    found = defects_of(history(*rows, columns=FROM))["steps missing"]
    assert found.examples == ("opportunity_id a, before Lead, from_stage Proposal, stage Won",)
    assert "steps missing" not in defects_of(history(*[rows[0], (*rows[1][:3], "Lead")], columns=FROM))


def test_entries_before_creation_are_flagged():
    rows = [
        ("a", "Lead", "01-01", pd.Timestamp("2025-01-02")),
        ("b", "Lead", "01-02", pd.Timestamp("2025-01-02")),
    ]
    found = defects_of(history(*rows, columns=("id", "stage", "at", "created_at")))
    assert found["entered before created"].n_rows == 1


def test_an_opportunity_that_changed_its_pipeline_is_flagged():
    rows = [("a", "Lead", "01-01", "X"), ("a", "Won", "01-05", "Y"), ("b", "Lead", "01-01", "X")]
    # Between two other pipelines: none of ours.
    rows += [("c", "Lead", "01-01", "Y"), ("c", "Won", "01-05", "Z")]
    pipeline = history(
        *rows, columns=("id", "stage", "at", "which"), more={"pipeline": "which"}, pipeline="X"
    )
    found = defects_of(pipeline)["in several pipelines"]
    assert (found.n_rows, found.examples) == (1, ("opportunity_id a",))


# Names of stages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [" proposal ", "PROPOSAL", "Proposal (50%)", "2. Proposal", "Proposal\u00a0", "Ｐroposal"]
)
def test_a_variant_of_a_declared_name_is_named(name):
    assert plain(name) == plain("Proposal")
    with pytest.raises(DataError) as error:
        history(("a", "Lead", "01-01"), ("a", name, "01-05"))
    assert "= 'Proposal' } (the same names but for case, blanks, signs, numbers" in str(error.value)


def renamed(day_of_the_new):
    """Deals that begin in Lead until the end of January, and in Prospect from a day on."""
    rows = [(f"o{i}", "Lead", f"01-{i + 10}") for i in range(20)]
    rows += [(f"o{i}", "Proposal", f"01-{i + 11}") for i in range(20)]
    rows += [(f"n{i}", "Prospect", f"{day_of_the_new}-{i + 10}") for i in range(15)]
    return rows + [(f"n{i}", "Proposal", f"{day_of_the_new}-{i + 12}") for i in range(15)]


def test_a_name_that_takes_over_is_proposed_as_a_rename():
    rows = [row if row[2] < "02" else (*row[:2], f"02-{int(row[2][3:]) - 8:02d}") for row in renamed("02")]
    with pytest.raises(DataError) as error:
        history(*rows)
    assert str(error.value).endswith(
        "renamed_stages = { 'Prospect' = 'Lead' } ('Lead' was last entered on 2025-01-29, 'Prospect' first "
        "on 2025-02-02, between the same stages)"
    )


@pytest.mark.parametrize("month", ["01", "03"])
def test_a_name_beside_another_or_much_later_is_no_rename(month):
    with pytest.raises(DataError) as error:
        history(*renamed(month))
    assert str(error.value).endswith("such as renamed_stages = { 'Prospect' = 'Lead' }")


def test_two_names_of_the_same_few_days_are_no_rename():
    rows = [(f"{name}{i}", stage, f"01-{day + i:02d}") for name in ("Lead", "Prospect") for i in range(4)
            for stage, day in ((name, 10), ("Proposal", 12))]  # fmt: skip
    with pytest.raises(DataError) as error:
        history(*rows)
    assert str(error.value).endswith("such as renamed_stages = { 'Prospect' = 'Lead' }")


def test_moves_against_the_declared_order_are_flagged():
    rows = [
        (f"o{i}", stage, f"01-{day:02d}") for i in range(10) for stage, day in (("Proposal", 2), ("Lead", 5))
    ]
    rows.append(("w", "Won", "01-05"))
    found = defects_of(history(*rows))
    assert (
        "10 of 10 moves between 'Lead' and 'Proposal' go back" in found["against the order of stages"].found
    )
    assert "against the order of stages" not in defects_of(history(*rows[2:]))
    assert found["won at once"].found.startswith("DataFrame: 1 of 1 wins")


def test_a_declared_stage_that_nothing_entered_is_flagged():
    found = defects_of(history(("a", "Lead", "01-01"), ("a", "Won", "01-03")))
    assert "nothing ever entered ['Proposal']" in found["stages never entered"].found


# Twins and amounts ------------------------------------------------------------------------------------------


def test_ids_of_two_lengths_and_ids_in_two_cases_are_flagged():
    short, other = "006000000000AbC", "006000000000abC"
    rows = [(deal, "Lead", "01-01") for deal in (short, f"{short}QAZ", other, "D-7", "d-7", "D-8")]
    found = defects_of(history(*rows))
    assert found["ids with 15 and 18 characters"].n_rows == 2
    # In 15 characters the case counts: those are two records.
    assert found["ids that differ in case"].examples == ("'D-7' and 'd-7'",)


def test_wins_for_nothing_and_amounts_below_zero_are_flagged():
    rows = [
        ("a", "Won", "01-01", 0.0),
        ("b", "Won", "01-01", 5.0),
        ("c", "Lead", "01-01", -1.0),
        ("d", "Lead", "01-01", 0.0),
    ]
    found = defects_of(history(*rows, columns=("id", "stage", "at", "amount")))
    assert found["won for nothing"].examples == ("opportunity_id a",)
    assert found["amount below zero"].n_rows == 1


# Snapshots --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["deals_2025-01-31.csv"], "2025-01-31"),
        (["20250131060000 deals.csv"], "2025-01-31"),
        (["deals 31.01.2025.csv"], "2025-01-31"),
        (["deals 02.01.2025.csv"], "2025-01-02"),
        (["31-Jan-2025.csv"], "2025-01-31"),
        (["Deals Jan 31, 2025.csv"], "2025-01-31"),
        (["商机2025年1月31日.csv"], "2025-01-31"),
        (["2025-01-31/deals.csv"], "2025-01-31"),
        (["2024/2025-01-31/deals.csv"], "2025-01-31"),
        (["02-01-2025.csv", "31-01-2025.csv"], "2025-01-02"),
        (["02-01-2025.csv", "01-31-2025.csv"], "2025-02-01"),
    ],
)
def test_the_day_of_a_snapshot_is_in_its_name_or_its_folder(names, expected):
    root = Path("/somewhere/2020-01-01")
    assert str(days_of([root / name for name in names], root)[root / names[0]]) == expected


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["deals_Jan-2025.csv"], "carries a month, 'Jan-2025', and not the day"),
        (["deals_202501.csv"], "carries a month, '202501', and not the day"),
        (["2025-01-31_to_2025-02-28.csv"], "does not carry one date"),
        (["02-01-2025.csv", "03-01-2025.csv"], "can be read day first or month first; set dates"),
        (["13-01-2025.csv", "01-13-2025.csv"], "can be read day first or month first; set dates"),
        (["31.02.2025.csv"], "does not carry one date"),
    ],
)
def test_a_name_without_one_day_is_refused(names, sentence):
    with pytest.raises(ConfigError, match=sentence):
        days_of([Path("/root") / name for name in names], Path("/root"))


def snapshots(folder, days, **changes):
    """A file per day of three deals, the second of them lost in February by its status."""
    for k, day in enumerate(days):
        folder.joinpath(day).mkdir()
        lost = day >= "2025-02"
        lines = ["id,stage,status,owner", "a,Lead,Open,ann", f"b,Proposal,{'Lost' if lost else 'Open'},bob"]
        if not k:
            lines = [line.rpartition(",")[0] for line in lines]
        (folder / day / "deals.csv").write_text("\n".join(lines) + "\n")
    columns = {"opportunity_id": "id", "stage": "stage", "outcome": "status", "owner": "owner"}
    return crm.read_pipeline(
        folder, columns=columns | changes, shape="snapshots", stages=STAGES, snapshot_at=days[-1]
    )


WEEKS = ["2025-01-20", "2025-01-27", "2025-02-03", "2025-02-17", "2025-02-24"]


def test_folders_of_snapshots_with_a_hole_and_a_column_that_came(tmp_path):
    pipeline = snapshots(tmp_path, WEEKS)
    assert deals_of(pipeline, "outcome", "furthest_stage_number", "closed_on", "owner") == {
        "a": ("open", 0, None, "ann"),
        "b": ("lost", 1, dt.date(2025, 2, 3), "bob"),
    }
    steps = [(r["opportunity_id"], r["stage"]) for r in pipeline.history.to_pyarrow().to_pylist()]
    assert steps == [("a", "Lead"), ("b", "Proposal"), ("b", "Lost")]
    found = defects_of(pipeline)
    assert (
        "7 days apart, and farther in 1 places (2025-02-03 to 2025-02-17)" in found["snapshots missing"].found
    )
    assert found["owner not in all snapshots"].found.endswith(
        "1 of 5 snapshots (2025-01-20 to 2025-01-20) have no column for owner"
    )


def test_the_stage_of_a_loss_is_entered_once_whichever_snapshots_show_it():
    rows = [("2025-01-01", "Lead", "Open"), ("2025-01-08", "Proposal", "Lost"),
            ("2025-01-15", "Proposal", "Lost"), ("2025-01-22", "Proposal", "Open"),
            ("2025-01-29", "Proposal", "Lost")]  # fmt: skip
    table = pd.DataFrame(rows, columns=["day", "stage", "status"]).assign(id="x")
    columns = {"opportunity_id": "id", "stage": "stage", "outcome": "status", "snapshot_on": "day"}
    pipeline = crm.read_pipeline(
        table, columns=columns, shape="snapshots", stages=STAGES, snapshot_at="2025-01-29"
    )
    steps = [(row["stage"], row["entered_on"].day) for row in pipeline.history.to_pyarrow().to_pylist()]
    assert steps == [("Lead", 1), ("Proposal", 8), ("Lost", 8), ("Proposal", 22), ("Lost", 29)]
    assert defects_of(pipeline)["reopened"].n_rows == 1


def test_a_series_without_a_hole_is_not_flagged(tmp_path):
    assert "snapshots missing" not in defects_of(snapshots(tmp_path, [*WEEKS[:3], "2025-02-10", *WEEKS[3:]]))


def test_a_column_in_no_snapshot_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no column 'reason' \(for lost_reason\)"):
        snapshots(tmp_path, WEEKS, lost_reason="reason")


# Whatever the rows: in = kept + set aside -------------------------------------------------------------------

DAYS = st.sampled_from([None, "01-05", "02-01", "07-15"])
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from(["Lead", "Proposal", "Won", "Lost", None]),
        st.sampled_from(["Won", "Lost", "Open", None]),
        DAYS,
        DAYS,
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda row: row[0],
)


@settings(max_examples=4, deadline=None, derandomize=True)
@given(rows=ROWS)
def test_rows_in_are_rows_kept_and_rows_set_aside(rows):
    for read in (now, read_as_dates):
        try:
            pipeline = read(*rows, max_set_aside=1.0)
        except DataError as error:
            if "no rows are left" not in str(error):
                raise
            continue
        assert pipeline.n_rows_in == len(rows)
        assert pipeline.verdict.n_kept + sum(pipeline.set_aside.values()) == len(rows)
        n = pipeline.opportunities.count().to_pyarrow().as_py()
        assert n == pipeline.verdict.n_kept


def read_as_dates(*rows, **changes):
    table = pd.DataFrame(rows, columns=["id", "stage", "status", "lead", "closed"])
    for column in ("lead", "closed"):
        table[column] = pd.to_datetime("2025-" + table[column])
    table["proposal"] = table["lead"].where(table["stage"] == "Proposal")
    stages = {"Lead": "lead", "Proposal": "proposal"}
    columns = {"opportunity_id": "id", "outcome": "status", "closed_at": "closed", "stages": stages}
    return crm.read_pipeline(
        table, columns=columns, shape="stage dates", stages=STAGES, snapshot_at=AT, **changes
    )


def test_a_workspace_keeps_what_was_said_of_the_rows(tmp_path):
    pd.DataFrame({"who": ["c"], "on": ["2025-01-05"], "paid": [1]}).to_csv(
        tmp_path / "orders.csv", index=False
    )
    rows = [(*deal, "new") for deal in DEALS[1:]] + [("a", "Lead", "Dead", "01-01", "01-10", "new")]
    rows.append(("z", "Lead", "Won", "01-01", "01-10", "old"))
    table = pd.DataFrame(rows, columns=[*NOW.values(), "kind"])
    for column in ("created", "closed"):
        table[column] = "2025-" + table[column]
    table.to_csv(tmp_path / "deals.csv", index=False)
    (tmp_path / "firm.toml").write_text(WORKSPACE)
    # Read from the file, then from what is kept of it.
    for _ in range(2):
        pipeline = crm.open_workspace(tmp_path / "firm.toml").pipeline("a")
        assert deals_of(pipeline, "outcome", "furthest_stage_number")["a"] == ("lost", 0)
        assert len(deals_of(pipeline, "outcome")) == 5
        assert pipeline.furthest_known
        assert not pipeline.as_of("2025-01-05").furthest_known


WORKSPACE = """
name = "Firm"
currency = "CNY"
timezone = "Asia/Shanghai"
output = "reports"
[firms.a]
name = "A"
observed_from = 2025-01-01
observed_until = 2025-06-30
[firms.a.transactions]
source = "orders.csv"
columns = { customer_id = "who", occurred_at = "on", amount = "paid" }
[firms.a.pipeline]
source = "deals.csv"
shape = "current stage"
stages = ["Lead", "Proposal", "Won"]
snapshot_at = 2025-06-30
only = { kind = ["new"] }
outcomes = { Dead = "lost" }
[firms.a.pipeline.columns]
opportunity_id = "id"
stage = "stage"
outcome = "status"
created_at = "created"
closed_at = "closed"
"""


def test_shortened_amounts_are_read_and_flagged(tmp_path):
    rows = [
        ("a", "Won", "Won", "2025-01-13", "2025-01-20", "$342.09K"),
        ("b", "Lead", "Open", "2025-01-14", None, "$1.2K"),
    ]
    pd.DataFrame(rows, columns=[*NOW.values(), "amount"]).to_csv(tmp_path / "deals.csv", index=False)
    pipeline = crm.read_pipeline(
        tmp_path / "deals.csv", columns=NOW | {"amount": "amount"}, shape="current stage", stages=STAGES,
        snapshot_at=AT,
    )  # fmt: skip
    assert [float(row[0]) for row in deals_of(pipeline, "amount").values()] == [342_090, 1_200]
    assert "K as 1,000" in defects_of(pipeline)["rounded amounts"].found


def test_times_of_two_styles_are_read_column_by_column(tmp_path):
    rows = [
        ("a", "Won", "Won", "13/01/2025", "2025-01-20T18:30:00.000Z"),
        ("b", "Lead", "Open", "14/01/2025", None),
    ]
    pd.DataFrame(rows, columns=list(NOW.values())).to_csv(tmp_path / "deals.csv", index=False)
    pipeline = crm.read_pipeline(
        tmp_path / "deals.csv", columns=NOW, shape="current stage", stages=STAGES, snapshot_at=AT,
        timezone="Asia/Shanghai",
    )  # fmt: skip
    # In Shanghai the 20th has ended by 18:30 UTC.
    assert deals_of(pipeline, "created_on", "closed_on")["a"] == (dt.date(2025, 1, 13), dt.date(2025, 1, 21))
