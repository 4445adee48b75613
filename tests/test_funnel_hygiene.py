"""Lists of what is to be put right: duplicates, departed owners, gaps, contacts made in error."""

from pathlib import Path

import pandas as pd
import pytest

import crm_analysis as crm
from crm_analysis.errors import ConfigError
from crm_analysis.funnel.hygiene.keys import plain_email, plain_phone

ROOT = Path(__file__).parents[1]
STAGES = ["Lead", "Proposal", "Won"]
AT = "2025-06-30"
COLUMNS = ["id", "stage", "at", "owner", "amount", "phone", "email", "account"]
# 1 and 2 are one inquirer by phone, 2 and 3 by e-mail; 4 comes 31 days after 1; 5 has no key that counts.
STEPS = pd.DataFrame(
    [
        ("1", "Lead", "2025-01-01 09:00", "ann", 100.0, "+86 138-0013-8001", "A@x.example", None),
        ("1", "Lost", "2025-01-10 09:00", "ann", 100.0, "+86 138-0013-8001", "A@x.example", None),
        ("2", "Lead", "2025-01-08 09:00", "bob", 120.0, "13800138001", "b@x.example", None),
        ("2", "Proposal", "2025-01-20 09:00", "bob", 120.0, "13800138001", "b@x.example", None),
        ("3", "Lead", "2025-02-01 09:00", "bob", 90.0, None, " B@X.example ", "A7"),
        ("3", "Won", "2025-03-01 09:00", "bob", 95.0, None, " B@X.example ", "A7"),
        ("4", "Lead", "2025-02-11 09:00", "ann", 50.0, "138 0013 8001", None, None),
        ("5", "Lead", "2025-02-12 09:00", None, 10.0, "00000000", "none@none.example", None),
        ("5", "Lead", "2025-02-14 21:00", "cat", 10.0, "00000000", "none@none.example", None),
        ("5", "Lead", "2025-02-24 09:00", None, 10.0, "00000000", "none@none.example", None),
        ("5", "Proposal", "2025-03-01 09:00", "dan", 10.0, "00000000", "none@none.example", None),
        ("6", "Lead", "2025-02-12 10:00", "dan", 30.0, "00000000", "none@none.example", None),
        ("6", "Won", "2025-02-13 10:00", "eve", 30.0, "00000000", "none@none.example", "A8"),
        ("7", "Lead", "2025-05-30 23:00", None, 5.0, "0571-8888001", None, "A8"),
    ],
    columns=COLUMNS,
)
OWNERS = pd.DataFrame(
    {
        "owner": ["ann", "bob", "eve"],
        "left_at": pd.to_datetime(["2025-06-30", "2025-07-01", "2025-03-01"]),
    }
)


def pipeline_of(steps=STEPS, *, without=(), at=AT, **changes):
    columns = {
        "opportunity_id": "id",
        "stage": "stage",
        "entered_at": "at",
        "owner": "owner",
        "amount": "amount",
    }
    columns |= {"phone": "phone", "email": "email", "account_id": "account"}
    columns = {name: column for name, column in columns.items() if name not in without}
    return crm.read_pipeline(steps, columns=columns, stages=STAGES, snapshot_at=at, **changes)


@pytest.fixture(scope="module")
def pipeline():
    return pipeline_of()


@pytest.fixture(scope="module")
def duplicates(pipeline):
    return crm.funnel.duplicate_opportunities(pipeline)


# Duplicates ----------------------------------------------------------------------------------------------


def test_one_inquirer_by_phone_and_mail_is_found_once(duplicates):
    table = duplicates.table.sort_index()
    assert table["duplicate_of"].to_dict() == {"2": "1", "3": "1"}
    assert table["days_apart"].tolist() == [7, 31]
    assert table["by"].tolist() == ["phone", "email"]
    assert table["first_was_open"].tolist() == [True, False]
    assert table[["owner", "owner_before"]].to_numpy().tolist() == [["bob", "ann"], ["bob", "ann"]]
    assert table["value_at_stake"].tolist() == [120.0, 95.0]
    assert duplicates.summary.iloc[0].tolist() == [2, 7, pytest.approx(2 / 7), 215.0]


def test_within_counts_from_the_record_before_and_its_last_day_is_inside(pipeline):
    days = {
        n: len(crm.funnel.duplicate_opportunities(pipeline, within=f"{n} days").table)
        for n in (6, 7, 23, 24, 34)
    }
    # 2 comes 7 days after 1, 3 comes 24 days after 2, 4 comes 34 days after 2.
    assert days == {6: 0, 7: 1, 23: 1, 24: 2, 34: 3}


