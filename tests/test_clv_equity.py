"""Value of the base and its roll-forward: by hand, exact sums, fair under a true model, refusals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.clv.models.bg_nbd import BgNbd
from crm_analysis.clv.worth.equity import customer_equity, equity_roll_forward
from crm_analysis.errors import ConfigError, DataError

TERMS = {"annual_discount_rate": 0.21, "years": 1}
OPENING = pd.Series({"ann": 100.0, "bob": 50.0})
OLD = pd.Series({"ann": 90.0, "bob": 40.0, "cai": 30.0})
NEW = pd.Series({"ann": 95.0, "bob": 38.0, "cai": 33.0})


class TestRollForward:
    def test_three_customers_by_hand(self):
        roll = equity_roll_forward(
            OPENING, NEW, closing_by_opening_model=OLD, margin=pd.Series({"ann": 20.0, "cai": 99.0}), **TERMS
        )
        # 21% on 100 and 50, less 10% (half a year) on the 20 received of Ann; Cai's 99 was in no value.
        assert roll.table["value"].to_dict() == pytest.approx(
            {
                "opening": 150,
                "unwinding": 31.5 - 2,
                "margin received": -20,
                "known customers": 130 - (150 + 29.5 - 20),
                "new customers": 30,
                "re-estimation": 6,
                "closing": 166,
            }
        )
        assert roll.table["n_customers"].tolist() == [2, 2, 2, 2, 1, 3, 3]
        ann = roll.customers.loc["ann"]
        assert ann.tolist() == pytest.approx([100, 19, -20, 90 - 99, 0, 5, 95])
        assert roll.customers.loc["cai"].tolist() == pytest.approx([0, 0, 0, 0, 30, 3, 33])

    def test_a_plan_that_comes_true_leaves_no_surprise(self):
        """Worth 110 / 1.21 ** .5 today, 110 paid in half a year and nothing after."""
        roll = equity_roll_forward(
            pd.Series({"ann": 110 / 1.1}),
            pd.Series({"ann": 0.0}),
            closing_by_opening_model=pd.Series({"ann": 0.0}),
            margin=pd.Series({"ann": 110.0}),
            **TERMS,
        )
        assert roll.table["value"]["known customers"] == pytest.approx(0)

    @settings(max_examples=50, deadline=None)
    @given(seed=st.integers(0, 10_000), n=st.integers(1, 30), n_new=st.integers(0, 10))
    def test_the_steps_add_up_for_all_and_for_each(self, seed, n, n_new):
        generator = np.random.default_rng(seed)
        draw = lambda size: pd.Series(generator.normal(50, 100, size), range(size))  # noqa: E731
        roll = equity_roll_forward(
            draw(n),
            draw(n + n_new),
            closing_by_opening_model=draw(n + n_new).sample(frac=1, random_state=seed),
            margin=draw(n // 2),
            annual_discount_rate=0.1,
            years=0.25,
        )
        for values in (roll.table[["value"]].T, roll.customers):
            steps = values.drop(columns="closing").sum(axis="columns")
            assert steps.to_numpy() == pytest.approx(values["closing"].to_numpy(), abs=1e-8)

    def test_the_order_of_customers_does_not_matter(self):
        margin = pd.Series({"bob": 5.0})
        roll = equity_roll_forward(OPENING, NEW, closing_by_opening_model=OLD, margin=margin, **TERMS)
        turned = equity_roll_forward(
            OPENING[::-1], NEW[::-1], closing_by_opening_model=OLD, margin=margin, **TERMS
        )
        pd.testing.assert_frame_equal(roll.table, turned.table)

    def test_under_the_true_model_known_customers_surprise_by_nothing(self):
        """A year of simulated customers valued by the model that made them: the mean surprise is 0."""
        model = BgNbd(r=2.0, alpha=20.0, a=0.8, b=3.0, unit="7D")
        generator, n, rate = np.random.default_rng(8), 150_000, 0.15
        opened, closed, bought = _two_looks(model, generator, n)
        worth = [
            10 * model.discounted_purchases(look, annual_discount_rate=rate) for look in (opened, closed)
        ]
        roll = equity_roll_forward(
            worth[0],
            worth[1],
            closing_by_opening_model=worth[1],
            margin=10.0 * bought,
            annual_discount_rate=rate,
            years=364 / 365.25,
        )
        surprise = roll.customers["known customers"]
        error = surprise.std() / np.sqrt(n)
        assert abs(surprise.mean()) < 4 * error
        # So small an error would not hide the interest on the opening value, or on the margin.
        assert 4 * error < 0.4 * worth[0].mean() * rate
        assert 4 * error < roll.customers["margin received"].abs().mean() * ((1 + rate) ** 0.5 - 1)

    def test_refused(self):
        inputs = {"closing_by_opening_model": OLD, "margin": OPENING}
        with pytest.raises(DataError, match="1 customers are in one of closing and closing_by_opening_model"):
            equity_roll_forward(OPENING, NEW.drop("cai"), **inputs, **TERMS)
        with pytest.raises(DataError, match="1 of 3 opening customers have no closing value, first 'dan'"):
            equity_roll_forward(pd.concat([OPENING, pd.Series({"dan": 1.0})]), NEW, **inputs, **TERMS)
        with pytest.raises(DataError, match="closing: 1 of 3 customers have no value"):
            equity_roll_forward(OPENING, NEW.where(NEW > 34), **inputs, **TERMS)
        with pytest.raises(DataError, match="opening: 2 customers appear more than once"):
            equity_roll_forward(pd.concat([OPENING, OPENING]), NEW, **inputs, **TERMS)
        with pytest.raises(ConfigError, match="years 0; expected the time between"):
            equity_roll_forward(OPENING, NEW, **inputs, annual_discount_rate=0.1, years=0)


def _two_looks(model, generator, n, *, opening=364, closing=728):
    """Histories of the same customers at two ages, day by day, and their purchases in between."""
    rate = generator.gamma(model.r, 1 / model.alpha, n) / 7
    leaving = generator.beta(model.a, model.b, n)
    looks = {age: (np.zeros(n, int), np.zeros(n)) for age in (opening, closing)}
    clock, active = np.zeros(n), np.arange(n)
    while len(active):
        clock[active] += generator.exponential(1 / rate[active])
        active = active[clock[active] < closing]
        for age, (count, last) in looks.items():
            seen = active[clock[active] < age]
            count[seen] += 1
            last[seen] = clock[seen]
        active = active[generator.random(len(active)) >= leaving[active]]
    tables = [
        pd.DataFrame({"n_repeat": count, "t_last": np.ceil(last).astype(int), "t_observed": age})
        for age, (count, last) in looks.items()
    ]
    return *tables, tables[1]["n_repeat"] - tables[0]["n_repeat"]


class TestEquity:
    VALUES = pd.Series({"ann": 60.0, "bob": -10.0, "cai": 50.0})

    def test_by_group(self):
        groups = pd.Series({"cai": "new", "ann": "old", "bob": "old"})
        table = customer_equity(self.VALUES, groups=groups)
        assert table.loc["old"].tolist() == [2, 50, 25, 0.5, 1]
        assert customer_equity(self.VALUES).loc["all"].tolist() == pytest.approx([3, 100, 100 / 3, 1, 1])

    def test_refused(self):
        with pytest.raises(DataError, match="1 of 3 customers have no group"):
            customer_equity(self.VALUES, groups=pd.Series({"ann": "x", "bob": "x"}))
