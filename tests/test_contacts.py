"""Doors of small tables: contacts and campaigns, the sales people, why customers left."""

from pathlib import Path

import pandas as pd
import pytest

import crm_analysis as crm
from crm_analysis.doors.churn_reasons import read_churn_reasons
from crm_analysis.doors.owners import read_owners
from crm_analysis.errors import ConfigError, DataError

GROCER = Path(__file__).parents[2] / "shared/data/completejourney"
CAMPAIGNS = pd.DataFrame(
    {
        "campaign": ["spring", "autumn"],
        "kind": ["mail", "call"],
        "started_at": ["2025-03-01", "2025-09-01"],
        "ended_at": ["2025-03-31", "2025-09-30"],
        "cost_per_contact": [8, 25],
        "fixed_cost": [100, 0],
    }
)
CONTACTS = pd.DataFrame(
    [
        ("spring", "007", "2025-03-01 09:00", True, 8.0),
        ("spring", "008", "2025-03-01 09:00", False, 0.0),
        ("autumn", "007", "2025-09-02 09:00", True, 25.0),
        ("autumn", "009", "2025-09-02 09:00", False, 0.0),
    ],
    columns=["campaign", "customer_id", "sent_at", "treated", "cost"],
)


def campaigns(**changes):
    return crm.read_campaigns(CAMPAIGNS.assign(**changes), columns={}).frame


def contacts(table=CONTACTS, **options):
    return crm.read_contacts(table, **({"columns": {}, "campaigns": campaigns()} | options))


def names(found):
    return [defect.name for defect in found.verdict.defects]


def row(**changes):
    """Contacts with values changed in the first row."""
    table = CONTACTS.astype(object)
    for column, value in changes.items():
        table.loc[0, column] = value
    return table


def test_contacts_are_typed_and_pass():
    found = contacts(known={"007", "008", "009"})
    assert found.verdict.status == "PASS"
    assert found.frame.dtypes.astype(str).to_dict() == {
        "campaign": "str",
        "customer_id": "str",
        "sent_at": "datetime64[us]",
        "treated": "bool",
        "cost": "float64",
    }
    assert found.frame["customer_id"].tolist() == ["007", "009", "007", "008"]
    assert campaigns().dtypes.astype(str)["started_at"] == "datetime64[us]"


def test_the_order_of_the_rows_changes_nothing():
    found = contacts(CONTACTS.sample(frac=1.0, random_state=1))
    pd.testing.assert_frame_equal(found.frame, contacts().frame)
    assert found.verdict == contacts().verdict


def test_every_row_is_accounted_for():
    table = pd.concat([CONTACTS] * 3, ignore_index=True).astype(object)
    table.loc[0, "campaign"] = table.loc[1, "customer_id"] = None
    table.loc[2, "treated"] = None
    found = contacts(table, max_set_aside=0.25)
    assert found.set_aside == {"campaign missing": 1, "customer missing": 1, "treated missing": 1}
    assert len(found.frame) == found.n_rows_in - 3 == 9
    assert found.set_aside_rows.count().to_pyarrow().as_py() == 3
    assert names(found)[-1] == "exact duplicate"
    with pytest.raises(DataError, match=r"25\.0% of 12 rows would be set aside, 5\.0% are allowed"):
        contacts(table)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"campaign": "winter"}, r"1 of 4 rows \(25.0%\) are of campaigns .* does not have: \['winter'\]"),
        ({"customer_id": "008"}, r"2 of 4 rows .* one campaign both treated and left alone"),
        ({"cost": -1}, "have a negative cost; put its sign right"),
        ({"treated": "perhaps"}, r"column 'treated' .* cannot be read: 'perhaps'"),
    ],
)
def test_refusals(changes, words):
    table = row(**changes)
    table["treated"] = table["treated"].astype(str)
    with pytest.raises(DataError, match=words):
        contacts(table)
    assert crm.check_contacts(table, columns={}, campaigns=campaigns()).status == "REFUSE"


@pytest.mark.parametrize(
    ("table", "name", "n"),
    [
        (row(customer_id="010"), "customer not in the log", 1),
        (row(sent_at="2025-04-01 00:00"), "sent outside the window", 1),
        (row(sent_at=None), "time missing", 1),
        (row(cost=None), "cost missing", 1),
        (row(treated=False), "cost without treatment", 1),
        (CONTACTS[CONTACTS["treated"]], "no control group", 2),
        (CONTACTS[~CONTACTS["treated"]], "nobody treated", 2),
        (CONTACTS.head(2), "campaigns without contacts", 1),
        (CONTACTS.assign(responded_at="2025-02-01"), "response before contact", 4),
        (CONTACTS.assign(responded=["yes", "no", None, "no"]), "response missing", 1),
    ],
)
def test_what_is_kept_is_counted(table, name, n):
    found = contacts(table, known={"007", "008", "009"})
    defect = next(each for each in found.verdict.defects if each.name == name)
    assert (defect.n_rows, defect.consequence) == (n, "flag")
    assert len(found.frame) == len(table)


@pytest.mark.parametrize(
    "treated", [[1.0, 0.0, None, 0.0], [1, 0, 1, 0], ["yes", "no", "Y", "F"], ["1", "0", "t", "n"]]
)
def test_flags_are_written_in_many_ways(treated):
    found = contacts(CONTACTS.assign(treated=treated), max_set_aside=0.25).frame
    assert found.loc[found["campaign"] == "spring", "treated"].tolist() == [True, False]