def test_the_effect_counts_each_inquirer_once(duplicates):
    effect = duplicates.effect[["recorded", "counted_once"]]
    assert effect.T.to_dict("list") == {
        "entrants": [7, 5],
        "Proposal": [4, 3],
        "won": [2, 2],
        "lost": [1, 0],
        "open": [4, 3],
    }
    assert duplicates.effect.loc["won", "of_counted_once"] == pytest.approx(0.4)
    closed = effect.loc[["won", "lost", "open"]].sum()
    assert closed.tolist() == effect.loc["entrants"].tolist()


def test_the_stages_are_left_out_where_they_are_not_known():
    deals = pd.DataFrame(
        {
            "id": ["1", "2"],
            "stage": "Lost",
            "created": "2025-01-01",
            "closed": "2025-01-05",
            "tel": "13800138001",
        }
    )
    columns = {
        "opportunity_id": "id",
        "stage": "stage",
        "created_at": "created",
        "closed_at": "closed",
        "phone": "tel",
    }
    found = crm.read_pipeline(deals, columns=columns, shape="current stage", stages=STAGES, snapshot_at=AT)
    effect = crm.funnel.duplicate_opportunities(found).effect
    assert list(effect.index) == ["entrants", "won", "lost", "open"]
    assert effect["counted_once"].tolist() == [1, 0, 1, 0]


def test_several_owners_of_one_inquirer(duplicates):
    found = crm.funnel.several_owners(duplicates)
    assert set(found.table.index) == {"2", "3"}
    assert found.table["amount_of_first"].tolist() == [100.0, 100.0]
    same = crm.funnel.duplicate_opportunities(pipeline_of(STEPS.assign(owner="ann")))
    assert crm.funnel.several_owners(same).summary["n"].tolist() == [0]


def test_the_order_of_the_rows_changes_nothing(duplicates):
    shuffled = crm.funnel.duplicate_opportunities(pipeline_of(STEPS.sample(frac=1.0, random_state=5)))
    pd.testing.assert_frame_equal(shuffled.table, duplicates.table)
    pd.testing.assert_frame_equal(shuffled.effect, duplicates.effect)


def test_nobody_is_a_duplicate_where_there_is_one():
    found = crm.funnel.duplicate_opportunities(pipeline_of(STEPS.head(2)))
    assert (len(found.table), found.summary["share"].tolist()) == (0, [0.0])
    assert (found.effect["recorded"] == found.effect["counted_once"]).all()


def test_without_a_key_duplicates_are_refused():
    with pytest.raises(ConfigError, match="the pipeline has neither phone nor email; map one of them"):
        crm.funnel.duplicate_opportunities(pipeline_of(without=("phone", "email")))
    with pytest.raises(ConfigError, match="the pipeline has no owner; map it"):
        crm.funnel.several_owners(crm.funnel.duplicate_opportunities(pipeline_of(without=("owner",))))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("+86 (138) 0013-8001", "800138001"),
        ("０１３８００１３８００１", "800138001"),
        ("0571-8888001 ext. 12", "718888001"),
        ("0571-8888001转12", "718888001"),
        ("0571-8888001 / 13800138001", "718888001"),
        ("88001", "88001"),
        ("8800", None),
        ("0000000000", None),
        ("1111111", None),
        ("0111111", None),
        ("none", None),
        ("", None),
        (None, None),
        (float("nan"), None),
    ],
)
def test_telephones_are_compared_by_their_digits(text, plain):
    assert plain_phone(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (" Ann@X.Example", "ann@x.example"),
        ("mailto:ann@x.example; bob@x.example", "ann@x.example"),
        ("ａnn＠x.example", "ann@x.example"),
        ("noreply@x.example", None),
        ("ann@localhost", None),
        ("ann", None),
        ("@x.example", None),
        (None, None),
    ],
)
def test_addresses_are_compared_without_case(text, plain):
    assert plain_email(text) == plain


# Owners --------------------------------------------------------------------------------------------------


def test_open_deals_of_owners_who_have_left(pipeline):
    found = crm.funnel.departed_owners(pipeline, OWNERS)
    assert found.table.index.tolist() == ["4"]
    assert found.table.loc["4", ["owner", "days_since", "stage", "value_at_stake"]].tolist() == [
        "ann",
        0,
        "Lead",
        50.0,
    ]
    assert found.summary["n"].tolist() == [1, 1, 1]
    assert found.summary["of"].tolist() == [4, 4, 4]
    before = crm.funnel.departed_owners(pipeline.as_of("2025-06-29"), OWNERS)
    assert before.table.empty


