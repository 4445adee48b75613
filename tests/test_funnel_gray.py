"""Gray's test of equal shares won (or lost) by age."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from maven import OFFICES, maven, needs_maven
from pipelines import pipeline_of_ends
from test_funnel_incidence import ends_of

from crm_analysis.errors import ConfigError
from crm_analysis.funnel import gray_test, incidence


def drawn_ends(rng, n, *, win=0.01, lose=0.02):
    """Ends of n opportunities with constant chances a day, seen for up to 180 days; whole days tie."""
    days, seen = rng.geometric(win + lose, n), rng.integers(1, 181, n)
    won = rng.random(n) < win / (win + lose)
    outcome = np.where(days > seen, "open", np.where(won, "won", "lost"))
    return np.minimum(days, seen), outcome


def drawn(rng, n, **chances):
    return pipeline_of_ends(ends_of(*drawn_ends(rng, n, **chances)))


@needs_maven
@pytest.mark.parametrize(
    ("offices", "outcome", "statistic", "p"),
    [
        # R 4.2.2, cmprsk 2.2-11: cuminc on the same rows.
        (OFFICES, "won", 13.523778, 0.00115704169),
        (OFFICES, "lost", 15.920011, 0.00034915126),
        (("Central", "East"), "won", 1.5105458, 0.21905582),
    ],
)
def test_a_real_pipeline_as_in_r(offices, outcome, statistic, p):
    found = gray_test({office: maven(office) for office in offices}, outcome=outcome)
    assert found.statistic == pytest.approx(statistic, abs=5e-7)
    assert found.p == pytest.approx(p, rel=2e-8)
    assert found.df == len(offices) - 1


def test_order_of_groups_and_of_rows_changes_nothing():
    rng = np.random.default_rng(1)
    groups = {name: drawn(rng, 150, win=win) for name, win in (("a", 0.01), ("b", 0.02), ("c", 0.015))}
    found = gray_test(groups)
    again = gray_test({name: groups[name] for name in "cab"})
    assert again.statistic == pytest.approx(found.statistic, rel=1e-10)
    pd.testing.assert_frame_equal(again.table.sort_index(), found.table)
    of_incidence = gray_test({name: incidence(group) for name, group in groups.items()})
    assert of_incidence.statistic == pytest.approx(found.statistic, rel=1e-12)
    assert found.table["score"].sum() == pytest.approx(0, abs=1e-9)


def test_without_losses_the_score_is_that_of_the_log_rank_test():
    """Wins less those expected of the share at risk, age by age: 5 - (3/8 + 2 x 2/6 + ...)."""
    a = ends_of([1, 2, 3, 5], ["won", "won", "open", "won"])
    b = ends_of([2, 4, 5, 5], ["won", "won", "won", "open"])
    # At risk in a and in all, and wins, at ages 1, 2, 4, 5.
    expected = 1 * 4 / 8 + 2 * 3 / 7 + 1 * 1 / 4 + 2 * 1 / 3
    found = gray_test({"a": pipeline_of_ends(a), "b": pipeline_of_ends(b)})
    assert found.table.loc["a", "score"] == pytest.approx(3 - expected)
    assert found.table["n_ended"].tolist() == [3, 3]


def test_equal_groups_are_found_different_as_often_as_the_level_says():
    """300 pairs at 10%: two and a half standard errors are 4.3 points."""
    rng = np.random.default_rng(2)
    any_curve = incidence(drawn(rng, 60))
    p = {"won": [], "lost": []}
    for _ in range(300):
        days, outcomes = zip(drawn_ends(rng, 60), drawn_ends(rng, 60), strict=True)
        ends = [
            pd.DataFrame({"age_days": d, "outcome": o, "n": 1}) for d, o in zip(days, outcomes, strict=True)
        ]
        groups = dict(zip("ab", (replace(any_curve, ends=end) for end in ends), strict=True))
        for outcome, found in p.items():
            found.append(gray_test(groups, outcome=outcome).p)
    assert np.mean(np.array(p["won"]) < 0.1) == pytest.approx(0.1, abs=0.043)
    assert np.mean(np.array(p["lost"]) < 0.1) == pytest.approx(0.1, abs=0.043)


def test_a_difference_in_losses_alone_moves_the_share_won():
    """The same hazard of winning, three times that of losing: cumulative shares won differ."""
    rng = np.random.default_rng(3)
    a, b = drawn(rng, 800, lose=0.01), drawn(rng, 800, lose=0.03)
    found = gray_test({"a": a, "b": b})
    assert found.p < 1e-6
    assert found.table.loc["a", "score"] > 0


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["lost", "open"], ["lost", "lost"]),
        (["open", "open"], ["open", "open"]),
        (["won", "lost"], ["won", "lost"]),
    ],
)
def test_nothing_won_or_nothing_different_is_no_evidence(a, b):
    groups = {name: pipeline_of_ends(ends_of([3, 5], ends)) for name, ends in (("a", a), ("b", b))}
    found = gray_test(groups)
    assert (found.statistic, found.p) == pytest.approx((0, 1), abs=1e-12)


def test_one_opportunity_each_and_all_on_one_day_are_no_errors():
    one = {name: pipeline_of_ends(ends_of([4], [end])) for name, end in (("a", "won"), ("b", "lost"))}
    assert 0 <= gray_test(one).p <= 1
    same_day = {"a": [0] * 6, "b": [0] * 6}
    ends = ["won"] * 2 + ["lost"] * 4
    groups = {name: pipeline_of_ends(ends_of(days, ends)) for name, days in same_day.items()}
    assert gray_test(groups).statistic == pytest.approx(0, abs=1e-12)


def test_one_group_or_another_outcome_is_refused():
    group = pipeline_of_ends(ends_of([4], ["won"]))
    with pytest.raises(ConfigError, match=r"groups \['a'\], outcome 'won'; expected two groups or more"):
        gray_test({"a": group})
    with pytest.raises(ConfigError, match=r"outcome 'open'; .*\['won', 'lost'\]"):
        gray_test({"a": group, "b": group}, outcome="open")
