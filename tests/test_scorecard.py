"""Scorecards: published numbers of AHP, TOPSIS and entropy weights; identities; refusals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis import selection
from crm_analysis.errors import ConfigError, DataError


def full(upper):
    """Reciprocal matrix from rows of which only the upper part is read."""
    matrix = np.array(upper, dtype=float)
    below = np.tril_indices(len(matrix), -1)
    matrix[below] = 1 / matrix.T[below]
    return matrix


# Saaty (1980), choosing a house by eight criteria.
HOUSE = [
    [1, 5, 3, 7, 6, 6, 1 / 3, 1 / 4],
    [1 / 5, 1, 1 / 3, 5, 3, 3, 1 / 5, 1 / 7],
    [1 / 3, 3, 1, 6, 3, 4, 6, 1 / 5],
    [1 / 7, 1 / 5, 1 / 6, 1, 1 / 3, 1 / 4, 1 / 7, 1 / 8],
    [1 / 6, 1 / 3, 1 / 3, 3, 1, 1 / 2, 1 / 5, 1 / 6],
    [1 / 6, 1 / 3, 1 / 4, 4, 2, 1, 1 / 5, 1 / 6],
    [3, 5, 1 / 6, 7, 5, 5, 1, 1 / 2],
    [4, 7, 5, 8, 6, 6, 2, 1],
]
# Saaty (2008), Int. J. Services Sciences 1(1), 83-98: what is drunk more in the United States.
DRINKS = {
    ("coffee", "wine"): 9,
    ("coffee", "tea"): 5,
    ("coffee", "beer"): 2,
    ("coffee", "soda"): 1,
    ("coffee", "milk"): 1,
    ("water", "coffee"): 2,
    ("water", "wine"): 9,
    ("water", "tea"): 9,
    ("water", "beer"): 3,
    ("water", "soda"): 2,
    ("water", "milk"): 3,
    ("tea", "wine"): 3,
    ("beer", "wine"): 9,
    ("beer", "tea"): 3,
    ("beer", "milk"): 1,
    ("soda", "wine"): 9,
    ("soda", "tea"): 4,
    ("soda", "beer"): 2,
    ("soda", "milk"): 2,
    ("milk", "wine"): 9,
    ("milk", "tea"): 3,
}
# Saaty (2005): where to live, as in the tests of AHPy.
CITY_CRITERIA = {
    ("Culture", "Housing"): 3,
    ("Culture", "Transportation"): 5,
    ("Family", "Culture"): 5,
    ("Family", "Housing"): 7,
    ("Family", "Transportation"): 7,
    ("Housing", "Transportation"): 3,
    ("Jobs", "Culture"): 2,
    ("Jobs", "Housing"): 4,
    ("Jobs", "Transportation"): 7,
    ("Family", "Jobs"): 1,
}
# In the order Bethesda-Boston, -Pittsburgh, -Santa Fe, Boston-Pittsburgh, -Santa Fe, Pittsburgh-Santa Fe.
CITIES = {
    "Culture": (1 / 2, 1, 1 / 2, 2.5, 1, 1 / 2.5),
    "Family": (2, 1 / 3, 4, 1 / 8, 2, 9),
    "Housing": (5, 1 / 2, 2.5, 1 / 9, 1 / 4, 7),
    "Jobs": (1 / 2, 3, 4, 6, 8, 1),
    "Transportation": (1.5, 1 / 2, 4, 1 / 3.5, 2.5, 9),
}
NAMES = ("Bethesda", "Boston", "Pittsburgh", "Santa Fe")
PAIRS = [(a, b) for i, a in enumerate(NAMES) for b in NAMES[i + 1 :]]
# Tests of JMcDM: eight criteria, four alternatives.
JMCDM = full(
    [
        [1, 7, 1 / 5, 1 / 8, 1 / 2, 1 / 3, 1 / 5, 1],
        [0, 1, 1 / 8, 1 / 9, 1 / 4, 1 / 5, 1 / 9, 1 / 8],
        [0, 0, 1, 1 / 3, 4, 2, 1, 1],
        [0, 0, 0, 1, 7, 5, 3, 3],
        [0, 0, 0, 0, 1, 1 / 2, 1 / 5, 1 / 5],
        [0, 0, 0, 0, 0, 1, 1 / 3, 1 / 3],
        [0, 0, 0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 0, 0, 0, 1],
    ]
)
JMCDM_ALTERNATIVES = [
    [[1, 3, 1 / 5, 2], [0, 1, 1 / 7, 1 / 3], [0, 0, 1, 4], [0, 0, 0, 1]],
    [[1, 1 / 2, 4, 5], [0, 1, 6, 7], [0, 0, 1, 3], [0, 0, 0, 1]],
    [[1, 1 / 2, 1 / 6, 3], [0, 1, 1 / 4, 5], [0, 0, 1, 9], [0, 0, 0, 1]],
    [[1, 7, 1 / 4, 2], [0, 1, 1 / 9, 1 / 5], [0, 0, 1, 5], [0, 0, 0, 1]],
    [[1, 6, 2, 3], [0, 1, 1 / 4, 1 / 3], [0, 0, 1, 2], [0, 0, 0, 1]],
    [[1, 1 / 4, 1 / 2, 1 / 7], [0, 1, 2, 1 / 3], [0, 0, 1, 1 / 5], [0, 0, 0, 1]],
    [[1, 3, 7, 1], [0, 1, 4, 1 / 3], [0, 0, 1, 1 / 7], [0, 0, 0, 1]],
    [[1, 2, 5, 8], [0, 1, 3, 6], [0, 0, 1, 3], [0, 0, 0, 1]],
]


class TestAhpPublished:
    def test_house_is_inconsistent_and_says_so(self):
        result = selection.ahp(HOUSE)
        printed = [0.173, 0.054, 0.188, 0.018, 0.031, 0.036, 0.167, 0.333]
        np.testing.assert_allclose(result.weights, printed, atol=0.0006)
        assert result.lambda_max == pytest.approx(9.669, abs=0.0006)
        assert result.consistency_index == pytest.approx(0.238, abs=0.0006)
        assert result.consistency_ratio == pytest.approx(0.169, abs=0.0006)
        # The third criterion was judged to outweigh the seventh, against all other judgements.
        assert "ratio 0.169, at most 0.1 expected" in result.warning
        assert "Least in line is 2 over 6: 6 was judged" in result.warning

    def test_drinks(self):
        result = selection.ahp(selection.comparison_matrix(DRINKS))
        printed = dict(coffee=0.177, wine=0.019, tea=0.042, beer=0.116, soda=0.190, milk=0.129, water=0.327)
        assert result.weights.to_dict() == pytest.approx(printed, abs=0.0006)
        assert result.consistency_ratio == pytest.approx(0.022, abs=0.0006)
        assert result.warning is None

    def test_cities(self):
        criteria = selection.ahp(selection.comparison_matrix(CITY_CRITERIA)).weights
        within = {
            name: selection.ahp(selection.comparison_matrix(dict(zip(PAIRS, values, strict=True)))).weights
            for name, values in CITIES.items()
        }
        overall = sum(within[name] * criteria[name] for name in CITIES)
        printed = {"Bethesda": 0.229, "Boston": 0.275, "Pittsburgh": 0.385, "Santa Fe": 0.111}
        assert overall.to_dict() == pytest.approx(printed, abs=0.0006)

    def test_leader_by_experience(self):
        judged = {("Moll", "Nell"): 1 / 4, ("Moll", "Sue"): 4, ("Nell", "Sue"): 9}
        result = selection.ahp(selection.comparison_matrix(judged))
        assert result.weights.to_dict() == pytest.approx(
            {"Moll": 0.217, "Nell": 0.717, "Sue": 0.066}, abs=0.0006
        )
        # The printed ratio of .035 divides by another random index, .5247; Saaty's .58 gives .032.
        assert result.consistency_index / 0.5247 == pytest.approx(0.035, abs=0.0006)
        assert result.consistency_ratio == pytest.approx(0.0318, abs=0.0001)

    def test_jmcdm(self):
        """Its weights are means of the normalised columns, Saaty's first approximation to the eigenvector."""

        def column_means(matrix):
            return (matrix / matrix.sum(axis=0)).mean(axis=1)

        approximate = column_means(JMCDM)
        eigenvalue = (JMCDM @ approximate / approximate).mean()
        assert [eigenvalue, (eigenvalue - 8) / 7, (eigenvalue - 8) / 7 / 1.41] == pytest.approx(
            [8.726428, 0.103775, 0.073600], abs=1e-6
        )
        printed = [0.2801050, 0.1482273, 0.3813036, 0.1903641]
        within = [full(upper) for upper in JMCDM_ALTERNATIVES]
        theirs = sum(column_means(m) * w for m, w in zip(within, approximate, strict=True))
        np.testing.assert_allclose(theirs, printed, atol=1e-6)

        result = selection.ahp(JMCDM)
        ours = sum(selection.ahp(m).weights * w for m, w in zip(within, result.weights, strict=True))
        assert result.lambda_max < eigenvalue
        assert result.lambda_max == pytest.approx(eigenvalue, rel=0.005)
        assert result.consistency_ratio == pytest.approx(0.0736, abs=0.003)
        np.testing.assert_allclose(ours, printed, atol=0.006)
        assert ours.idxmax() == 2


