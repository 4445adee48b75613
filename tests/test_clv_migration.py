"""Chains, rates from a log, the stop rule: by hand, recovered, against simulation, identities, refusals."""

import ibis
import numpy as np
import pandas as pd
import pytest
from published.deterministic import catalogue

import crm_analysis as crm
from crm_analysis.clv.plans.contact import contact_value, stop_contact
from crm_analysis.clv.plans.migration import migration_value, recency_transitions, transition_rates
from crm_analysis.clv.plans.pauses import purchase_rates
from crm_analysis.errors import ConfigError, DataError

MAIL = {"contribution": 60, "contact_cost": 2, "rate_per_period": 0.03}


class TestChain:
    CHAIN = pd.DataFrame([[0.5, 0.5], [0.2, 0.8]], ["good", "poor"], ["good", "poor"])

    def test_two_states_by_hand(self):
        now = migration_value(self.CHAIN, [10, 0], rate_per_period=0.25, periods=0)
        assert now.to_dict() == {"good": 10, "poor": 0}
        one = migration_value(self.CHAIN, [10, 0], rate_per_period=0.25, periods=1)
        assert one.to_dict() == pytest.approx({"good": 10 + 5 / 1.25, "poor": 2 / 1.25})
        swapped = migration_value(
            self.CHAIN, pd.Series({"poor": 0.0, "good": 10.0}), rate_per_period=0.25, periods=1
        )
        assert swapped.to_dict() == one.to_dict()

    def test_without_an_end_it_is_a_long_horizon_and_solves_its_equation(self):
        endless = migration_value(self.CHAIN, [10, -1], rate_per_period=0.1, periods=None)
        long = migration_value(self.CHAIN, [10, -1], rate_per_period=0.1, periods=500)
        assert endless.to_numpy() == pytest.approx(long.to_numpy())
        assert endless.to_numpy() == pytest.approx([10, -1] + self.CHAIN.to_numpy() @ endless / 1.1)

    def test_who_leaves_for_good_is_a_contract(self):
        """A chain of one recency is constant retention: m (1 + d) / (1 + d - r)."""
        contract = migration_value(recency_transitions([0.8]), [100, 0], rate_per_period=0.1, periods=None)
        assert contract[1] == pytest.approx(100 * 1.1 / 0.3)

    def test_a_pause_counted_as_an_end_is_worth_less(self):
        """Dwyer: a repeat-buying rate is no retention rate."""
        chain = recency_transitions([0.4, 0.3, 0.2])
        comes_back = migration_value(chain, [50, 0, 0, 0], rate_per_period=0.1, periods=None)[1]
        ends = crm.clv.margin_multiple(
            retention_probability=0.4, annual_discount_rate=0.1, first_payment="today"
        )
        assert comes_back > 1.2 * 50 * ends

    def test_brands_that_customers_switch_between_share_what_they_spend(self):
        """Rust, Lemon & Zeithaml: the value of a brand is that of the purchases made of it."""
        brands = ["ours", "theirs"]
        switching = pd.DataFrame([[0.7, 0.3], [0.4, 0.6]], brands, brands)
        values = pd.DataFrame(
            {
                brand: migration_value(
                    switching, [20.0 * (b == brand) for b in brands], rate_per_period=0.05, periods=8
                )
                for brand in brands
            }
        )
        all_purchases = 20 * sum(1.05**-t for t in range(9))
        assert values.sum(axis="columns").to_numpy() == pytest.approx([all_purchases] * 2)
        assert values.loc["ours", "ours"] > values.loc["theirs", "ours"]

    def test_moves_between_segments_become_a_chain(self):
        moves = pd.DataFrame([[6, 2], [1, 3]], ["A", "B"], ["A", "B"])
        assert transition_rates(moves).to_numpy().tolist() == [[0.75, 0.25], [0.25, 0.75]]
        leaves = pd.DataFrame([[6, 2], [0, 9]], ["A", "left"], ["A", "left"])
        assert transition_rates(leaves).loc["left", "left"] == 1

    def test_refused(self):
        with pytest.raises(ConfigError, match=r"no probabilities, with their sums: \{1: 0.9\}"):
            migration_value(np.array([[0.5, 0.5], [0.2, 0.7]]), [1, 0], rate_per_period=0.1, periods=2)
        with pytest.raises(ConfigError, match="no probabilities"):
            migration_value(np.array([[1.5, -0.5], [0, 1]]), [1, 0], rate_per_period=0.1, periods=2)
        with pytest.raises(ConfigError, match="expected the same states"):
            migration_value(self.CHAIN[["poor", "good"]], [1, 0], rate_per_period=0.1, periods=2)
        with pytest.raises(ConfigError, match="rewards: 3 values; expected one for each"):
            migration_value(self.CHAIN, [1, 0, 0], rate_per_period=0.1, periods=2)
        with pytest.raises(ConfigError, match="above 0 where there is no end"):
            migration_value(self.CHAIN, [1, 0], rate_per_period=0, periods=None)
        with pytest.raises(ConfigError, match="p_buy at recency 2: 30: expected a share"):
            recency_transitions([0.2, 30])
        with pytest.raises(DataError, match=r"nobody was in \['left'\] before"):
            transition_rates(pd.DataFrame([[6, 2]], ["A"], ["A", "left"]))


