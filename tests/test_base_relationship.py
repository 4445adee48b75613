"""The ladder of roles and reasons of leaving: by hand, against simulated truth, refusals; their figures."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pipelines import pipeline_of_ends

import crm_analysis as crm
from crm_analysis import base
from crm_analysis.base.waiting import median_wait, share_within
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.figures.relationship import plot_churn_reasons, plot_ladder
from crm_analysis.rates import wilson

FROM, UNTIL = dt.date(2020, 1, 1), dt.date(2024, 12, 31)
# customer: days after 2020-07-01 on which an order was made.
ORDERS = {
    "once": [0],
    "twice": [0, 10],
    "client": [0, 10, 20],
    "two at once": [0, 5, 5],
    "loyal": [0, 10, 20, 800],
    "patient": [0, 731, 900],
    "brought": [100],
    "loyal friend": [0, 10, 20, 900, 1600],
    "friendly once": [0],
}
SENT_BY = {"brought": "loyal friend", "twice": "friendly once"}


def log_of(orders, **given):
    begin = pd.Timestamp(2020, 7, 1)
    rows = [
        (who, begin + pd.Timedelta(days=day), 100.0, f"{who} {k}")
        for who, days in orders.items()
        for k, day in enumerate(days)
    ]
    table = pd.DataFrame(rows, columns=["customer_id", "occurred_at", "amount", "order_id"])
    return crm.read_transactions(
        table, columns={name: name for name in table}, observed_from=FROM, observed_until=UNTIL, **given
    )


@pytest.fixture(scope="module")
def log():
    return log_of(ORDERS)


@pytest.fixture(scope="module")
def ladder(log):
    return base.relationship_ladder(log, referred_by=pd.Series(SENT_BY))


def test_rungs_by_hand(ladder):
    assert ladder.who("purchaser") == ["brought", "friendly once", "once", "twice"]
    # Three orders make a client, two on one day among them.
    assert ladder.who("client") == ["client", "two at once"]
    # Two years are 730.5 days, whole days count: an order on day 730 or later.
    assert ladder.who("supporter") == ["loyal", "patient"]
    assert ladder.who("advocate") == ["loyal friend"]
    table = ladder.table
    assert table["n_reached"].tolist()[1:5] == [9, 5, 3, 1]
    assert table["n_here"].tolist()[1:5] == [4, 2, 2, 1]
    # Who has referred somebody, but has ordered once, is no advocate yet, and is shown.
    assert table.loc["advocate", "n_by_own_rule"] == 2


def test_what_is_not_known_is_missing_and_never_0(log, ladder):
    assert (
        ladder.table.loc[["prospect", "partner"], ["n_reached", "n_here", "n_active"]].isna().all(axis=None)
    )
    plain = base.relationship_ladder(log)
    assert plain.table.loc["advocate"].isna().all()
    assert plain.who("supporter") == ["loyal", "loyal friend", "patient"]
    assert np.isnan(plain.table.loc["supporter", "share_next"])
    partners = base.relationship_ladder(log, partners=["loyal", "once"])
    assert partners.who("partner") == ["loyal"]
    assert partners.table.loc["partner", ["n_reached", "n_by_own_rule"]].tolist() == [1, 2]
    assert partners.table.loc["supporter", "n_next"] == 1
    nobody = base.relationship_ladder(log, partners=[])
    assert nobody.table.loc["partner", "n_reached"] == 0


def test_conversion_and_time_to_the_next_rung(ladder):
    row = ladder.table.loc["purchaser"]
    assert (row["n_next"], row["share_next"]) == (5, pytest.approx(5 / 9))
    assert [row["low"], row["high"]] == pytest.approx(wilson(5, n=9))
    # Third orders after 5, 20, 20, 20, 900 days; four wait until the end. Half (5 of 9) after 900 days.
    assert row["median_days"] == 900
    assert row["share_within"] == pytest.approx(4 / 9)
    client = ladder.table.loc["client"]
    # Supporters 780 (loyal), 0 (patient: late and third at once), 880 days after becoming a client.
    assert (client["n_next"], client["median_days"]) == (3, 880)
    assert np.isnan(ladder.table.loc["supporter", "median_days"])


def test_value_of_those_who_stand_on_a_rung(log, ladder):
    years = ((pd.Timestamp(UNTIL) - pd.Timestamp(2020, 7, 1)).days + 1) / 365.25
    assert ladder.table.loc["client", "value_per_year"] == pytest.approx(600 / (2 * years))
    assert ladder.value == "revenue"
    profit = pd.Series({"loyal friend": -50.0}, name="profit")
    by_profit = base.relationship_ladder(log, referred_by=pd.Series(SENT_BY), profit=profit)
    assert by_profit.table.loc["advocate", "value_per_year"] == pytest.approx(-50 / years)
    assert by_profit.value == "profit"


def test_rules_are_arguments(log):
    easy = base.relationship_ladder(log, rules=base.LadderRules(client_orders=2, supporter_tenure="10 days"))
    assert easy.table["n_reached"].tolist()[1:4] == [9, 6, 5]
    assert easy.who("client") == ["two at once"]
    active = base.relationship_ladder(log, rules=base.LadderRules(active_within="2 years"))
    # 31 December 2024 less two years: orders after the first day of 2023, days 915 and later.
    assert active.table["n_active"].tolist()[1:4] == [0, 0, 1]
    with pytest.raises(ConfigError, match="client_orders 1; expected 2 or more"):
        base.relationship_ladder(log, rules=base.LadderRules(client_orders=1))
    with pytest.raises(ConfigError, match="no rung 'friend'; rungs: "):
        easy.who("friend")


def test_a_customer_older_than_the_log_has_the_first_day_that_its_master_knows():
    """Two years a customer before the log begins: a supporter at once, and worth over observed years only."""
    master = pd.DataFrame({"customer_id": ["old", "new"], "acquired_at": ["2018-01-01", "2020-07-01"]})
    known = crm.read_customers(master, columns={name: name for name in master})
    log = log_of({"old": [0, 10, 20], "new": [0, 10, 20]}, customers=known)
    found = base.relationship_ladder(log)
    assert found.who("supporter") == ["old"]
    assert found.n_incomplete == 1
    assert found.members.loc["old", "purchaser"] == pd.Timestamp(2018, 1, 1)
    years = ((UNTIL - FROM).days + 1) / 365.25
    assert found.table.loc["supporter", "value_per_year"] == pytest.approx(300 / years)
    # Times rest on complete histories only.
    assert found.table.loc["purchaser", ["n_reached", "n_timed", "median_days"]].tolist() == [2, 1, 20]


def test_prospects_are_opportunities_not_won(log):
    start = dt.date(2025, 1, 1)
    ends = pd.DataFrame(
        {
            "opportunity_id": ["w", "x", "lost", "open"],
            "outcome": ["won", "won", "lost", "open"],
            "created_on": [start] * 4,
            "closed_on": [start + dt.timedelta(days=10), start + dt.timedelta(days=30), start, None],
        }
    )
    row = base.relationship_ladder(log, pipeline=pipeline_of_ends(ends)).table.loc["prospect"]
    assert (row["n_reached"], row["n_here"], row["n_next"]) == (4, 2, 2)
    # One that was lost waits like an open one: half are won by day 30, and not two of three.
    assert row["median_days"] == 30
    found = base.relationship_ladder(log, pipeline=pipeline_of_ends(ends))
    assert found.who("prospect") == ["lost", "open"]


def test_waiting_by_hand_and_without_anybody():
    days, happened = np.array([3, 5, 5, 8, 10]), np.array([True, True, False, False, True])
    # 4/5 wait after day 3, then 3/4 of them, then nobody.
    assert share_within(days, happened, days=5, level=0.95)[0] == pytest.approx(1 - 0.8 * 0.75)
    # Greenwood's sum there is 1/(5 x 4) + 1/(4 x 3); over ln 0.6 squared, times 1.96, in the exponent of 0.6.
    width = 1.959964 * np.sqrt(1 / 20 + 1 / 12) / -np.log(0.6)
    ends = [1 - 0.6 ** np.exp(-width), 1 - 0.6 ** np.exp(width)]
    assert list(share_within(days, happened, days=5, level=0.95)[1:]) == pytest.approx(ends)
    assert share_within(days, happened, days=2, level=0.95)[0] == 0
    assert median_wait(days, happened) == 10
    nobody = np.array([]), np.array([], dtype=bool)
    assert np.isnan(median_wait(*nobody))
    assert np.isnan(share_within(*nobody, days=5, level=0.95)).all()
    assert np.isnan(share_within(np.array([4]), np.array([False]), days=5, level=0.95)).all()
    assert share_within(np.array([4]), np.array([True]), days=5, level=0.95) == (
        1.0,
        pytest.approx(0.05),
        1.0,
    )


def test_intervals_of_waiting_hold_the_truth():
    """Exponential waits of mean 400 days, seen for up to 1,000: F(365) lies in 95% intervals."""
    rng = np.random.default_rng(2)
    truth, held = 1 - np.exp(-365 / 400), 0
    for _ in range(300):
        waits, seen = rng.exponential(400, 120), rng.uniform(0, 1000, 120)
        _, low, high = share_within(np.minimum(waits, seen), waits <= seen, days=365, level=0.95)
        held += low <= truth <= high
    # Standard error of a rate of 95% in 300: 1.3 points.
    assert 0.95 - 4 * 0.0126 <= held / 300 <= 0.95 + 4 * 0.0126


def test_a_customer_with_one_order_is_a_ladder():
    one = base.relationship_ladder(log_of({"a": [0]}))
    assert one.table["n_reached"].tolist()[1:4] == [1, 0, 0]
    assert one.table.loc["client", ["share_next", "median_days", "value_per_year"]].isna().all()
    assert one.table.loc["client", ["low", "high"]].tolist() == [0, 1]


@pytest.mark.parametrize("firm", ["a", "b"])
def test_every_customer_of_the_sample_stands_on_one_rung(firm):
    ws = crm.open_workspace(Path(__file__).parents[1] / "data" / "demo.toml")
    log, master = ws.transactions(firm), ws.customers(firm)
    sent = master.select("customer_id", "referred_by").to_pandas().set_index("customer_id")["referred_by"]
    found = base.relationship_ladder(log, referred_by=sent)
    table = found.table.loc["purchaser":"advocate"]
    customers = crm.summarise_customers(log)
    assert table["n_here"].sum() == table.loc["purchaser", "n_reached"] == len(customers)
    assert table["n_reached"].is_monotonic_decreasing
    assert table.loc["client", "n_by_own_rule"] == (customers["n_orders"] >= 3).sum()
    assert (table["n_reached"].to_numpy()[1:] == table["n_next"].to_numpy()[:-1]).all()
    # Value rises with the role, as the course says, up to those who order for years.
    assert table["value_per_year"].iloc[:3].is_monotonic_increasing


def listed(counts):
    names = [reason for reason, n in counts.items() for _ in range(n)]
    return pd.Series(names, index=[f"c{k:03}" for k in range(len(names))], dtype=object)


def test_reasons_by_hand():
    reasons = listed({"Service": 6, "Price": 3, "Moved away": 1})
    found = base.churn_reasons(
        reasons, n_left=40, value=pd.Series({"c000": 10.0, "c007": 70.0, "c009": 20.0})
    )
    table = found.table
    assert table.index.tolist() == ["Service", "Price", "Moved away", "Other", "Product"]
    assert table["n"].tolist() == [6, 3, 1, 0, 0]
    assert table["cumulative_share"].tolist() == pytest.approx([0.6, 0.9, 1, 1, 1])
    assert table["share_of_value"].tolist() == pytest.approx([0.1, 0.7, 0.2, 0, 0])
    assert table.loc["Service", ["reference", "difference"]].tolist() == pytest.approx([0.68, -0.08])
    assert np.isnan(table.loc["Moved away", "reference"])
    assert table.loc["Service", ["low", "high"]].tolist() == pytest.approx(wilson(6, n=10))
    assert found.controllable_share == pytest.approx(0.9)
    assert [found.controllable_low, found.controllable_high] == pytest.approx(wilson(9, n=10))
    assert found.controllable_share_of_value == pytest.approx(0.8)
    assert (found.n_left, found.n_recorded, found.share_unrecorded) == (40, 10, 0.75)
    # The reference has no sample, so that there is nothing to test.
    assert not [name for name in [*table, *vars(found)] if name == "p" or name.startswith("p_")]


def test_reasons_by_group_add_up():
    reasons = pd.concat([listed({"Service": 4, "Price": 2}), pd.Series([None], index=["x"], dtype=object)])
    groups = pd.Series({"c000": "Small", "c001": "Small", "c004": "Small", "x": "Large"})
    table = base.churn_reason_table(reasons, by=groups).set_index(["group", "reason"])
    assert table.index.get_level_values("group").unique().tolist() == ["Large", "Small", "(missing)"]
    assert table.loc[("Small", "Service"), ["n", "n_recorded", "share"]].tolist() == pytest.approx(
        [2, 3, 2 / 3]
    )
    assert table.loc[("(missing)", "Price"), ["n", "n_recorded"]].tolist() == [1, 3]
    assert table.loc["Large", "n_unrecorded"].tolist() == [1] * 4
    assert table.loc["Large", "share"].isna().all()
    assert table["n"].groupby("reason").sum()["Service"] == 4


def test_how_many_left_is_not_guessed():
    reasons = listed({"Service": 2})
    assert np.isnan(base.churn_reasons(reasons).share_unrecorded)
    some = pd.concat([reasons, pd.Series([None, None], index=["x", "y"], dtype=object)])
    half = base.churn_reasons(some)
    assert half.share_unrecorded == 0.5
    # Shares and their intervals are of those with a reason.
    assert [half.controllable_low, half.controllable_high] == pytest.approx(wilson(2, n=2))
    assert base.churn_reasons(reasons).table["value"].isna().all()


@pytest.mark.parametrize(
    ("given", "arguments", "error", "message"),
    [
        (pd.Series([None], index=["a"], dtype=object), {}, DataError, "none of 1 customers has a reason"),
        (pd.Series(["x", "y"], index=["a", "a"]), {}, DataError, "customer 'a' is there twice"),
        (
            pd.Series(["x", "y"], index=["a", "b"]),
            {"n_left": 1},
            DataError,
            "1 left, and 2 of them have a reason",
        ),
        (
            pd.Series(["x"], index=["a"]),
            {"controllable": ["Weather"]},
            ConfigError,
            "controllable 'Weather' is no reason",
        ),
    ],
)
def test_reasons_that_cannot_be_are_refused(given, arguments, error, message):
    with pytest.raises(error, match=message):
        base.churn_reasons(given, **arguments)


@pytest.mark.parametrize("firm", ["firm_a", "firm_b"])
def test_recorded_reasons_hold_the_truth_of_all_who_left(firm):
    """A third of the reasons is recorded; the shares of all who left lie in the intervals at 99.9%."""
    data = Path(__file__).parents[1] / "data"
    listed_ones = pd.read_csv(data / firm / "churn_reasons.csv", dtype=str).set_index("customer_id")["reason"]
    truth = pd.read_parquet(data / "truth" / firm / "customers.parquet").set_index("customer_id")
    gone = truth[(truth["end_of_life"] >= "2022-01-01") & (truth["end_of_life"] < "2026-01-01")]
    found = base.churn_reasons(listed_ones, n_left=len(gone), level=0.999)
    shares = gone["reason"].value_counts(normalize=True)
    for reason, row in found.table.iterrows():
        assert row["low"] <= shares[reason] <= row["high"]
    in_hand = shares[list(found.controllable)].sum()
    assert found.controllable_low <= in_hand <= found.controllable_high
    assert 0.5 < found.share_unrecorded < 0.8


def test_the_figures_carry_the_tables(ladder):
    ax = plot_ladder(ladder.table)
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == [0, 9, 5, 3, 1, 0]
    words = [text.get_text().strip() for text in ax.texts]
    assert words.count("not known") == 2
    assert any(word.startswith("56%") for word in words)
    reasons = base.churn_reasons(listed({"Service": 6, "Price": 3, "Moved away": 1})).table
    ax = plot_churn_reasons(reasons)
    assert [bar.get_height() for bar in ax.patches] == pytest.approx(reasons["share"].tolist())
    assert ax.collections[-1].get_offsets()[:, 1].compressed().tolist() == pytest.approx(
        [0.68, 0.15, 0.05, 0.12]
    )
    assert (
        pytest.approx(next(line for line in ax.lines if line.get_label() == "running total").get_ydata()[2:])
        == [1.0] * 3
    )