class TestAhp:
    @settings(max_examples=40, deadline=None)
    @given(weights=st.lists(st.floats(0.1, 10), min_size=1, max_size=10))
    def test_judgements_that_agree_give_back_their_weights(self, weights):
        w = np.array(weights)
        result = selection.ahp(np.outer(w, 1 / w))
        np.testing.assert_allclose(result.weights, w / w.sum(), rtol=1e-8)
        assert result.lambda_max == pytest.approx(len(w))
        assert result.warning is None

    def test_refused(self):
        with pytest.raises(ConfigError, match="matrix of 1 x 2"):
            selection.ahp([[1, 2]])
        with pytest.raises(ConfigError, match=r"0 over 1 is 3, the other way round 0\.5"):
            selection.ahp([[1, 3], [0.5, 1]])
        with pytest.raises(ConfigError, match="must be above 0"):
            selection.ahp([[1, 0], [0, 1]])
        with pytest.raises(ConfigError, match="1 to 10 rows"):
            selection.ahp(np.ones((11, 11)))
        with pytest.raises(ConfigError, match=r"no judgement for \[\('b', 'c'\)\]"):
            selection.comparison_matrix({("a", "b"): 2, ("a", "c"): 3})
        with pytest.raises(ConfigError, match="'a' and 'b' need one judgement"):
            selection.comparison_matrix({("a", "b"): 2, ("b", "a"): 2})