# Ann buys in January, twice in February and in May; Bob in March only. Observed to the middle of July:
# the last whole month is June.
ROWS = [
    ("ann", "2024-01-10"),
    ("ann", "2024-02-01"),
    ("ann", "2024-02-29"),
    ("ann", "2024-05-31"),
    ("bob", "2024-03-05"),
    ("bob", "2024-07-03"),
]


def log_of(rows, *, until="2024-12-31", **more):
    frame = pd.DataFrame(rows, columns=["who", "day"]).assign(amount=10.0)
    frame["day"] = pd.to_datetime(frame["day"])
    return crm.read_transactions(
        frame,
        columns={"customer_id": "who", "occurred_at": "day", "amount": "amount"},
        observed_from="2024-01-01",
        observed_until=until,
        **more,
    )


class TestRates:
    def test_months_by_hand(self):
        log = log_of(ROWS, until="2024-07-15", closed_cohort=True)
        table = purchase_rates(log, by="month", n_periods=3, n_frequencies=2, prior=0)

        # Frequency 1: Ann in January (buys in February); Bob in March, silent in April, May, June.
        # Frequency 2 and more: Ann in February (silent in March and April, buys in May),
        # in May (silent June).
        def wide(name):
            return table[name].to_numpy().reshape(3, 2).tolist()

        assert wide("n") == [[2, 2], [1, 1], [1, 1]]
        assert wide("n_bought") == [[1, 0], [0, 0], [0, 1]]
        assert wide("share_bought") == [[0.5, 0], [0, 0], [0, 1]]
        assert table["p_buy"].tolist() == table["share_bought"].tolist()
        # Two purchases in one month are one month with a purchase.
        three = purchase_rates(log, by="month", n_periods=1, n_frequencies=3)
        assert three["n"].tolist() == [2, 1, 1]

    def test_small_cells_are_drawn_towards_their_recency(self):
        log = log_of(ROWS, until="2024-07-15", closed_cohort=True)
        table = purchase_rates(log, by="month", n_periods=1, n_frequencies=2, prior=2)
        # One of four bought at recency 1; two more customers at that rate, half a purchase.
        assert table["p_buy"].tolist() == pytest.approx([1.5 / 4, 0.5 / 4])

    def test_customers_who_may_be_older_are_left_out(self):
        log = log_of(ROWS, until="2024-07-15")
        early = pd.DataFrame({"customer_id": ["ann"], "acquired_at": pd.to_datetime(["2020-01-01"])})
        older = log_of(ROWS, until="2024-07-15", customers=ibis.memtable(early))
        assert (
            purchase_rates(older, by="month", n_periods=1)["n"].sum()
            < purchase_rates(log, by="month", n_periods=1)["n"].sum()
        )

    def test_a_simulated_chain_is_recovered(self):
        """Quarters of customers whose chances of buying are known, by recency."""
        chances, generator = np.array([0.4, 0.25, 0.15, 0.1]), np.random.default_rng(11)
        recency, rows = np.ones(4000, int), [(f"c{i}", "2016-02-01") for i in range(4000)]
        for quarter in range(1, 28):
            buys = generator.random(4000) < np.append(chances, 0)[np.minimum(recency, 5) - 1]
            day = pd.Timestamp("2016-02-01") + pd.DateOffset(months=3 * quarter)
            rows += [(f"c{i}", day) for i in np.flatnonzero(buys)]
            recency = np.where(buys, 1, recency + 1)
        frame = pd.DataFrame(rows, columns=["who", "day"]).assign(amount=1.0)
        frame["day"] = pd.to_datetime(frame["day"])
        log = crm.read_transactions(
            frame,
            columns={"customer_id": "who", "occurred_at": "day", "amount": "amount"},
            observed_from="2016-01-01",
            observed_until="2022-12-31",
            closed_cohort=True,
        )
        table = purchase_rates(log, by="quarter", n_periods=4, prior=0)
        error = np.sqrt(chances * (1 - chances) / table["n"])
        assert (np.abs(table["share_bought"] - chances) < 4 * error).all()

    def test_refused(self):
        log = log_of(ROWS, until="2024-07-15", closed_cohort=True)
        with pytest.raises(DataError, match="nobody was observed 4 months after a purchase"):
            purchase_rates(log, by="month", n_periods=9)
        with pytest.raises(ConfigError, match="by 'week'"):
            purchase_rates(log, by="week", n_periods=2)