def test_gaps_and_handovers_by_hand(pipeline):
    table = crm.funnel.owner_gaps(pipeline).table.sort_index()
    assert table.index.tolist() == ["5", "6", "7"]
    five = table.loc["5"]
    # Nobody from the day of creation to 02-14 21:00, and from 02-24 09:00 to 03-01 09:00.
    assert five[["days_unassigned", "days_between"]].tolist() == [pytest.approx(2.875), 5.0]
    assert five[["n_owners", "n_handovers", "first_owner", "owner"]].tolist() == [2, 1, "cat", "dan"]
    assert table.loc["6", ["n_owners", "n_handovers", "days_between"]].tolist() == [2, 1, 0.0]
    seven = table.loc["7"]
    assert seven[["n_owners", "n_handovers", "days_unassigned"]].tolist() == [0, 0, 32.0]
    assert seven.isna()[["owner", "first_owner"]].all()


def test_what_nobody_had_until_it_was_lost_lasts_to_the_end_of_that_day():
    lost = STEPS.head(2).assign(owner=None)
    table = crm.funnel.owner_gaps(pipeline_of(lost, without=("account_id",))).table
    assert table["days_unassigned"].tolist() == [10.0]


def test_gaps_are_summed_up(pipeline):
    summary = crm.funnel.owner_gaps(pipeline).summary
    assert summary["n"].tolist() == [2, 1, 2, 1]
    assert summary["of"].tolist() == [7, 7, 7, 4]


def test_what_the_shape_hides_is_refused():
    deals = STEPS.drop_duplicates("id").assign(closed=None)
    columns = {
        "opportunity_id": "id",
        "stage": "stage",
        "created_at": "at",
        "closed_at": "closed",
        "owner": "owner",
    }
    now = crm.read_pipeline(deals, columns=columns, shape="current stage", stages=STAGES, snapshot_at=AT)
    with pytest.raises(ConfigError, match="knows only the latest owner"):
        crm.funnel.owner_gaps(now)
    with pytest.raises(ConfigError, match="does not say when something was entered"):
        crm.funnel.unanswered(now)
    with pytest.raises(ConfigError, match="departed owners: the pipeline has no owner"):
        crm.funnel.departed_owners(pipeline_of(without=("owner",)), OWNERS)


def test_accounts_that_one_owner_alone_knows(pipeline):
    risk = crm.funnel.owner_risk(pipeline, owners=OWNERS, revenue=pd.Series({"A7": 1000.0, "A9": 9.0}))
    # Of A8 the latest opportunity is nobody's; dan and eve had the one before.
    assert risk.table.index.tolist() == ["A7", "A8"]
    assert risk.table.loc["A8", ["owner", "has_left", "n_owners", "n_open"]].tolist() == ["eve", True, 2, 1]
    assert risk.table["revenue"].tolist() == [1000.0, 0.0]
    assert risk.summary["n"].tolist() == [1, 1, 0]
    assert risk.by_owner.loc["bob", ["n_accounts", "n_alone", "n_open"]].tolist() == [1, 1, 1]
    assert risk.by_owner["share_of_revenue"].max() == 1.0
    assert risk.concentration.tolist() == [1.0, 1.0, 1.0]


def test_without_revenue_the_won_amounts_count(pipeline):
    risk = crm.funnel.owner_risk(pipeline)
    assert risk.table["value_at_stake"].to_dict() == {"A7": 95.0}
    assert risk.by_owner["revenue"].sum() == 125.0
    shares = risk.by_owner["share_of_revenue"]
    assert risk.concentration["effective_owners"] == pytest.approx(1 / (shares**2).sum())


def test_open_amounts_by_owner_are_all_that_have_one(pipeline):
    risk = crm.funnel.owner_risk(pipeline)
    deals = pipeline.opportunities.to_pandas()
    owned = deals[(deals["outcome"] == "open") & deals["owner"].notna()]
    assert risk.by_owner["open_amount"].sum() == float(owned["amount"].sum())
    assert risk.by_owner["n_open"].sum() == len(owned)


def test_no_account_and_no_revenue_leave_nothing_that_is_no_number():
    named = crm.funnel.owner_risk(pipeline_of(STEPS.head(4)))
    assert named.table.empty
    assert named.summary["n"].tolist() == [0, 0, 0]
    assert named.concentration.isna().all()
    with pytest.raises(ConfigError, match="has no owner and no account_id"):
        crm.funnel.owner_risk(pipeline_of(without=("owner", "account_id")))


