"""The axes carry effects, spans, groups and the naive view, and say what is not known."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from crm_analysis.figures import campaigns
from crm_analysis.figures.campaigns import ABOVE, BELOW, UNCLEAR


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


EFFECTS = pd.DataFrame(
    {
        "profit_after_cost": [50.0, -30, 5, np.nan],
        "profit_after_cost_low": [10.0, -60, -20, np.nan],
        "profit_after_cost_high": [90.0, -10, 30, np.nan],
        "verdict": ["paid", "lost", "cannot be told", "window open"],
    },
    index=pd.Index(["a", "b", "c", "d"], name="campaign"),
)
GROUPS = pd.DataFrame(
    {
        "per_customer": [4.0, 1],
        "low": [2.0, -1],
        "high": [6.0, 3],
        "cost": [200.0, 100],
        "n_treated": [20, 10],
    },
    index=pd.MultiIndex.from_tuples([("a", "big"), ("a", "small")], names=["campaign", "group"]),
)


def test_after_cost_carries_intervals_by_verdict_and_says_what_is_open():
    ax = campaigns.plot_after_cost(EFFECTS, unit="CNY")
    ends = [tuple(c.get_segments()[0][:, 0]) for c in ax.collections]
    assert ends == [(10, 90), (-60, -10), (-20, 30)]
    colours = [mpl.colors.to_hex(c.get_color()[0]) for c in ax.collections]
    assert colours == [mpl.colors.to_hex(c) for c in (ABOVE, BELOW, UNCLEAR)]
    texts = [t.get_text() for t in ax.texts]
    assert texts == ["+50", "−30", "+5", "window open"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c", "d"]
    assert "CNY" in ax.get_xlabel()
    assert ax.get_ylim()[0] > ax.get_ylim()[1]


def test_spans_carry_what_is_known_of_each():
    index = pd.MultiIndex.from_product([["a"], ["during", "after", "together"]], names=["campaign", "span"])
    table = pd.DataFrame(
        {"value": [5.0, -4, np.nan], "low": [1.0, -8, np.nan], "high": [9.0, 0, np.nan]}, index
    )
    ax = campaigns.plot_spans(table, label="extra orders")
    assert [line.get_xdata()[0] for line in ax.lines[:2]] == [5, -4]
    assert np.isnan(ax.lines[2].get_xdata()[0])
    names = [t.get_text() for t in ax.get_legend().get_texts()]
    assert names == ["in the window", "in the days after", "both together"]


def test_naive_carries_three_bars_a_campaign():
    table = pd.DataFrame({"naive": [10.0], "already_before": [8.0], "against_control": [1.5]}, ["a"])
    ax = campaigns.plot_naive(table, unit="CNY")
    assert [p.get_width() for p in ax.patches] == [10, 8, 1.5]


def test_groups_carry_the_cost_of_a_contact():
    ax = campaigns.plot_groups(GROUPS, unit="CNY")
    assert [line.get_xdata()[0] for line in ax.lines[:2]] == [4, 1]
    cost = ax.collections[-1].get_segments()[0]
    assert cost[:, 0].tolist() == [10, 10]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["big", "small", "cost of a contact"]


def test_an_uplift_curve_starts_and_ends_with_the_random_order():
    curve = pd.DataFrame({"n": [0.0, 5, 10], "qini": [0.0, 3, 2]})
    ax = campaigns.plot_uplift_curve(curve)
    assert ax.lines[0].get_xdata().tolist() == [0, 0.5, 1]
    assert list(ax.lines[1].get_ydata()) == [0, 2]


@pytest.mark.parametrize("name", ["plot_after_cost", "plot_spans", "plot_naive", "plot_groups"])
def test_nothing_to_draw_is_said(name):
    options = {} if name == "plot_spans" else {"unit": "CNY"}
    ax = getattr(campaigns, name)(pd.DataFrame(), **options)
    assert len(ax.texts) == 1
