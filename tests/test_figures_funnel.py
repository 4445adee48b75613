"""What the funnel figures say equals the tables they are given."""

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from crm_analysis.figures import FIRM_COLOURS
from crm_analysis.figures.funnel import plot_reached, plot_stage_rates, plot_waterfall, plot_won_by_age
from crm_analysis.funnel import aalen_johansen, compare, count_stages, side_by_side

STAGES = ["Lead", "Qualified", "Proposal", "Negotiation", "Won"]
A = count_stages([10000, 3000, 1500, 600, 240], stages=STAGES)
B = count_stages([10000, 3200, 800, 310, 120], stages=STAGES)
GAP = compare(A, B)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text().strip() for text in ax.texts]


def test_bars_are_aligned_and_as_long_as_the_counts():
    table = side_by_side({"Firm A": A, "Firm B": B})
    ax = plot_reached(table)
    bars = [bar for container in ax.containers for bar in container]
    assert [bar.get_width() for bar in bars] == pytest.approx(table["per_1000"].tolist())
    assert {bar.get_x() for bar in bars} == {0}
    assert [label.get_text() for label in ax.get_yticklabels()] == STAGES
    assert "24  (n=240)" in texts(ax)
    # The first stage is on top.
    assert ax.get_ylim()[0] > ax.get_ylim()[1]


def test_what_is_not_yet_known_is_hatched_behind_the_bars():
    table = side_by_side({"Firm A": A})
    table["n_not_yet_known"], table["not_yet_known_per_1000"] = 500, 50.0
    ax = plot_reached(table)
    solid, young = ax.containers
    assert [bar.get_x() for bar in young] == pytest.approx([bar.get_width() for bar in solid])
    assert {bar.get_hatch() for bar in young} == {"////"}
    assert {bar.get_width() for bar in young} == {50.0}
    assert "Firm A: not yet known (500)" in [t.get_text() for t in ax.get_legend().get_texts()]


def test_dots_and_intervals_are_the_rates():
    ax = plot_stage_rates(GAP.stages, names=("Firm A", "Firm B"))
    for line, firm in zip(ax.lines, "ab", strict=True):
        assert line.get_xdata() == pytest.approx(GAP.stages[f"rate_{firm}"].to_numpy())
    for bars, firm in zip(ax.collections, "ab", strict=True):
        ends = np.array([segment[:, 0] for segment in bars.get_segments()])
        assert ends == pytest.approx(GAP.stages[[f"low_{firm}", f"high_{firm}"]].to_numpy())
    said = texts(ax)
    assert said[:2] == ["-2.0 points *", "+25.0 points *"]
    assert said[2].startswith("no difference seen;\n≥ 6.1 points")


def test_an_untried_transition_is_drawn_as_an_interval_without_a_dot():
    gap = compare([100, 0, 0], [100, 50, 10])
    ax = plot_stage_rates(gap.stages)
    assert np.isnan(ax.lines[0].get_xdata()[1])
    assert ax.collections[0].get_segments()[1][:, 0].tolist() == [0, 1]


@pytest.mark.parametrize("swapped", [False, True])
def test_waterfall_leads_from_one_result_to_the_other(swapped):
    gap = compare(B, A, per="revenue", deal_value_a=5500, deal_value_b=5000) if swapped else GAP
    ax = plot_waterfall(
        gap.contributions, start=gap.value_b, end=gap.value_a, names=("X", "Y"), unit=gap.unit
    )
    totals, parts = (c for c in ax.containers if hasattr(c, "patches"))
    assert [bar.get_width() for bar in totals] == pytest.approx([gap.value_b, gap.value_a])
    drawn = gap.contributions.drop("Leads")
    assert [bar.get_width() for bar in parts] == pytest.approx(drawn["contribution"].tolist())
    begins = [bar.get_x() for bar in parts]
    ends = [bar.get_x() + bar.get_width() for bar in parts]
    assert begins == pytest.approx([gap.value_b, *ends[:-1]])
    assert ends[-1] == pytest.approx(gap.value_a)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Y", *drawn.index, "X"]
    assert ax.get_xlabel() == gap.unit


def test_waterfall_whiskers_are_the_intervals_around_the_step():
    ax = plot_waterfall(GAP.contributions, start=GAP.value_b, end=GAP.value_a)
    whiskers = next(c for c in ax.containers if not hasattr(c, "patches")).lines[2][0]
    ends = np.array([segment[:, 0] for segment in whiskers.get_segments()])
    drawn = GAP.contributions.drop("Leads")
    before = GAP.value_b + drawn["contribution"].cumsum() - drawn["contribution"]
    assert ends == pytest.approx(drawn[["low", "high"]].add(before, axis=0).to_numpy())


def test_curves_are_the_shares_where_enough_are_at_risk():
    days, outcome = np.repeat(np.arange(1, 41), 2), ["won", "open"] * 40
    curve = aalen_johansen(days, outcome=outcome)
    table = pd.concat({"Firm A": curve, "Firm B": curve}, names=["firm"]).reset_index()
    ax = plot_won_by_age(table)
    drawn = curve[curve["n_at_risk"] >= 10]
    for line, colour in zip(ax.lines, FIRM_COLOURS[:2], strict=True):
        assert line.get_xdata() == pytest.approx(drawn.index.to_numpy())
        assert line.get_ydata() == pytest.approx(drawn["won"].to_numpy())
        assert line.get_color() == colour
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "Firm A (40 still open)",
        "Firm B (40 still open)",
    ]
    assert ax.get_ylim()[0] == 0


def test_axes_that_are_given_are_drawn_on():
    _, ax = plt.subplots()
    assert plot_waterfall(GAP.contributions, start=120, end=240, ax=ax) is ax
    assert plot_reached(side_by_side({"A": A}), ax=ax) is ax
