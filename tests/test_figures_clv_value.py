"""The axes carry the tables of value by group, of a tornado and of the way to payback."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from crm_analysis.clv import cash_flow_value
from crm_analysis.figures import base, clv_value


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


GROUPS = pd.DataFrame(
    {
        "value": [900.0, -50.0, 20.0],
        "low": [700.0, -90.0, np.nan],
        "high": [1200.0, 10.0, np.nan],
        "n_customers": [312, 1200, 29],
    },
    pd.Index(["Champions", "Long inactive", "New"], name="group"),
)
SWINGS = pd.DataFrame(
    {
        "low": [700.0, 1200.0],
        "high": [1500.0, 900.0],
        "value": 1000.0,
        "input_low": [np.nan, 0.09],
        "input_high": [np.nan, 0.11],
    },
    pd.Index(["revenue", "annual_discount_rate"], name="input"),
)


def ticks(ax):
    return [tick.get_text() for tick in ax.get_yticklabels()]


def test_groups_have_bars_ranges_and_numbers():
    ax = clv_value.plot_group_values(GROUPS, unit="CNY")
    assert [bar.get_width() for bar in ax.containers[0]] == [900, -50, 20]
    drawn = [segment for segment in ax.collections[0].get_segments() if len(segment)]
    assert [segment[:, 0].tolist() for segment in drawn] == [[700, 1200], [-90, 10]]
    assert ticks(ax) == ["Champions (312)", "Long inactive (1,200)", "New (29)"]
    assert [text.get_text() for text in ax.texts] == ["900", "−50", "20"]
    # The number stands to the right of bar and range.
    assert [text.xy[0] for text in ax.texts] == [1200, 10, 20]
    assert ax.get_xlabel() == "value of the next 12 months (CNY; line: its range)"
    assert ax.yaxis_inverted()


def test_small_groups_are_grey_and_said_to_be():
    ax = clv_value.plot_group_values(GROUPS, unit="CNY", what="value from now on")
    many, _, few = (bar.get_facecolor() for bar in ax.containers[0])
    assert few != many
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["fewer than 30 customers"]
    assert clv_value.plot_group_values(GROUPS.iloc[:2], unit="CNY").get_legend() is None
    assert ax.get_xlabel() == "value from now on (CNY; line: its range)"


def test_a_new_customer_is_worth_more_the_longer_one_waits_and_costs_what_it_costs():
    table = pd.DataFrame(
        {"clv_new": [20.5, 41.25], "clv_new_low": [18.0, np.nan], "clv_new_high": [24.0, np.nan]},
        pd.Index(["12 months", "whole life"], name="horizon"),
    )
    ax = clv_value.plot_new_customer_value(table, unit="CNY", acquisition_cost=30)
    assert [bar.get_width() for bar in ax.containers[0]] == [20.5, 41.25]
    assert ax.collections[0].get_segments()[0][:, 0].tolist() == [18, 24]
    assert [(text.get_text(), text.xy[0]) for text in ax.texts] == [("20.50", 24), ("41.25", 41.25)]
    (cost,) = [line for line in ax.lines if line.get_label().startswith("cost")]
    assert (cost.get_label(), cost.get_xdata()) == ("cost of winning one: 30.00", [30, 30])
    assert ticks(ax) == ["12 months", "whole life"]
    assert clv_value.plot_new_customer_value(table, unit="CNY").get_legend() is None


def test_tornado_bars_run_from_the_plan_to_either_end():
    ax = clv_value.plot_tornado(SWINGS, unit="CNY")
    low, high = ax.containers
    assert [bar.get_x() for bar in low] == [1000, 1000]
    assert [bar.get_x() + bar.get_width() for bar in low] == [700, 1200]
    assert [bar.get_x() + bar.get_width() for bar in high] == [1500, 900]
    assert ticks(ax) == ["revenue", "annual discount rate"]
    # Ends of the inputs beside the bars they move: the low rate to the right. A list has no one number.
    words = {text.get_text(): (text.xy[0], text.get_ha()) for text in ax.texts}
    assert words == {"0.09": (1200, "left"), "0.11": (900, "right"), "1,000": (1000, "center")}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "input at its low end",
        "input at its high end",
    ]
    assert ax.get_xlabel() == "value (CNY)"


def test_payback_is_where_the_bars_rise_above_nothing():
    flow = cash_flow_value(
        revenue=[1000, 1500, 2000, 2000, 2000],
        retention_cost=500,
        acquisition_cost=2500,
        annual_discount_rate=0.15,
        timing="end of period",
    )
    ax = clv_value.plot_payback(flow.table, unit="CNY")
    bars = ax.containers[0]
    np.testing.assert_allclose([bar.get_height() for bar in bars], flow.table["cumulative"])
    paid_back = [bar.get_facecolor() == mpl.colors.to_rgba(clv_value.ABOVE) for bar in bars]
    assert paid_back.index(True) == flow.payback - 1
    assert paid_back == [False] * 3 + [True] * 2
    assert ax.texts[0].get_text().startswith("−")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("year", "value gathered, discounted (CNY)")


def test_the_bridge_of_customer_equity_has_its_seven_steps():
    steps = ["opening", "unwinding", "margin received", "known customers", "new customers", "re-estimation"]
    values = [3210.0, 402, -910, -155, 640, -98, 3089]
    table = pd.DataFrame({"value": values}, pd.Index([*steps, "closing"], name="step"))
    ax = base.plot_bridge(table, measure="value", unit="CNY")
    ends, bars = ax.containers
    assert [bar.get_width() for bar in bars] == values[1:-1]
    assert [bar.get_x() for bar in bars] == [3210, 3612, 2702, 2547, 3187]
    assert bars[-1].get_x() + bars[-1].get_width() == ends[1].get_width()
    assert ax.get_xlabel() == "value (CNY)"


def test_nothing_to_show_is_said():
    words = {
        "no group to show": clv_value.plot_group_values(GROUPS.iloc[:0], unit="CNY"),
        "no horizon to show": clv_value.plot_new_customer_value(pd.DataFrame(), unit="CNY"),
        "no input was moved": clv_value.plot_tornado(SWINGS.iloc[:0], unit="CNY"),
        "no period to show": clv_value.plot_payback(pd.DataFrame({"cumulative": []}), unit="CNY"),
    }
    for said, ax in words.items():
        assert [text.get_text() for text in ax.texts] == [said]
        ax.figure.canvas.draw()


def test_draws_on_the_axes_it_is_given():
    ax = plt.subplots()[1]
    assert clv_value.plot_group_values(GROUPS, unit="CNY", ax=ax) is ax
    assert clv_value.plot_tornado(SWINGS, unit="CNY", ax=ax) is ax
    assert clv_value.plot_payback(pd.DataFrame({"cumulative": [-1.0, 2.0]}), unit="CNY", ax=ax) is ax
