"""Open leads by heat and value: by given chances, by those of the forecast, degenerate, refused."""

import numpy as np
import pandas as pd
import pytest
from deal_tables import deals_of, entries_of

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import forecast_open, nurture

DEALS = pd.DataFrame(
    [
        ("D1", "2025-06-01", None, "open", 100.0),
        ("D2", "2025-06-01", None, "open", 200.0),
        ("D3", "2025-06-01", None, "open", 300.0),
        ("D4", "2025-06-01", None, "open", 400.0),
        ("D5", "2025-06-01", None, "open", None),
        ("D6", "2025-01-01", "2025-02-01", "won", 100.0),
    ],
    columns=["opportunity_id", "created_on", "closed_on", "outcome", "amount"],
)
CHANCES = pd.DataFrame(
    [(0.2, 0.3, 0.4), (0.19, 0.2, 0.4), (0.0, 0.1, 0.4), (0.0, 0.0, 0.0), (0.5, 0.5, 0.5)],
    columns=["30 days", "90 days", "ever"],
    index=["D1", "D2", "D3", "D4", "D5"],
)


def test_by_hand():
    found = nurture(deals_of(DEALS), lost_if_neglected=0.5, chances=CHANCES, bounds=(200.0, 400.0))
    assert found.deals["heat"].to_dict() == {
        "D1": "hot",
        "D2": "mid",
        "D3": "long term",
        "D4": "no win seen",
        "D5": "hot",
    }
    assert found.deals["value"].to_dict() == {
        "D1": "low",
        "D2": "middle",
        "D3": "middle",
        "D4": "high",
        "D5": "not known",
    }
    matrix = found.matrix
    assert matrix["n"].sum() == 5
    assert matrix.loc[("mid", "middle")].tolist() == pytest.approx([1, 0.4, 80, 40])
    assert matrix.loc[("no win seen", "high")].tolist() == [1, 0, 0, 0]
    unpriced = matrix.loc[("hot", "not known")]
    assert unpriced[["n", "expected_wins"]].tolist() == [1, 0.5]
    assert unpriced[["expected_value", "cost_of_neglect"]].isna().all()
    assert found.deals.index[0] == "D3"


def test_the_cost_of_neglect_is_assumed_by_whoever_asks():
    assumed = {"hot": 0.8, "mid": 0.4, "long term": 0.1, "no win seen": 0.0}
    found = nurture(deals_of(DEALS), lost_if_neglected=assumed, chances=CHANCES)
    assert found.assumed == assumed
    cost = found.matrix["cost_of_neglect"].groupby("heat").sum()
    assert cost[["hot", "mid", "long term"]].tolist() == pytest.approx([0.8 * 40, 0.4 * 80, 0.1 * 120])
    with pytest.raises(TypeError):
        nurture(deals_of(DEALS), chances=CHANCES)


@pytest.mark.parametrize(
    "share", [1.5, {"hot": 0.5}, {"hot": 1, "mid": 1, "long term": 1, "no win seen": -1}]
)
def test_shares_that_cannot_be_are_refused(share):
    with pytest.raises(ConfigError, match="expected a share from 0 to 1"):
        nurture(deals_of(DEALS), lost_if_neglected=share, chances=CHANCES)


@pytest.mark.parametrize(
    ("chances", "words"),
    [
        (CHANCES.drop(index="D3"), "1 of 5 open leads, such as 'D3'"),
        (CHANCES.assign(ever=0.1), "falling with time"),
        (CHANCES * 3, "outside 0 to 1"),
        (CHANCES.drop(columns="ever"), r"no column \['ever'\]"),
    ],
)
def test_chances_that_cannot_be_are_refused(chances, words):
    with pytest.raises(DataError, match=words):
        nurture(deals_of(DEALS), lost_if_neglected=0.5, chances=chances)


def test_without_amounts_or_without_open_leads():
    plain = nurture(deals_of(DEALS.drop(columns="amount")), lost_if_neglected=0.5, chances=CHANCES)
    assert plain.matrix["n"].sum() == 5
    assert plain.matrix["expected_wins"].sum() == pytest.approx(1.7)
    assert plain.matrix.xs("not known", level=1)["expected_value"].isna().all()
    closed = entries_of(
        pd.DataFrame(
            [("D1", "Lead", "2025-01-01"), ("D1", "Won", "2025-01-05")],
            columns=["opportunity_id", "stage", "entered_on"],
        )
    )
    nobody = nurture(closed, lost_if_neglected=0.5)
    assert nobody.matrix["n"].sum() == 0
    assert len(nobody.deals) == 0


def leads(rng, n=1500):
    """Deals that are won after 1 to 60 days in Lead and as long in Proposal, half of them on the way."""
    born = rng.integers(0, 300, n)
    rows = []
    for i in range(n):
        age = born[i]
        for stage in ("Lead", "Proposal", "Won"):
            if age < 0:
                break
            day = pd.Timestamp("2025-06-30") - pd.Timedelta(days=int(age))
            rows.append((f"{i:04}", stage, day))
            if stage != "Won" and rng.random() < 0.4:
                if age > 20:
                    rows.append((f"{i:04}", "Lost", day + pd.Timedelta(days=20)))
                break
            age -= rng.integers(1, 60)
    return pd.DataFrame(rows, columns=["opportunity_id", "stage", "entered_on"])


def test_chances_are_those_of_the_forecast_and_ripen_with_the_stage():
    pipeline = entries_of(leads(np.random.default_rng(2)))
    found = nurture(pipeline, lost_if_neglected=0.5)
    said = forecast_open(pipeline, horizon="30 days", n_draws=1).table
    assert len(said) == len(found.deals) > 100
    assert found.deals["30 days"].sort_index().tolist() == pytest.approx(said["p_won"].sort_index().tolist())
    both = found.deals.join(said["stage"])
    hot = both["heat"].eq("hot").groupby(both["stage"]).mean()
    assert hot["Proposal"] > hot["Lead"] + 0.2


def test_a_shape_without_stages_goes_by_age():
    ends = leads(np.random.default_rng(2)).groupby("opportunity_id")
    deals = pd.DataFrame(
        {
            "created_on": ends["entered_on"].first(),
            "last": ends["stage"].last(),
            "at": ends["entered_on"].last(),
        }
    ).reset_index()
    deals["outcome"] = deals["last"].map({"Won": "won", "Lost": "lost"}).fillna("open")
    deals["closed_on"] = deals["at"].where(deals["outcome"] != "open", None)
    pipeline = deals_of(deals)
    found = nurture(pipeline, lost_if_neglected=0.5)
    said = forecast_open(pipeline, n_draws=1).table["p_won"]
    assert found.deals["ever"].sort_index().tolist() == pytest.approx(said.sort_index().tolist())