class TestTopsis:
    @pytest.mark.parametrize(
        ("matrix", "weights", "lower", "closeness", "tolerance"),
        [
            # Tzeng & Huang (2011)
            (
                [[5, 8, 4], [7, 6, 8], [8, 8, 6], [7, 4, 6]],
                (0.3, 0.4, 0.3),
                (),
                (0.5037, 0.6581, 0.7482, 0.3340),
                5e-5,
            ),
            # JMcDM
            (
                [[9, 7, 6, 7], [8, 7, 9, 6], [7, 8, 6, 6]],
                (4, 2, 6, 8),
                (),
                (0.3876870, 0.6503238, 0.0834767),
                5e-8,
            ),
            # Hwang & Yoon (1981), fighter aircraft; the fourth criterion is cost
            (
                [
                    [2, 1500, 20000, 5.5, 5, 9],
                    [2.5, 2700, 18000, 6.5, 3, 5],
                    [1.8, 2000, 21000, 4.5, 7, 7],
                    [2.2, 1800, 20000, 5, 5, 5],
                ],
                (0.2, 0.1, 0.1, 0.1, 0.2, 0.3),
                (3,),
                (0.6433, 0.2684, 0.6135, 0.3123),
                5e-5,
            ),
        ],
        ids=["Tzeng and Huang", "JMcDM", "fighters"],
    )
    def test_published(self, matrix, weights, lower, closeness, tolerance):
        table = pd.DataFrame(matrix)
        criteria = {c: "lower" if c in lower else "higher" for c in table}
        result = selection.topsis(table, criteria=criteria, weights=dict(enumerate(weights)))
        np.testing.assert_allclose(result["closeness"], closeness, atol=tolerance)
        assert result["rank"].tolist() == list((-result["closeness"]).rank().astype(int))

    def test_best_and_worst_on_everything(self):
        table = pd.DataFrame({"a": [1, 2, 3], "b": [9, 8, 7]})
        result = selection.topsis(table, criteria={"a": "higher", "b": "lower"}, weights="equal")
        assert result["closeness"].iloc[[0, 2]].tolist() == [0, 1]

    def test_refused(self):
        with pytest.raises(DataError, match=r"\['a'\] is 0 for everybody"):
            selection.topsis(
                pd.DataFrame({"a": [0, 0], "b": [1, 2]}),
                criteria=dict(a="higher", b="higher"),
                weights="equal",
            )