class TestStopRule:
    def test_one_recency_by_hand(self):
        """A contact of 2 brings 60 with chance p a period later, and the same customer again."""
        p_buy = pd.DataFrame([[0.1]], [1], [1])
        rule = stop_contact(
            p_buy, contribution=60, contact_cost=2, rate_per_period=0.25, contact_at="start of period"
        )
        value = (0.1 * 60 / 1.25 - 2) / (1 - 0.1 / 1.25)
        assert rule.values.loc[1, 1] == pytest.approx(value)
        assert rule.new_customer == pytest.approx(60 + value)
        poor = stop_contact(p_buy / 10, contribution=60, contact_cost=2, rate_per_period=0.25)
        assert (poor.stop_after[1], poor.new_customer) == (0, 60)

    @pytest.mark.parametrize("rate", [0.03, 0.3])
    def test_no_other_limit_is_worth_more(self, rate):
        terms = MAIL | {"rate_per_period": rate}
        rule = stop_contact(catalogue(), **terms)
        best = contact_value(catalogue(), stop_after=rule.stop_after, **terms)
        pd.testing.assert_frame_equal(best, rule.values)
        for frequency in catalogue().columns:
            for change in (-1, 1):
                other = rule.stop_after.copy()
                other[frequency] += change
                worse = contact_value(catalogue(), stop_after=other, **terms)
                assert (worse < best + 1e-12).all(axis=None)
                assert worse[frequency].lt(best[frequency]).any()

    def test_a_limit_for_all_is_a_chain(self):
        """One frequency: values are those of the chain by recency, rewards counted when they fall due."""
        chances = catalogue()[[1]]
        values = contact_value(chances, stop_after=6, **MAIL)
        chain = recency_transitions(chances[1].iloc[:6])
        reward = [60 * p / 1.03 - 2 * 1.03**-0.5 for p in chances[1].iloc[:6]]
        expected = migration_value(chain, [*reward, 0], rate_per_period=0.03, periods=None)
        assert values[1].iloc[:6].to_numpy() == pytest.approx(expected.iloc[:6].to_numpy())
        assert (values[1].iloc[6:] == 0).all()

    def test_the_value_is_what_simulated_customers_bring(self):
        rule = stop_contact(catalogue(), **MAIL)
        chances, generator = catalogue().to_numpy(), np.random.default_rng(3)
        last = rule.stop_after.to_numpy()
        n = 40_000
        recency, frequency = np.ones(n, int), np.ones(n, int)
        brought, worth, on = np.zeros(n), 1.0, np.ones(n, bool)
        for _ in range(600):
            on &= recency <= last[frequency - 1]
            buys = on & (generator.random(n) < chances[np.minimum(recency, 24) - 1, frequency - 1])
            brought += worth * (buys * 60 / 1.03 - on * 2 * 1.03**-0.5)
            frequency = np.minimum(frequency + buys, 5)
            recency = np.where(buys, 1, recency + 1)
            worth /= 1.03
        error = brought.std() / np.sqrt(n)
        assert abs(brought.mean() - rule.values.loc[1, 1]) < 4 * error

    def test_dearer_contacts_stop_earlier(self):
        limits = [
            stop_contact(catalogue(), contribution=60, contact_cost=cost, rate_per_period=0.03).stop_after
            for cost in (1, 2, 3)
        ]
        assert (limits[0] >= limits[1]).all()
        assert (limits[1] > limits[2]).all()

    def test_refused(self):
        holes = catalogue().mask(catalogue() < 0.011)
        with pytest.raises(ConfigError, match="p_buy: 1 of 120 cells are missing"):
            stop_contact(holes, **MAIL)
        with pytest.raises(ConfigError, match=r"periods_since_last .* expected 1, 2, \.\.\. without a gap"):
            stop_contact(catalogue().drop(index=3), **MAIL)
        with pytest.raises(ConfigError, match="free contacts never stop"):
            stop_contact(catalogue(), **MAIL | {"contact_cost": 0})
        with pytest.raises(ConfigError, match="contact_at 'noon'"):
            stop_contact(catalogue(), **MAIL, contact_at="noon")
