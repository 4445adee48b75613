"""Deals as CRMs export them: what is proposed, once confirmed, reads the pipeline that was exported."""

import tomllib

import deal_exports as exports
import pandas as pd
import pytest

import crm_analysis as crm
from crm_analysis.doors.proposal.deal_shape import recognise_shape
from crm_analysis.doors.proposal.deals import looks_like_deals, propose_deals
from crm_analysis.doors.proposal.looks import Looked
from crm_analysis.doors.sources import connect
from crm_analysis.doors.sources.files import open_source
from crm_analysis.doors.sources.opened import Options

STEPS = exports.steps()
CHINESE = exports.CHINESE
FILES = {
    "salesforce report": (exports.salesforce_history, "history"),
    "salesforce object": (exports.salesforce_object, "history"),
    "salesforce fields": (exports.salesforce_fields, "history"),
    "salesforce now": (exports.salesforce_now, "current stage"),
    "hubspot": (exports.hubspot, "stage dates"),
    "hubspot, two pipelines": (exports.hubspot_two, "stage dates"),
    "pipedrive": (exports.pipedrive, "current stage"),
    "zoho": (exports.zoho, "history"),
    "dynamics": (exports.dynamics, "current stage"),
    "chinese history": (exports.chinese_history, "history"),
    "chinese now": (exports.chinese_now, "current stage"),
    "snapshots": (exports.snapshots, "snapshots"),
}
# Of these the file shows no order of the stages.
WITHOUT_ORDER = ("pipedrive", "chinese now")


def looked(table, folder):
    path = folder / "deals.csv"
    table.to_csv(path, index=False)
    return Looked(open_source(str(path), Options(), connect(), []), Options())


def confirmed(lines):
    """Settings of the proposal after somebody removed every # of a line that is to hold."""
    keys = ("stages", "lost", "snapshot_at", "pipeline")
    held = [line.removeprefix("# ") if line.startswith(tuple(f"# {key} = " for key in keys)) else line
            for line in lines]  # fmt: skip
    return tomllib.loads("\n".join(held))["firms"]["a"]["pipeline"]["columns"], tomllib.loads(
        "\n".join(line for line in held[: held.index("[firms.a.pipeline.columns]")])
    )


def truth():
    """Deals of each outcome, and in which stage each was lost."""
    now = exports.ends(STEPS)
    outcome = now["stage"].map({"Closed Won": "won", "Closed Lost": "lost"}).fillna("open")
    return outcome.value_counts().to_dict(), now.loc[outcome == "lost", "last"].value_counts().to_dict()


@pytest.mark.parametrize("name", FILES)
def test_a_proposal_that_is_confirmed_reads_what_was_exported(name, tmp_path):
    export, shape = FILES[name]
    table = looked(export(STEPS), tmp_path)
    assert looks_like_deals(table)
    columns, said = confirmed(propose_deals(table))
    assert said["shape"] == shape
    if name in WITHOUT_ORDER:
        assert len(said["stages"]) == 4
    else:
        plain = [stage.split("-")[-1] for stage in said["stages"]]
        assert plain[:3] in (list(exports.STAGES[:3]), [CHINESE[stage] for stage in exports.STAGES[:3]])
    at = said.pop("snapshot_at")
    assert at <= exports.AT
    pipeline = crm.read_pipeline(
        tmp_path / "deals.csv", columns=columns, snapshot_at=exports.AT, timezone="Asia/Shanghai", **said
    )
    deals = pipeline.opportunities.to_pandas()
    outcomes, lost_in = truth()
    if name == "salesforce fields":
        # Who never left the first stage is in no row.
        never = STEPS.groupby("id")["stage"].nunique().eq(1).sum()
        outcomes["open"] -= never
    assert deals["outcome"].value_counts().to_dict() == outcomes
    assert pipeline.verdict.n_kept == pipeline.n_rows_in
    if pipeline.furthest_known and name not in WITHOUT_ORDER:
        lost = deals.loc[deals["outcome"] == "lost", "furthest_stage_number"]
        numbers = {exports.STAGES.index(stage): n for stage, n in lost_in.items()}
        assert lost.value_counts().to_dict() == numbers


