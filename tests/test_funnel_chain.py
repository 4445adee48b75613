"""Absorbing chains: published, by hand with moves back, against simulated truth, refused."""

import numpy as np
import pandas as pd
import pytest
from deal_tables import deals_of, entries_of

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel import absorbing_chain, stage_chain

Q = np.array([[0.2, 0.3, 0], [0.1, 0.2, 0.4], [0, 0.1, 0.3]])
R = np.array([[0, 0.5], [0, 0.3], [0.4, 0.2]])
STAGES = ("Lead", "Proposal", "Offer", "Won")


def test_ends_are_certain_and_one_more_step_changes_nothing():
    chain = absorbing_chain(Q, R)
    assert chain.ends.sum(axis=1).tolist() == pytest.approx([1, 1, 1])
    assert (R + Q @ chain.ends.to_numpy()) == pytest.approx(chain.ends.to_numpy())
    assert (1 + Q @ chain.steps.to_numpy()) == pytest.approx(chain.steps.to_numpy())


def test_names_are_kept():
    states = ["Lead", "Proposal", "Offer"]
    chain = absorbing_chain(pd.DataFrame(Q, states, states), pd.DataFrame(R, states, ["won", "lost"]))
    assert chain.visits.loc["Lead", "Offer"] == pytest.approx(0.303797, abs=1e-6)
    assert chain.ends.loc["Offer", "won"] == pytest.approx(0.617722, abs=1e-6)


@pytest.mark.parametrize(
    ("moves", "ends", "words"),
    [
        (Q, R[:2], r"moves \(3, 3\) and ends \(2, 2\)"),
        (Q, R / 2, r"rows that are no probabilities, with their sums: \{0: 0.75"),
        ([[0.5, 0.0], [0.0, 1.0]], [[0.5], [0.0]], r"no end can be reached from \[1\]"),
        ([[1.5]], [[-0.5]], "no probabilities"),
        (np.zeros((0, 0)), np.zeros((0, 1)), r"expected \(n, n\)"),
    ],
)
def test_chains_that_cannot_be_are_refused(moves, ends, words):
    with pytest.raises(ConfigError, match=words):
        absorbing_chain(moves, ends)


def entries(*paths):
    """Deals by the stages they went through, one a day."""
    rows = [
        (f"D{i}", stage, f"2025-01-{day:02}")
        for i, path in enumerate(paths)
        for day, stage in enumerate(path.split(), 1)
    ]
    return pd.DataFrame(rows, columns=["opportunity_id", "stage", "entered_on"])


def test_moves_are_counted_per_entry():
    paths = ["Lead Proposal Won", "Lead Proposal Lead Lost", "Lead Lost", "Lead", "Lead Won Proposal Won"]
    chain = stage_chain(entries_of(entries(*paths)), n_draws=50)
    assert chain.counts.loc["Lead"].tolist() == [0, 3, 0, 2]
    # Won, Proposal, Won: the deal had not ended, it went from Lead to Proposal.
    assert chain.counts.loc["Proposal"].tolist() == [1, 0, 2, 0]
    assert chain.table["n_there"].tolist() == [1, 0]
    assert chain.table["n_entered"].tolist() == [6, 3]
    # Lead = 3/5 Proposal; Proposal = 2/3 + 1/3 Lead.
    assert chain.table["p_won"].tolist() == pytest.approx([0.5, 5 / 6])
    assert chain.resampled == "opportunity"


def test_a_lost_deal_that_comes_back_was_not_lost():
    chain = stage_chain(entries_of(entries("Lead Lost Lead Won", "Lead Lost")), n_draws=50)
    assert chain.counts.loc["Lead"].tolist() == [1, 1, 1]
    assert chain.table.loc["Lead", "p_won"] == pytest.approx(0.5)
    assert chain.table.loc["Lead", "steps"] == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["Lead", "Lead"], "no opportunity has left any stage"),
        (["Lead Proposal", "Lead Lost"], r"nobody has left \['Proposal'\]"),
    ],
)
def test_where_nobody_moves_nothing_is_known(paths, words):
    with pytest.raises(DataError, match=words):
        stage_chain(entries_of(entries(*paths)))


def test_a_stage_without_visitors_is_left_out():
    chain = stage_chain(entries_of(entries("Lead Offer Won", "Lead Lost"), stages=STAGES), n_draws=20)
    assert list(chain.table.index) == ["Lead", "Offer"]
    assert chain.table["p_won"].tolist() == [0.5, 1]


def test_a_shape_without_moves_is_refused():
    row = [("D1", "2025-01-01", None, "open")]
    deals = pd.DataFrame(row, columns=["opportunity_id", "created_on", "closed_on", "outcome"])
    with pytest.raises(DataError, match="does not show the moves"):
        stage_chain(deals_of(deals))


def walks(rng, n, *, n_owners, spread):
    """Deals that move by Q and R; owners differ in how often they win an offer."""
    owner = rng.integers(0, n_owners, n)
    effect = rng.normal(0, spread, n_owners)
    rows = []
    for i in range(n):
        state, step = 0, 0
        while state < 3:
            rows.append((f"{i:05}", STAGES[state], step))
            won = R[state, 0] * (1 + effect[owner[i]])
            row = np.array([*Q[state], won, R[state, 1] + R[state, 0] - won])
            state, step = int((row.cumsum() < rng.random()).sum()), step + 1
        rows.append((f"{i:05}", "Won" if state == 3 else "Lost", step))
    table = pd.DataFrame(rows, columns=["opportunity_id", "stage", "step"])
    # A step that stays where it is leaves no row in a history.
    table = table[table.groupby("opportunity_id")["stage"].shift() != table["stage"]]
    day = pd.Timestamp("2025-01-01") + pd.to_timedelta(table["step"], unit="D")
    ids = np.array([f"{i:05}" for i in range(n)])
    owners = pd.DataFrame({"opportunity_id": ids, "owner": owner.astype(str)})
    return entries_of(table.assign(entered_on=day), owners, stages=STAGES)


def test_the_chances_of_a_known_chain_lie_in_their_intervals():
    """99% intervals hold all three chances, and the steps without the waits."""
    chain = stage_chain(
        walks(np.random.default_rng(5), 3000, n_owners=12, spread=0.0), level=0.99, n_draws=300
    )
    table = chain.table
    assert chain.resampled == "owner"
    assert (table["low"] < [0.121519, 0.324051, 0.617722]).all()
    assert (table["high"] > [0.121519, 0.324051, 0.617722]).all()
    moved = Q - np.diag(np.diag(Q))
    scale = (1 - np.diag(Q))[:, None]
    steps = absorbing_chain(moved / scale, R / scale).steps
    assert (table["steps_low"].to_numpy() < steps).all()
    assert (table["steps_high"].to_numpy() > steps).all()


def test_unlike_owners_widen_the_intervals():
    rng = np.random.default_rng(9)
    alike, unlike = (walks(rng, 2000, n_owners=12, spread=s) for s in (0.0, 0.5))
    width = [t["high"] - t["low"] for t in (stage_chain(x, n_draws=300).table for x in (alike, unlike))]
    assert width[1]["Offer"] > 2 * width[0]["Offer"]


def test_the_same_seed_gives_the_same_intervals():
    pipeline = entries_of(entries("Lead Proposal Won", "Lead Lost", "Lead Proposal Lost"))
    first, again = (stage_chain(pipeline, rng=np.random.default_rng(7), n_draws=30) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, again.table)