class TestEntropy:
    def test_jmcdm(self):
        columns = [
            (2, 4, 3, 5, 4, 3),
            (1, 1, 2, 1, 2, 2),
            (4, 5, 6, 5, 5, 6),
            (7, 6, 6, 7, 6, 6),
            (6, 7, 5, 6, 7, 6),
            (6, 7, 6, 7, 7, 6),
            (7, 6, 8, 7, 6, 6),
            (3000, 3500, 4000, 3000, 3000, 3500),
        ]
        weights = selection.entropy_weights(pd.DataFrame(dict(enumerate(columns))))
        printed = [0.299674, 0.441367, 0.070091, 0.021238, 0.049023, 0.023080, 0.047763, 0.047763]
        np.testing.assert_allclose(weights, printed, atol=5e-7)

    def test_scikit_criteria(self):
        weights = selection.entropy_weights(pd.DataFrame([[1, 2], [4, 16]]))
        np.testing.assert_allclose(weights, [0.358889, 0.641111], atol=5e-7)

    def test_refused(self):
        with pytest.raises(DataError, match="alike on every criterion"):
            selection.entropy_weights(pd.DataFrame({"a": [1, 1], "b": [2, 2]}))
        with pytest.raises(DataError, match=r"smallest \{'a': -1.0\}"):
            selection.entropy_weights(pd.DataFrame({"a": [-1, 2]}))


BASE = pd.DataFrame(
    {"profit": [100.0, 900, 100, 400], "days_to_pay": [30.0, 60, 30, 10]},
    index=pd.Index(["ann", "bob", "cai", "dan"], name="customer_id"),
)
CRITERIA = {"profit": "higher", "days_to_pay": "lower"}
tables = st.lists(st.tuples(*[st.integers(0, 20)] * 3), min_size=1, max_size=30).map(
    lambda rows: pd.DataFrame(rows, columns=["a", "b", "c"])
)
THREE = {"a": "higher", "b": "lower", "c": "higher"}