def test_open_deals_without_an_entry_for_a_month(pipeline):
    found = crm.funnel.unanswered(pipeline, after="31 days")
    assert found.table["days_idle"].to_dict() == {"2": 161, "4": 139, "5": 121}
    assert found.table["never_touched"].to_dict() == {"2": False, "4": True, "5": False}
    assert found.summary.iloc[0, :3].tolist() == [3, 4, 0.75]
    assert set(crm.funnel.unanswered(pipeline, after="30 days").table.index) == {"2", "4", "5", "7"}
    assert crm.funnel.unanswered(pipeline.as_of("2025-01-09"), after="1 week").table.index.tolist() == ["1"]


# Contacts ------------------------------------------------------------------------------------------------

CONTACTS = pd.DataFrame(
    [
        ("spring", "007", "2025-03-01 09:00", True, None),
        ("summer", "007", "2025-03-31 09:00", True, "2025-03-15 09:00"),
        ("summer", "008", "2025-03-31 09:00", True, None),
        ("spring", "008", "2025-03-01 08:59", True, None),
        ("spring", "009", "2025-03-01 09:00", False, "2025-01-01 00:00"),
        ("summer", "009", "2025-03-02 09:00", False, None),
        ("spring", "010", "2025-03-01 09:00", True, None),
        ("spring", "010", "2025-03-08 09:00", True, None),
    ],
    columns=["campaign", "customer_id", "sent_at", "treated", "opted_out_at"],
).assign(
    sent_at=lambda t: pd.to_datetime(t["sent_at"]), opted_out_at=lambda t: pd.to_datetime(t["opted_out_at"])
)
SERVICE = pd.DataFrame(
    {
        "customer_id": ["010", "010", "008", "007"],
        "occurred_at": pd.to_datetime(
            ["2025-02-20 09:00", "2025-03-09 09:00", "2025-03-30 09:00", "2025-02-28 00:00"]
        ),
        "kind": ["return", "return", "visit", "return"],
    }
)


def test_contacts_that_should_not_have_been():
    found = crm.funnel.contact_hygiene(CONTACTS, service=SERVICE, values=pd.Series({"007": 5.0, "010": 7.0}))
    several = found.several_campaigns
    assert several.index.tolist() == ["007"]
    assert several.loc["007", ["campaign", "campaign_before", "days_apart", "n_times"]].tolist() == [
        "summer",
        "spring",
        30.0,
        1,
    ]
    assert found.after_opt_out["days_after"].to_dict() == {"007": 16.0}
    assert found.after_return["days_before"].to_dict() == {"010": 16.0, "007": pytest.approx(1.375)}
    assert found.after_return["n_times"].to_dict() == {"010": 2, "007": 1}
    assert found.after_return["value_at_stake"].tolist() == [7.0, 5.0]
    assert found.summary["n"].tolist() == [1, 1, 2]
    assert found.summary["of"].tolist() == [3, 3, 3]
    assert found.summary["contacts"].tolist() == [1, 1, 3]


def test_what_is_not_known_is_no_list():
    found = crm.funnel.contact_hygiene(CONTACTS.drop(columns="opted_out_at"))
    assert (found.after_opt_out, found.after_return) == (None, None)
    assert len(found.summary) == 1


def test_nobody_contacted_is_nobody_pestered():
    found = crm.funnel.contact_hygiene(CONTACTS.assign(treated=False), service=SERVICE)
    assert found.summary["n"].tolist() == [0, 0, 0]
    assert found.several_campaigns.empty


# The firms -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("firm", ["firm_a", "firm_b"])
def test_the_firms_lists_are_what_was_planted(firm):
    folder, truth = ROOT / "data" / firm, ROOT / "data" / "truth" / firm
    if not folder.is_dir():
        pytest.skip(f"data/{firm} has not been generated")
    names = ("stage", "entered_at", "owner", "amount", "phone")
    found = crm.read_pipeline(
        folder / "stage_history.parquet",
        columns={"opportunity_id": "id"} | {name: name for name in names},
        stages=["Lead", "Qualified", "Proposal", "Negotiation", "Won"],
        snapshot_at="2025-12-31",
    )
    planted = (
        pd.read_parquet(truth / "opportunities.parquet").set_index("opportunity_id")["duplicate_of"].dropna()
    )
    listed = crm.funnel.duplicate_opportunities(found).table["duplicate_of"]
    # Precision and recall are both 1.
    assert listed.to_dict() == planted.to_dict()
    owners = pd.read_csv(folder / "owners.csv", parse_dates=["left_at"])
    defects = pd.read_parquet(truth / "defects.parquet")
    left = crm.funnel.departed_owners(found, owners).table
    assert set(left.index) == set(defects.loc[defects["defect"] == "owner has left", "id"])