def test_nothing_that_has_to_be_known_is_settled(tmp_path):
    lines = propose_deals(looked(exports.hubspot_two(STEPS), tmp_path))
    for key in ("stages", "lost", "snapshot_at", "pipeline"):
        assert any(line.startswith(f"# {key} = ") and "confirm" in line for line in lines)
        assert not any(
            line.startswith(f"{key} = ") for line in lines[: lines.index("[firms.a.pipeline.columns]")]
        )


def test_the_columns_that_salesforce_calls_alike_are_told_apart(tmp_path):
    found = recognise_shape(looked(exports.salesforce_history(STEPS), tmp_path)).columns
    assert (found["stage"], found["from_stage"]) == ("To Stage", "From Stage")
    assert (found["entered_at"], found["created_at"]) == ("Edit Date", "Created Date")
    assert "closed_at" not in found
    found = recognise_shape(looked(exports.salesforce_object(STEPS), tmp_path))
    assert found.columns["opportunity_id"] == "OpportunityId"
    assert found.why == "2.9 rows per 'OpportunityId', each with a time of its own ('CreatedDate')"


def test_a_plan_is_no_closing(tmp_path):
    found = recognise_shape(looked(exports.dynamics(STEPS), tmp_path)).columns
    assert found["closed_at"] == "Actual Close Date"
    found = recognise_shape(looked(exports.chinese_now(STEPS), tmp_path)).columns
    assert found["closed_at"] == "实际成交日期"


def test_the_stages_of_the_larger_pipeline_are_proposed(tmp_path):
    found = recognise_shape(looked(exports.hubspot_two(STEPS), tmp_path))
    assert found.pipeline == "Sales Pipeline"
    assert found.pipelines == ("Renewals", "Sales Pipeline")
    assert all("(Sales Pipeline)" in column and "entered" in column for column in found.stages.values())


def test_flags_say_what_a_stage_means_where_its_name_does_not(tmp_path):
    table = exports.salesforce_now(STEPS)
    table["StageName"] = table["StageName"].replace({"Closed Won": "Signed", "Closed Lost": "No go"})
    _, said = confirmed(propose_deals(looked(table, tmp_path)))
    assert said["stages"][-1] == "Signed"
    assert said["lost"] == ["No go"]


def test_stages_without_a_won_one_are_a_question(tmp_path):
    table = exports.zoho(STEPS[~STEPS["stage"].isin(["Closed Won", "Closed Lost"])])
    lines = propose_deals(looked(table, tmp_path))
    assert "# confirm: no stage seems to mean won; the last of stages is the won one" in lines
    assert any("no stage seems to mean lost" in line for line in lines)


def test_snapshots_are_days_that_many_share(tmp_path):
    table = exports.zoho(STEPS)
    assert recognise_shape(looked(table, tmp_path)).shape == "history"
    same = table.assign(**{"Modified Time": table.groupby("Deal Id").cumcount().map("0{}/01/2025".format)})
    same["Modified Time"] = same["Modified Time"].str.replace("00/", "13/")
    assert recognise_shape(looked(same, tmp_path)).shape == "snapshots"


def test_orders_do_not_look_like_deals(tmp_path):
    orders = pd.DataFrame(
        {"Order ID": ["1", "2"], "Date": ["2025-01-31"] * 2, "Customer ID": ["a", "b"], "Total": [1, 2]}
    )
    assert not looks_like_deals(looked(orders, tmp_path))


@pytest.mark.parametrize(
    ("phone", "email", "expected"),
    [("Phone", "E-mail", "Expected Close Date"), ("联系电话", "邮箱", "预计成交日期")],
)
def test_whom_to_call_and_when_the_decision_is_expected(phone, email, expected, tmp_path):
    table = exports.salesforce_history(STEPS).assign(
        **{phone: "057188", email: "a@b.example", expected: "2025-03-01"}
    )
    columns, _ = confirmed(propose_deals(looked(table, tmp_path)))
    found = (columns["phone"], columns["email"], columns["expected_close"])
    assert found == (phone, email, expected)