class TestScorecard:
    def test_by_hand(self):
        card = selection.scorecard(BASE, criteria=CRITERIA, weights={"profit": 3, "days_to_pay": 1})
        # Profit ranks 1.5, 4, 1.5, 3 of 4; days to pay 2.5, 1, 2.5, 4.
        assert card.scaled["profit"].tolist() == pytest.approx([1 / 6, 1, 1 / 6, 2 / 3])
        assert card.scaled["days_to_pay"].tolist() == pytest.approx([1 / 2, 0, 1 / 2, 1])
        assert card.table["score"].tolist() == pytest.approx([25, 75, 25, 75])
        assert card.table["rank"].tolist() == [3, 1, 3, 1]
        assert card.weights.to_dict() == {"profit": 0.75, "days_to_pay": 0.25}

    def test_min_max_by_hand(self):
        card = selection.scorecard(BASE, criteria=CRITERIA, weights="equal", scaling="min-max")
        assert card.scaled["profit"].tolist() == pytest.approx([0, 1, 0, 3 / 8])
        assert card.scaled["days_to_pay"].tolist() == pytest.approx([3 / 5, 0, 3 / 5, 1])

    def test_weights_from_judgements_and_from_spread(self):
        judged = selection.comparison_matrix({("days_to_pay", "profit"): 1 / 4})
        card = selection.scorecard(BASE, criteria=CRITERIA, weights="ahp", comparisons=judged)
        assert card.weights.to_dict() == pytest.approx({"profit": 0.8, "days_to_pay": 0.2})
        spread = selection.scorecard(BASE, criteria=CRITERIA, weights="entropy")
        pd.testing.assert_series_equal(spread.weights, selection.entropy_weights(BASE))

    @settings(max_examples=40, deadline=None)
    @given(table=tables, scaling=st.sampled_from(["percentile", "min-max"]), seed=st.integers(0, 99))
    def test_contributions_add_up_and_order_and_ties_do_not_matter(self, table, scaling, seed):
        weights = {"a": 1, "b": 2, "c": 3}
        card = selection.scorecard(table, criteria=THREE, weights=weights, scaling=scaling)
        np.testing.assert_allclose(card.contributions.sum(axis=1), card.table["score"])
        assert card.table["score"].between(-1e-9, 100 + 1e-9).all()
        alike = card.table.groupby([table[c] for c in table])
        assert alike["rank"].nunique().eq(1).all()
        shuffled = table.sample(frac=1, random_state=seed)
        again = selection.scorecard(shuffled, criteria=THREE, weights=weights, scaling=scaling)
        pd.testing.assert_frame_equal(card.table, again.table.loc[table.index])

    @settings(max_examples=40, deadline=None)
    @given(table=tables, scaling=st.sampled_from(["percentile", "min-max"]))
    def test_better_on_everything_never_scores_less(self, table, scaling):
        card = selection.scorecard(table, criteria=THREE, weights="equal", scaling=scaling)
        signed, score = table.assign(b=-table["b"]).to_numpy(), card.table["score"].to_numpy()
        better = (signed[:, None, :] >= signed[None, :, :]).all(axis=2)
        assert (score[:, None] >= score[None, :] - 1e-9)[better].all()

    def test_the_last_digit_of_a_sum_parts_nobody(self):
        rng = np.random.default_rng(5)
        table = pd.DataFrame({c: rng.permutation(11) for c in "abc"})
        card = selection.scorecard(table, criteria=dict.fromkeys("abc", "higher"), weights="equal")
        assert card.table.groupby(table.sum(axis=1))["rank"].nunique().eq(1).all()

    def test_sensitivity(self):
        table = pd.DataFrame({"a": [3.0, 2, 1], "b": [1.0, 2, 3]})
        card = selection.scorecard(table, criteria={"a": "higher", "b": "higher"}, weights={"a": 55, "b": 45})
        steady = selection.sensitivity(card, change=0.1, top=1)
        turned = selection.sensitivity(card, change=0.5, top=1)
        assert steady["stay_if_raised"].tolist() == [1, 1]
        assert turned["stay_if_lowered"].tolist() == [0, 1]
        assert turned["stay_if_raised"].tolist() == [1, 0]
        with pytest.raises(ConfigError, match="change=25"):
            selection.sensitivity(card, change=25)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"criteria": {"profitt": "higher"}}, DataError, r"no column \['profitt'\]; columns present"),
            ({"criteria": {"profit": "up"}}, ConfigError, r"direction of \{'profit': 'up'\}; expected"),
            ({"criteria": {}}, ConfigError, "no criteria"),
            ({"weights": {"profit": 1}}, ConfigError, r"weights for \['profit'\], criteria are"),
            ({"weights": {"profit": 1, "days_to_pay": 0}}, ConfigError, "weights must be above 0"),
            ({"weights": "saaty"}, ConfigError, "weights='saaty'; expected numbers"),
            ({"weights": "ahp"}, ConfigError, "needs comparisons="),
            ({"scaling": "z"}, ConfigError, "scaling='z'; expected"),
        ],
    )
    def test_refused(self, arguments, error, message):
        with pytest.raises(error, match=message):
            selection.scorecard(BASE, **({"criteria": CRITERIA, "weights": "equal"} | arguments))

    def test_gaps_are_counted(self):
        gap = BASE.assign(profit=[1.0, np.nan, 3, np.nan])
        with pytest.raises(DataError, match=r"of 4 customers without figure \{'profit': 2\}"):
            selection.scorecard(gap, criteria=CRITERIA, weights="equal")
