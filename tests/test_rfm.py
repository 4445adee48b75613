"""RFM: published numbers of the R package rfm 0.3.0, properties, the rule table, refusals."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crm_analysis as crm
from crm_analysis import rfm
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.report.text import read_catalogue

ORDERS = Path(__file__).parents[2] / "shared" / "data" / "rfm_orders" / "orders.parquet"
R_NAMES = (
    "Champions",
    "Loyal Customers",
    "Potential Loyalist",
    "New Customers",
    "Promising",
    "Need Attention",
    "About To Sleep",
    "At Risk",
    "Can't Lose Them",
    "Lost",
)


def customer_frame(days, orders, amounts):
    index = pd.Index([f"c{i}" for i in range(len(days))], name="customer_id")
    return pd.DataFrame(
        {"days_since_last": days, "n_orders": orders, "total_amount": amounts}, index=index
    ).astype({"days_since_last": int, "n_orders": int, "total_amount": float})


def box_rules(names, r_low, r_high, f_low, f_high, m_low, m_high):
    bounds = zip(names, r_low, r_high, f_low, f_high, m_low, m_high, strict=True)
    return [rfm.Rule(n, (r1, r2), (f1, f2), (m1, m2)) for n, r1, r2, f1, f2, m1, m2 in bounds]


# The rule vectors of the package's own tests, and of its README.
R_TEST = box_rules(
    R_NAMES,
    (4, 2, 3, 4, 3, 2, 2, 1, 1, 1),
    (5, 5, 5, 5, 4, 3, 3, 2, 1, 2),
    (4, 3, 1, 1, 1, 2, 1, 2, 4, 1),
    (5, 5, 3, 1, 1, 3, 2, 5, 5, 2),
    (4, 3, 1, 1, 1, 2, 1, 2, 4, 1),
    (5, 5, 3, 1, 1, 3, 2, 5, 5, 2),
)
R_README = box_rules(
    (
        "Champions",
        "Potential Loyalist",
        "Loyal Customers",
        "Promising",
        "New Customers",
        "Can't Lose Them",
        "At Risk",
        "Need Attention",
        "About To Sleep",
        "Lost",
    ),
    (5, 3, 2, 3, 4, 1, 1, 1, 2, 1),
    (5, 5, 4, 4, 5, 2, 2, 3, 3, 1),
    (5, 3, 2, 1, 1, 3, 2, 3, 1, 1),
    (5, 5, 4, 3, 3, 4, 5, 5, 3, 5),
    (5, 2, 2, 3, 1, 4, 4, 3, 1, 1),
    (5, 5, 4, 5, 5, 5, 5, 5, 4, 5),
)


@pytest.fixture(scope="module")
def r_customers():
    if not ORDERS.exists():
        pytest.skip(f"{ORDERS} is absent: the R package's orders are test data outside the project")
    orders = pd.read_parquet(ORDERS).assign(order_date=lambda d: pd.to_datetime(d["order_date"]))
    table = orders.groupby("customer_id").agg(
        last_at=("order_date", "max"), n_orders=("revenue", "size"), total_amount=("revenue", "sum")
    )
    return table.assign(days_since_last=(pd.Timestamp("2006-12-31") - table["last_at"]).dt.days)


@pytest.fixture(scope="module")
def r_scores(r_customers):
    return rfm.score(r_customers)


class TestPublished:
    """R rfm 0.3.0: tests/testthat and _snaps/rfm-plotly.md."""

    def test_thresholds(self, r_scores, r_customers):
        cuts = r_scores.cut_points
        assert r_scores.at == dt.date(2006, 12, 31)
        assert cuts.r == pytest.approx((115, 181, 297.4, 482), rel=1e-12)
        assert cuts.f == pytest.approx((4, 5, 6, 8), rel=1e-12)
        assert cuts.m == pytest.approx((255.8, 382, 506.4, 666), rel=1e-12)
        ends = r_customers[["days_since_last", "n_orders", "total_amount"]].agg(["min", "max"])
        assert ends.loc["min"].tolist() == [1, 1, 12]
        assert (ends.loc["max"] + 1).tolist() == [977, 15, 1489]

    def test_first_rows(self, r_scores):
        first = r_scores.table.head(5)
        assert first.index.tolist() == [
            "Abbey O'Reilly",
            "Add Senger",
            "Aden Lesch",
            "Aden Murphy",
            "Admiral Senger",
        ]
        assert first["rfm"].tolist() == ["343", "412", "323", "544", "433"]
        assert first["days_since_last"].tolist() == [205, 140, 194, 98, 132]

    def test_heat_map_of_mean_amount(self, r_scores):
        cells = rfm.score_cells(r_scores).pivot_table(index="f", columns="r", values="mean_amount")
        published = [
            [208.40, 246.98, 246.30, 213.42, 262.17],
            [380.50, 407.54, 355.08, 375.17, 370.03],
            [530.24, 516.65, 446.61, 451.88, 467.00],
            [575.41, 599.47, 603.79, 617.07, 564.51],
            [746.67, 873.11, 846.90, 866.43, 862.40],
        ]
        np.testing.assert_allclose(cells, published, atol=0.0051)

    def test_orders_distribution(self, r_scores):
        counts = r_scores.table["n_orders"].value_counts().sort_index().to_dict()
        assert counts == dict(enumerate([42, 83, 143, 187, 176, 150, 94, 51, 38, 20, 3, 5, 2, 1], start=1))

    def test_segments_of_the_package_tests(self, r_scores):
        table = rfm.summarise_segments(rfm.segment(r_scores, rules=R_TEST, first_match=True))
        published = {
            "About To Sleep": (50, 127, 10914, 85.94, 410.5, 5.03, 2.35),
            "At Risk": (86, 438, 44178, 100.86, 526.5, 8.64, 9.52),
            "Champions": (158, 1234, 120178, 97.39, 115, 15.88, 25.89),
            "Lost": (111, 244, 20955, 85.88, 578, 11.16, 4.51),
            "Loyal Customers": (278, 1708, 166712, 97.61, 245.5, 27.94, 35.92),
            "Need Attention": (35, 144, 13287, 92.27, 389, 3.52, 2.86),
            "Others": (48, 210, 22061, 105.05, 184, 4.82, 4.75),
            "Potential Loyalist": (229, 801, 65873, 82.24, 162, 23.02, 14.19),
        }
        for name, (customers, orders, revenue, order_value, median, c_share, r_share) in published.items():
            row = table.loc[name]
            assert row[["n_customers", "n_orders", "total_amount"]].tolist() == [customers, orders, revenue]
            assert row["average_order_value"] == pytest.approx(order_value, abs=0.0051)
            assert row["median_days_since_last"] == median
            assert row["share_of_customers"] * 100 == pytest.approx(c_share, abs=0.0051)
            assert row["share_of_amount"] * 100 == pytest.approx(r_share, abs=0.0051)
        empty = table.index[table["n_customers"] == 0].tolist()
        assert empty == ["New Customers", "Promising", "Can't Lose Them"]

    def test_segments_of_the_readme(self, r_scores):
        table = rfm.summarise_segments(rfm.segment(r_scores, rules=R_README, first_match=True))
        published = {
            "Champions": (35, 316, 31646),
            "Potential Loyalist": (342, 2211, 204856),
            "Loyal Customers": (170, 799, 76562),
            "Promising": (9, 28, 4249),
            "New Customers": (104, 329, 28837),
            "Can't Lose Them": (47, 274, 32446),
            "At Risk": (28, 216, 22227),
            "Need Attention": (10, 57, 4562),
            "About To Sleep": (102, 283, 23449),
            "Lost": (148, 393, 35324),
        }
        found = table.drop(index="Others")[["n_customers", "n_orders", "total_amount"]]
        assert {name: tuple(row) for name, row in found.iterrows()} == published

    def test_custom_cut_points(self, r_customers):
        typed = rfm.CutPoints(
            (115, 181, 297, 482), (4, 5, 6, 8), (256, 382, 506, 666), fitted_at=dt.date(2006, 12, 31)
        )
        table = rfm.score(r_customers, cut_points=typed).table
        assert table.loc["Aden Murphy", "rfm"] == "544"
        # A value on a cut point belongs to the band above it.
        assert set(table.loc[table["days_since_last"] == 297, "r"]) == {2}
        assert set(table.loc[table["total_amount"] == 506, "m"]) == {4}

    @pytest.mark.parametrize(
        ("rules", "uncovered", "several", "dead"),
        [
            (R_TEST, 36, 39, ["New Customers", "Promising", "Can't Lose Them"]),
            (R_README, 10, 58, []),
        ],
    )
    def test_defects_of_published_rule_tables(self, rules, uncovered, several, dead):
        cells = rfm.rule_cells(rules)
        assert (cells["n_rules"] == 0).sum() == uncovered
        assert (cells["n_rules"] > 1).sum() == several
        assert rfm.dead_segments(rules) == dead


customers_drawn = st.lists(
    st.tuples(st.integers(0, 900), st.integers(1, 12), st.integers(0, 50_000).map(lambda x: x / 100)),
    min_size=1,
    max_size=60,
)
methods = st.sampled_from(["independent", "nested"])


class TestProperties:
    @settings(max_examples=25, deadline=None)
    @given(rows=customers_drawn, method=methods, bins=st.integers(2, 9))
    def test_equal_customers_score_alike(self, rows, method, bins):
        table = rfm.score(
            customer_frame(*zip(*rows * 2, strict=True)), at="2025-01-01", bins=bins, method=method
        ).table
        alike = table.groupby(["days_since_last", "n_orders", "total_amount"])["rfm"].nunique()
        assert alike.eq(1).all()
        assert table[["r", "f", "m"]].isin(range(1, bins + 1)).all(axis=None)

    @settings(max_examples=25, deadline=None)
    @given(rows=customers_drawn, bins=st.integers(2, 9))
    def test_equal_values_score_alike_and_better_ones_no_worse(self, rows, bins):
        table = rfm.score(customer_frame(*zip(*rows, strict=True)), at="2025-01-01", bins=bins).table
        for value, name, sign in (
            ("days_since_last", "r", -1),
            ("n_orders", "f", 1),
            ("total_amount", "m", 1),
        ):
            assert table.groupby(value)[name].nunique().eq(1).all()
            assert (sign * table.sort_values(value)[name].diff().dropna() >= 0).all()

    @settings(max_examples=25, deadline=None)
    @given(rows=customers_drawn)
    def test_nested_scores_compare_within_their_group(self, rows):
        table = rfm.score(customer_frame(*zip(*rows, strict=True)), at="2025-01-01", method="nested").table
        for value, name, within in (("n_orders", "f", ["r"]), ("total_amount", "m", ["r", "f"])):
            ordered = table.sort_values(value).groupby(within)[name]
            assert (ordered.diff().dropna() >= 0).all()
            assert table.groupby([*within, value])[name].nunique().eq(1).all()

    @settings(max_examples=25, deadline=None)
    @given(rows=customers_drawn, method=methods, seed=st.integers(0, 99))
    def test_order_of_rows_changes_nothing(self, rows, method, seed):
        customers = customer_frame(*zip(*rows, strict=True))
        shuffled = customers.sample(frac=1, random_state=seed)
        here, there = (rfm.score(c, at="2025-01-01", method=method) for c in (customers, shuffled))
        pd.testing.assert_frame_equal(here.table, there.table.loc[customers.index])
        assert here.cut_points == there.cut_points

    @settings(max_examples=25, deadline=None)
    @given(rows=customers_drawn, method=methods)
    def test_kept_cut_points_give_the_same_scores(self, rows, method):
        customers = customer_frame(*zip(*rows, strict=True))
        first = rfm.score(customers, at="2025-01-01", method=method)
        kept = rfm.CutPoints.from_dict(json.loads(json.dumps(first.cut_points.to_dict())))
        assert kept == first.cut_points
        again = rfm.score(customers, at="2025-02-01", cut_points=kept)
        pd.testing.assert_frame_equal(first.table, again.table)
        # One customer alone keeps the score it had among the others: nothing is fitted anew.
        alone = rfm.score(customers.iloc[[0]], at="2025-01-01", cut_points=kept)
        assert alone.table["rfm"].iloc[0] == first.table["rfm"].iloc[0]


def test_ties_at_the_bottom_share_the_lowest_score():
    customers = customer_frame(range(100), [1] * 61 + [2] * 25 + [3] * 14, range(1, 101))
    table = rfm.score(customers, at="2025-01-01").table
    assert table.groupby("n_orders")["f"].unique().map(list).to_dict() == {1: [1], 2: [4], 3: [5]}


def test_amounts_below_one_still_spread():
    customers = customer_frame(range(100), [1] * 100, np.arange(1, 101) / 1000)
    counts = rfm.score(customers, at="2025-01-01").table["m"].value_counts()
    assert counts.between(19, 21).all()
    assert len(counts) == 5


def test_nested_fills_cells_evenly():
    rng = np.random.default_rng(5)
    n = 2500
    customers = customer_frame(rng.permutation(n), rng.permutation(n) + 1, rng.permutation(n) + 1.0)
    sizes = rfm.score(customers, at="2025-01-01", method="nested").table["rfm"].value_counts()
    assert len(sizes) == 125
    assert sizes.between(17, 23).all()


def test_every_score_meets_its_own_demand_and_not_the_next():
    rng = np.random.default_rng(11)
    customers = customer_frame(rng.integers(0, 700, 400), rng.integers(1, 30, 400), rng.gamma(2, 80, 400))
    scores = rfm.score(customers, at="2025-01-01")
    demands = scores.cut_points.demands().set_index("score")
    assert demands.index.tolist() == [5, 4, 3, 2, 1]
    for value, name, column, sign in (
        ("days_since_last", "r", "days_at_most", -1),
        ("n_orders", "f", "n_orders_at_least", 1),
        ("total_amount", "m", "amount_at_least", 1),
    ):
        met = np.greater_equal.outer(
            (sign * scores.table[value]).to_numpy(), sign * demands[column].dropna().to_numpy()
        )
        assert (met.sum(axis=1) + 1 == scores.table[name]).all()
    assert demands.loc[1].isna().all()
    between = rfm.CutPoints((10.5,), (2.5,), (5.5,), fitted_at=dt.date(2025, 1, 1)).demands()
    assert between.iloc[0].tolist() == [2, 10, 3, 5.5]
    nested = rfm.score(customers, at="2025-01-01", method="nested", monetary="total_amount").cut_points
    with pytest.raises(ConfigError, match=r"nested ones have no demand per score"):
        nested.demands()


def test_cut_points_are_shown_with_their_ends():
    cuts = rfm.CutPoints((10, 20), (2, 3), (5.0, 8.0), fitted_at=dt.date(2025, 1, 1))
    table = cuts.table().set_index(["measure", "score"])
    assert table.loc[("r", 3), "upper"] == 10
    assert table.loc[("r", 1), "lower"] == 20
    assert table.loc[("f", 3), "lower"] == 3
    assert table["lower"].isna().sum() == 3
    nested = rfm.score(
        customer_frame([1, 2, 3], [1, 2, 3], [1, 2, 3]), at="2025-01-01", method="nested", bins=2
    )
    assert nested.cut_points.table()["within"].unique().tolist() == ["", "1", "2", "11", "12", "21", "22"]


class TestRules:
    def test_ours_is_a_partition_of_all_cells(self):
        rfm.check_rules(rfm.RULES)
        cells = rfm.rule_cells(rfm.RULES)
        assert len(cells) == 125
        assert cells["n_rules"].eq(1).all()
        assert set(cells["segment"]) == set(rfm.ACTIONS)
        assert len(rfm.ACTIONS) == 11

    def test_the_rules_can_be_read(self):
        table = rfm.describe_rules()
        assert len(table) == len(rfm.RULES)
        assert table.iloc[0].tolist() == ["Champions", "4–5", "4–5", "4–5"]
        assert table[table["segment"] == "New"].iloc[0].tolist() == ["New", "5", "1", "1–5"]

    def test_the_report_has_words_for_every_segment(self):
        words = read_catalogue("en").content["rfm_segmentation"]
        assert words["actions"] == rfm.ACTIONS
        assert set(words["segments"]) == {*rfm.ACTIONS, rfm.NEW, rfm.LEFT}

    def test_better_scores_are_better_segments(self):
        cells = rfm.rule_cells(rfm.RULES).set_index(["r", "f", "m"])["segment"]
        named = {
            (5, 5, 5): "Champions",
            (5, 5, 1): "Loyal",
            (1, 5, 5): "Can't lose them",
            (1, 1, 1): "Long inactive",
        }
        named |= {
            (5, 1, 3): "New",
            (4, 1, 3): "Promising",
            (3, 1, 3): "About to sleep",
            (2, 1, 3): "Hibernating",
        }
        named |= {(4, 3, 2): "Potential loyalist", (3, 3, 3): "Need attention", (2, 3, 3): "At risk"}
        assert {cell: cells[cell] for cell in named} == named

    @settings(max_examples=6, deadline=None)
    @given(cell=st.tuples(*[st.integers(1, 5)] * 3), extra=st.booleans())
    def test_a_cell_too_many_or_too_few_is_named(self, cell, extra):
        r, f, m = cell
        box = rfm.Rule("Extra", (r, r), (f, f), (m, m))
        everything = rfm.Rule("Everybody")
        if extra:
            rules, word = [everything, box], "in more than one rule"
        else:
            rules, word = [rule for rule in _without(cell)], "without a segment"
        with pytest.raises(ConfigError, match=f"1 cells {word}: {r}{f}{m}"):
            rfm.check_rules(rules)

    def test_dead_segments_are_named(self):
        with pytest.raises(ConfigError, match=r"nobody can get: \['Nobody'\]"):
            rfm.check_rules([rfm.Rule("Everybody"), rfm.Rule("Nobody", r=(5, 5))])

    def test_rules_for_other_bins_are_refused(self):
        scores = rfm.score(customer_frame([1, 2, 3], [1, 2, 3], [1, 2, 3]), at="2025-01-01", bins=3)
        with pytest.raises(ConfigError, match=r"3 bins: .* nobody can get"):
            rfm.segment(scores)

    def test_published_tables_are_refused_unless_first_match_is_said(self, r_scores):
        with pytest.raises(
            ConfigError, match=r"36 cells without a segment: .* 39 cells in more than one rule"
        ):
            rfm.segment(r_scores, rules=R_TEST)


def _without(cell):
    """Rules that cover every cell but one, each once."""
    cells = rfm.rule_cells([rfm.Rule("x")])[["r", "f", "m"]]
    return [
        rfm.Rule("x", (r, r), (f, f), (m, m))
        for r, f, m in cells.itertuples(index=False)
        if (r, f, m) != cell
    ]


def segments_of(names, **members):
    """One row per letter, in the segment that holds it."""
    where = {i: name for name, letters in members.items() for i in letters}
    index = pd.Index(sorted(where), name="customer_id")
    return pd.DataFrame({"segment": pd.Categorical([where[i] for i in index], names, ordered=True)}, index)


class TestSegments:
    @settings(max_examples=25, deadline=None)
    @given(rows=customers_drawn)
    def test_every_customer_is_in_one_segment_and_nothing_is_lost(self, rows):
        customers = customer_frame(*zip(*rows, strict=True)).assign(
            total_profit=lambda d: d["total_amount"] * 0.3 + 1
        )
        segments = rfm.segment(rfm.score(customers, at="2025-01-01", monetary="total_profit"))
        table = rfm.summarise_segments(segments)
        assert len(table) == 11
        assert segments["segment"].notna().all()
        assert table["n_customers"].sum() == len(customers)
        assert table["total_profit"].sum() == pytest.approx(customers["total_profit"].sum())
        assert table["share_of_profit"].sum() == pytest.approx(1)
        assert table["n_orders"].sum() == customers["n_orders"].sum()

    def test_migration_adds_up_on_both_sides(self):
        rng = np.random.default_rng(7)
        customers = customer_frame(rng.integers(0, 400, 300), rng.integers(1, 9, 300), rng.gamma(2, 80, 300))
        first = rfm.score(customers.iloc[:250], at="2024-12-31")
        later = rfm.score(
            customers.iloc[50:].assign(n_orders=5), at="2025-12-31", cut_points=first.cut_points
        )
        before, after = rfm.segment(first), rfm.segment(later)
        moves = rfm.migration(before, after)
        sizes = before["segment"].value_counts()
        assert moves.loc["new"].sum() == 50
        assert moves["left"].sum() == 50
        assert moves.sum(axis="columns").drop("new").to_dict() == sizes.to_dict()
        assert moves.sum().drop("left").to_dict() == after["segment"].value_counts().to_dict()
        stayed = sum(moves.loc[name, name] for name in rfm.ACTIONS)
        assert len(rfm.changes(before, after)) == moves.to_numpy().sum() - stayed

    def test_one_customer_moves(self):
        names = ["Best", "Rest"]
        before = pd.DataFrame({"segment": pd.Categorical(["Best", "Rest"], names)}, index=["a", "b"])
        after = pd.DataFrame(
            {"segment": pd.Categorical(["Rest", "Rest", "Best"], names)}, index=["a", "b", "c"]
        )
        moves = rfm.migration(before, after)
        assert moves.loc["Best"].tolist() == [0, 1, 0]
        assert moves.loc["Rest"].tolist() == [0, 1, 0]
        assert moves.loc["new"].tolist() == [1, 0, 0]
        assert rfm.changes(before, after).to_dict("index") == {
            "a": {"before": "Best", "after": "Rest"},
            "c": {"before": "new", "after": "Best"},
        }


class TestMoves:
    """Ten customers counted by hand: 4 best, 5 rest, and 1 new one."""

    names = ("Best", "Good", "Rest")
    before = segments_of(names, Best="abcd", Good="ef", Rest="ghi")
    after = segments_of(names, Best="abe", Good="cf", Rest="dghij")
    moves = rfm.migration(before, after)

    def test_ranked_by_size_and_without_the_new(self):
        ranked = rfm.rank_moves(
            rfm.migration(self.before, segments_of(self.names, Good="abef", Rest="cdghij"))
        )
        assert ranked.to_dict("records") == [
            {"before": "Best", "after": "Good", "n_customers": 2, "share_of_before": 0.5},
            {"before": "Best", "after": "Rest", "n_customers": 2, "share_of_before": 0.5},
        ]
        assert rfm.rank_moves(rfm.migration(self.before, self.before)).empty

    def test_entered_and_left_close_the_balance(self):
        table = rfm.entered_and_left(self.moves, segments=["Best"])
        assert table.to_dict("index") == {
            "Good": {"entered": 1, "left": 1, "net": 0},
            "Rest": {"entered": 0, "left": 1, "net": -1},
        }
        assert 4 + table["net"].sum() == 3
        rest = rfm.entered_and_left(self.moves, segments=["Rest"])
        assert rest.loc["new"].to_dict() == {"entered": 1, "left": 0, "net": 1}
        both = rfm.entered_and_left(self.moves, segments=["Best", "Good"])
        assert both.to_dict("index") == {"Rest": {"entered": 0, "left": 1, "net": -1}}

    def test_movers_with_their_value_a_year(self):
        customers = customer_frame(range(10), range(1, 11), [100 * n for n in range(1, 11)])
        customers = customers.set_axis(list("abcdefghij")).assign(t_observed=[100] * 3 + [730.5] * 7)
        moved = rfm.movers(
            self.before, self.after, customers=customers, origins=["Best"], targets=["Good", "Rest"]
        )
        assert moved.index.tolist() == ["c", "d"]
        # c has bought for 100 days, which count as a year; d for two years.
        assert moved["value_at_stake"].tolist() == [300, 200]
        assert moved.loc["d"].tolist() == ["Best", "Rest", 3, 4, 400, 200]
        assert rfm.movers(
            self.before, self.after, customers=customers, origins=["new"], targets=["Rest"]
        ).index.tolist() == ["j"]

    def test_movers_from_anywhere_else(self):
        customers = customer_frame(range(10), range(1, 11), [100] * 10).assign(t_observed=0)
        customers = customers.set_axis(list("abcdefghij"))
        moved = rfm.movers(self.before, self.after, customers=customers, targets=["Best", "Rest"])
        assert moved["before"].to_dict() == {"e": "Good", "j": "new"}

    def test_a_segment_that_is_not_there(self):
        with pytest.raises(ConfigError, match=r"no segment \['Bets'\]; segments: \['Best', 'Good', 'Rest'\]"):
            rfm.entered_and_left(self.moves, segments=["Bets"])
        with pytest.raises(ConfigError, match=r"no segment \['Bets'\]"):
            rfm.movers(self.before, self.after, customers=self.before, origins=["Best"], targets=["Bets"])


class TestOverTime:
    """A log in which customer k buys first on day k and then every tenth day, 10 apiece."""

    @pytest.fixture(scope="class")
    def log(self):
        first = pd.Timestamp("2024-01-01")
        rows = [
            (f"c{k:03}", first + pd.Timedelta(days=day), 10.0)
            for k in range(200)
            for day in range(k, min(200, k + 10 * (1 + k % 5)), 10)
        ]
        frame = pd.DataFrame(rows, columns=["customer_id", "occurred_at", "amount"])
        return crm.read_transactions(
            frame,
            columns={c: c for c in frame},
            observed_from="2024-01-01",
            observed_until="2024-12-31",
        )

    def test_cut_points_are_kept_from_the_day_asked_for(self, log):
        day = dt.date(2024, 6, 30)
        kept = rfm.keep_cut_points(log, asked=day)
        assert (kept.why, kept.n_customers, kept.cut_points.fitted_at) == ("kept", 182, day)
        assert kept.cut_points == rfm.score(crm.summarise_customers(log.as_of(day))).cut_points

    @pytest.mark.parametrize(
        ("asked", "why"),
        [
            (None, "not_asked"),
            (dt.date(2025, 1, 1), "too_late"),
            (dt.date(2023, 12, 31), "too_early"),
            # 149 customers, one short of 30 per score.
            (dt.date(2024, 5, 28), "too_early"),
        ],
    )
    def test_cut_points_are_fitted_at_the_end_otherwise(self, log, asked, why):
        kept = rfm.keep_cut_points(log, asked=asked)
        assert (kept.why, kept.n_customers) == (why, 200)
        assert kept.cut_points.fitted_at == log.observed_until

    def test_the_last_day_of_the_log_may_be_asked_for(self, log):
        assert rfm.keep_cut_points(log, asked=log.observed_until).why == "kept"

    def test_enough_is_thirty_customers_per_score(self, log):
        assert rfm.keep_cut_points(log, asked=dt.date(2024, 5, 29)).why == "kept"
        assert rfm.keep_cut_points(log, asked=dt.date(2024, 5, 28), bins=4).why == "kept"

    def test_nobody_to_score(self, log):
        frame = pd.DataFrame({"customer_id": ["c1"], "occurred_at": ["2024-03-10"], "amount": [5.0]})
        late = crm.read_transactions(
            frame,
            columns={c: c for c in frame},
            observed_from="2024-01-01",
            observed_until="2024-12-31",
        )
        with pytest.raises(DataError, match="nobody had bought by 2024-02-29, so there is nobody to score"):
            rfm.keep_cut_points(late.as_of("2024-02-29"), asked=None)

    def test_segments_of_an_earlier_day_are_those_of_the_log_then(self, log):
        cuts = rfm.keep_cut_points(log, asked=None).cut_points
        then = log.as_of("2024-06-30")
        direct = rfm.segment(rfm.score(crm.summarise_customers(then), cut_points=cuts))
        pd.testing.assert_frame_equal(rfm.segments_at(log, at=dt.date(2024, 6, 30), cut_points=cuts), direct)

    def test_before_the_log_there_was_nobody_and_all_are_new(self, log):
        cuts = rfm.keep_cut_points(log, asked=None).cut_points
        before = rfm.segments_at(log, at=dt.date(2023, 12, 31), cut_points=cuts)
        after = rfm.segments_at(log, at=dt.date(2024, 12, 31), cut_points=cuts)
        assert before.empty
        moves = rfm.migration(before, after)
        assert moves.loc["new"].sum() == moves.to_numpy().sum() == 200
        assert rfm.rank_moves(moves).empty

    def test_sensitivity_counts_who_is_near_a_cut_point(self, log):
        customers = crm.summarise_customers(log)
        cuts = rfm.keep_cut_points(log, asked=None).cut_points
        shares = rfm.sensitivity(customers, cut_points=cuts)
        scaled = rfm.CutPoints(
            tuple(1.1 * x for x in cuts.r), cuts.f, tuple(1.1 * x for x in cuts.m), cuts.fitted_at
        )
        here, there = (rfm.segment(rfm.score(customers, cut_points=c))["segment"] for c in (cuts, scaled))
        assert shares["higher"] == (here != there).mean() > 0
        assert rfm.sensitivity(customers, cut_points=cuts, change=0).tolist() == [0, 0]


class TestRefused:
    customers = customer_frame([1, 5, 9], [1, 2, 3], [10, 20, 30])

    def test_without_an_analysis_date(self):
        with pytest.raises(ConfigError, match="analysis date is missing; give at="):
            rfm.score(self.customers)

    def test_another_analysis_date_than_the_table_has(self):
        dated = self.customers.assign(
            last_at=pd.Timestamp("2024-12-31") - pd.to_timedelta([1, 5, 9], unit="D")
        )
        assert rfm.score(dated).at == dt.date(2024, 12, 31)
        with pytest.raises(DataError, match="counted to 2024-12-31, not to 2025-06-30; summarise the log"):
            rfm.score(dated, at="2025-06-30")
        with pytest.raises(DataError, match="to 2024-12-31 for some and 2025-01-09 for others"):
            rfm.score(dated.assign(days_since_last=[1, 5, 18]))

    def test_all_problems_of_the_table_at_once(self):
        bad = self.customers.assign(total_amount=[np.nan, 1, 2], days_since_last=[-3, 2, 2])
        with pytest.raises(DataError, match="of 3 customers 1 without total_amount, 1 with a purchase after"):
            rfm.score(bad, at="2025-01-01")

    def test_missing_columns_and_nobody(self):
        with pytest.raises(DataError, match=r"no column \['total_profit'\].*needs unit_cost and quantity"):
            rfm.score(self.customers, at="2025-01-01", monetary="total_profit")
        with pytest.raises(DataError, match="no customers"):
            rfm.score(self.customers.iloc[:0], at="2025-01-01")

    @pytest.mark.parametrize(
        ("argument", "message"),
        [
            ({"bins": 1}, "bins=1"),
            ({"bins": 10}, "bins=10"),
            ({"method": "ntile"}, "method='ntile'; expected"),
        ],
    )
    def test_unknown_arguments(self, argument, message):
        with pytest.raises(ConfigError, match=message):
            rfm.score(self.customers, at="2025-01-01", **argument)

    def test_arguments_against_kept_cut_points(self):
        kept = rfm.score(self.customers, at="2025-01-01").cut_points
        with pytest.raises(ConfigError, match="bins=4, but the cut points were fitted with 5"):
            rfm.score(self.customers, at="2025-01-01", cut_points=kept, bins=4)

    def test_cut_points_typed_wrongly(self):
        with pytest.raises(ConfigError, match=r"cut points f: \(3, 2\) do not ascend"):
            rfm.CutPoints((1, 2), (3, 2), (1, 2), fitted_at=dt.date(2025, 1, 1))
        with pytest.raises(ConfigError, match="cut points m: 1 values"):
            rfm.CutPoints((1, 2), (2, 3), (1,), fitted_at=dt.date(2025, 1, 1))
        with pytest.raises(ConfigError, match=r"\['f', 'fitted_at', 'm', 'monetary'\] missing"):
            rfm.CutPoints.from_dict({"r": [1]})


def test_input_is_not_modified():
    customers = customer_frame([1, 5, 9], [1, 2, 3], [10, 20, 30])
    before = customers.copy()
    scores = rfm.score(customers, at="2025-01-01")
    rfm.segment(scores)
    pd.testing.assert_frame_equal(customers, before)
    assert "segment" not in scores.table
    assert str(scores).startswith("3 customers scored at 2025-01-01: independent, 5 bins, M is total_amount")