@pytest.mark.parametrize("treated", [2, 0.5, "control"])
def test_what_is_no_flag_is_refused(treated):
    with pytest.raises(DataError, match="4 of 4 values cannot be read"):
        contacts(CONTACTS.assign(treated=treated))


def test_no_campaign_is_known():
    with pytest.raises(DataError, match="are of campaigns that the table of campaigns does not have"):
        contacts(campaigns=campaigns().head(0))


def test_the_last_day_of_a_window_is_inside():
    assert "sent outside the window" not in names(contacts(row(sent_at="2025-03-31 23:59")))


def test_what_is_not_mapped_follows_from_the_campaign():
    found = contacts(CONTACTS[["campaign", "customer_id"]])
    assert found.frame["treated"].all()
    assert sorted(found.frame["sent_at"].unique()) == [pd.Timestamp("2025-03-01"), pd.Timestamp("2025-09-01")]
    with pytest.raises(DataError, match="no column is mapped to sent_at; map it, or give the campaigns"):
        contacts(CONTACTS[["campaign", "customer_id"]], campaigns=None)


def test_a_day_of_a_response_is_a_response():
    table = CONTACTS.assign(responded_at=["2025-03-05", None, None, None])
    assert contacts(table).frame.set_index(["campaign", "customer_id"])["responded"].to_dict() == {
        ("spring", "007"): True,
        ("spring", "008"): False,
        ("autumn", "007"): False,
        ("autumn", "009"): False,
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ended_at": ["2025-02-28", "2025-09-30"]}, r"end \(ended_at\) before they start \(started_at\)"),
        ({"campaign": "spring"}, "share their name"),
        ({"started_at": [None, "2025-09-01"]}, "have no first or no last day of their effect"),
        ({"cost_per_contact": [-8, 25]}, "have a negative cost"),
    ],
)
def test_campaigns_that_cannot_be(changes, words):
    with pytest.raises(DataError, match=words):
        campaigns(**changes)
    assert crm.check_campaigns(CAMPAIGNS.assign(**changes), columns={}).status == "REFUSE"


def test_a_campaign_of_one_day_and_one_without_a_cost():
    found = crm.read_campaigns(
        CAMPAIGNS.assign(ended_at=CAMPAIGNS["started_at"], cost_per_contact=[None, 25]), columns={}
    )
    assert names(found) == ["cost missing"]


def test_names_that_would_do_harm_stay_text(tmp_path):
    name = '=HYPERLINK("x"),<b>; DROP TABLE'
    pd.DataFrame({"campaign": [name], "started_at": "2025-01-01", "ended_at": "2025-01-02"}).to_csv(
        tmp_path / "c.csv", index=False
    )
    assert crm.read_campaigns(tmp_path / "c.csv", columns={}).frame["campaign"].tolist() == [name]


def test_owners():
    table = pd.DataFrame({"owner": ["ann", "bob"], "hired_at": "2020-01-01", "left_at": [None, "2024-05-31"]})
    found = read_owners(table, columns={}).frame
    assert found["left_at"].tolist() == [pd.NaT, pd.Timestamp("2024-05-31")]
    assert read_owners(table[["owner"]], columns={}).frame["left_at"].isna().all()
    with pytest.raises(DataError, match="one row per owner was expected"):
        read_owners(table.assign(owner="ann"), columns={})
    with pytest.raises(DataError, match=r"left \(left_at\) before they were hired \(hired_at\)"):
        read_owners(table.assign(left_at="2019-12-31"), columns={})


def test_churn_reasons():
    table = pd.DataFrame(
        {
            "customer_id": ["007", "008", "008", None, "010", "011"],
            "left_at": ["2025-01-01", "2025-01-02", "2025-06-01", "2025-01-01", None, "2026-01-01"],
            "reason": ["Price", None, "Service", "Price", "Price", "Price"],
        }
    )
    found = read_churn_reasons(table, columns={}, observed_until=pd.Timestamp("2025-12-31").date())
    assert found.set_aside == {"customer missing": 1, "day missing": 1, "after observed_until": 1}
    assert found.frame["reason"].isna().tolist() == [False, True, False]
    assert {d.name: d.n_rows for d in found.verdict.defects if d.consequence == "flag"} == {
        "reason missing": 1,
        "left several times": 2,
    }
    rows = found.set_aside_rows.to_pandas()
    assert (set(rows["reason"]), set(rows["reason_given"])) == (set(found.set_aside), {"Price"})


def test_nothing_left_is_refused():
    table = pd.DataFrame({"customer_id": ["007"], "left_at": [None], "reason": ["Price"]})
    with pytest.raises(DataError, match="no rows are left"):
        read_churn_reasons(table, columns={})


def test_an_option_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="contacts: columns names colour"):
        contacts(columns={"colour": "campaign"})


@pytest.mark.skipif(not GROCER.is_dir(), reason="shared data not there")
def test_targeted_households_of_a_grocer():
    columns = {"campaign": "campaign_id", "kind": "campaign_type", "started_at": "start_date"}
    described = crm.read_campaigns(
        GROCER / "campaign_descriptions.parquet", columns=columns | {"ended_at": "end_date"}
    )
    found = crm.read_contacts(
        GROCER / "campaigns.parquet",
        columns={"campaign": "campaign_id", "customer_id": "household_id"},
        campaigns=described.frame,
    )
    assert (len(found.frame), found.frame["customer_id"].nunique()) == (6589, 1559)
    kinds = found.frame["campaign"].map(described.frame.set_index("campaign")["kind"])
    assert kinds.value_counts().to_dict() == {"Type A": 3647, "Type B": 2368, "Type C": 574}
    assert (found.frame["treated"].all(), names(found)) == (True, ["no control group"])
