"""Deals whose expected close was moved: by hand through the door, refused, and where changes are not kept."""

import numpy as np
import pandas as pd
import pytest
from deal_tables import deals_of

import crm_analysis as crm
from crm_analysis.errors import DataError
from crm_analysis.funnel import newcombe, slipped, wilson

ROWS = pd.DataFrame(
    [
        # Pushed twice, by 10 and 20 days; the date written at the win is no push.
        ("D1", "Lead", "2025-01-01", "2025-01-20"),
        ("D1", "Lead", "2025-01-19", "2025-01-30"),
        ("D1", "Proposal", "2025-01-25", "2025-02-19"),
        ("D1", "Won", "2025-02-25", "2025-02-25"),
        # Moved forward only.
        ("D2", "Lead", "2025-01-01", "2025-03-01"),
        ("D2", "Proposal", "2025-01-10", "2025-02-01"),
        ("D2", "Lost", "2025-02-01", "2025-02-01"),
        # Pushed, and overdue all the same; the snapshot is 2025-06-30.
        ("D3", "Lead", "2025-05-01", "2025-06-01"),
        ("D3", "Lead", "2025-06-01", "2025-06-20"),
        # Overdue, never pushed.
        ("D4", "Lead", "2025-05-01", "2025-05-31"),
        # Due today: not overdue. Forward and back: pushed once.
        ("D5", "Lead", "2025-05-01", "2025-06-30"),
        ("D6", "Lead", "2025-05-01", "2025-07-30"),
        ("D6", "Lead", "2025-05-02", "2025-07-20"),
        ("D6", "Lead", "2025-05-03", "2025-07-25"),
        ("D7", "Lead", "2025-05-01", None),
        ("D8", "Lead", "2025-03-01", "2025-03-10"),
        ("D8", "Won", "2025-03-09", "2025-03-10"),
    ],
    columns=["id", "stage", "at", "close"],
).assign(amount=100.0)
COLUMNS = {"opportunity_id": "id", "stage": "stage", "entered_at": "at", "amount": "amount"}


def read(rows, columns, **options):
    arguments = {"columns": columns, "stages": ["Lead", "Proposal", "Won"], "snapshot_at": "2025-06-30"}
    return crm.read_pipeline(rows, **arguments | options)


@pytest.fixture(scope="module")
def found():
    return slipped(read(ROWS, COLUMNS | {"expected_close": "close"}))


def test_pushes_and_overdue_days_by_hand(found):
    deals = found.deals
    assert deals.index.tolist() == ["D4", "D3", "D1", "D6"]
    assert deals["n_pushes"].tolist() == [0, 1, 2, 1]
    assert deals["days_pushed"].tolist() == [0, 19, 30, 5]
    assert deals["days_overdue"].tolist() == [30, 10, 0, 0]
    assert deals["outcome"].tolist() == ["open", "open", "won", "open"]
    assert (deals["amount"] == 100).all()
    assert found.n_unknown == 1


def test_win_rates_of_pushed_and_other_deals(found):
    assert found.rates.loc["pushed", ["n", "n_won", "n_lost", "n_open"]].tolist() == [3, 1, 0, 2]
    assert found.rates.loc["not pushed", ["n", "n_won", "n_lost", "n_open"]].tolist() == [4, 1, 1, 2]
    assert found.rates["win_rate"].tolist() == [1, 0.5]
    assert tuple(found.rates.loc["not pushed", ["low", "high"]]) == wilson(1, n=2)
    assert found.difference == 0.5
    assert (found.low, found.high) == newcombe(1, 1, k_b=1, n_b=2)


def test_where_nothing_was_pushed_nothing_is_compared():
    found = slipped(read(ROWS[ROWS["id"].isin(["D4", "D8"])], COLUMNS | {"expected_close": "close"}))
    assert found.rates.loc["pushed", "n"] == 0
    assert np.isnan(found.rates.loc["pushed", "win_rate"])
    assert np.isnan(found.difference)
    assert found.deals.index.tolist() == ["D4"]


def test_a_shape_that_keeps_no_changes_knows_what_is_overdue():
    now = pd.DataFrame(
        [
            ("D1", "Lead", "2025-01-01", None, "2025-06-01"),
            ("D2", "Won", "2025-01-01", "2025-02-01", "2025-01-20"),
        ],
        columns=["id", "stage", "made", "closed", "close"],
    )
    columns = {"opportunity_id": "id", "stage": "stage", "created_at": "made", "closed_at": "closed"}
    found = slipped(read(now, columns | {"expected_close": "close"}, shape="current stage"))
    assert found.deals["days_overdue"].to_dict() == {"D1": 29}
    assert found.deals["n_pushes"].isna().all()
    assert found.rates is None
    assert np.isnan([found.difference, found.low, found.high]).all()


def test_without_an_expected_close_the_question_is_refused():
    deal = pd.DataFrame(
        [("D1", "2025-01-01", None, "open")], columns=["opportunity_id", "created_on", "closed_on", "outcome"]
    )
    with pytest.raises(DataError, match="map the column expected_close"):
        slipped(deals_of(deal))
