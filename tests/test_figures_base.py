"""The axes carry the tables of periods, bridge, split and whale curve."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from crm_analysis.figures import base


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


HISTORY = pd.DataFrame(
    {"complete": [True, True, False], "revenue": [100.0, 200.0, 30.0], "n_new": [np.nan, 3.0, 1.0]},
    index=pd.Index(["2024-01", "2024-02", "2024-03"], name="label"),
)


def test_history_hatches_what_was_not_observed_whole():
    ax = base.plot_history(HISTORY, unit="CNY", mark="2024-02")
    bars = ax.containers[0]
    assert [bar.get_height() for bar in bars] == [100, 200, 30]
    assert [bar.get_hatch() for bar in bars] == [None, None, "////"]
    assert [bar.get_alpha() for bar in bars] == [0.55, None, 0.55]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["not observed whole"]
    assert ax.get_ylabel() == "revenue (CNY)"
    assert [t.get_text() for t in ax.get_xticklabels()] == HISTORY.index.tolist()
    assert ax.get_title() == ""


def test_history_of_complete_periods_needs_no_legend_and_missing_is_no_bar():
    ax = base.plot_history(HISTORY.iloc[:2], measure="n_new", unit="customers")
    assert ax.get_legend() is None
    assert [bar.get_height() for bar in ax.containers[0]] == [0, 3]


def test_long_histories_stay_readable():
    index = pd.period_range("2020-01", periods=48, freq="M").astype(str)
    ax = base.plot_history(pd.DataFrame({"complete": True, "revenue": 1.0}, index=index), unit="CNY")
    assert len(ax.get_xticks()) == 12
    assert [ax.get_xticklabels()[i].get_text() for i in (0, -1)] == ["2020-04", "2023-12"]


FLOW = pd.DataFrame(
    {"revenue": [200.0, -120, 100, 120, 300], "n_customers": [3, -2, 0, 2, 3]},
    index=pd.Index(["opening", "not returned", "returning", "new", "closing"], name="step"),
)


def test_bridge_steps_join_and_lead_to_the_closing_bar():
    ax = base.plot_bridge(FLOW, unit="CNY")
    ends, steps = ax.containers
    assert [bar.get_width() for bar in ends] == [200, 300]
    assert [bar.get_width() for bar in steps] == [-120, 100, 120]
    # A bar starts where the one before ended.
    assert [bar.get_x() for bar in steps] == [200, 80, 180]
    assert steps[-1].get_x() + steps[-1].get_width() == ends[1].get_width()
    assert [t.get_text() for t in ax.texts] == ["200", "−120", "+100", "+120", "300"]
    assert [t.get_text() for t in ax.get_yticklabels()] == FLOW.index.tolist()
    assert ax.get_xlabel() == "revenue (CNY)"
    assert len({bar.get_facecolor() for bar in steps}) == 2


def test_bridge_of_customers():
    ax = base.plot_bridge(FLOW, measure="n_customers", unit="customers")
    assert [bar.get_x() for bar in ax.containers[1]] == [3, 1, 1]
    assert ax.get_xlabel() == "n customers (customers)"


def test_whale_curve_is_read_at_both_ends():
    profit = np.array([520, 360, 90, 60, 40, 20, 10, -90, -160, -190.0])
    curve = pd.DataFrame(
        {"share_of_customers": np.arange(1, 11) / 10, "share_of_total": profit.cumsum() / 660}
    )
    ax = base.plot_whale_curve(curve)
    line = ax.lines[1]
    np.testing.assert_allclose(line.get_xdata(), np.arange(11) / 10)
    np.testing.assert_allclose(line.get_ydata()[1:], curve["share_of_total"])
    points = [tuple(point.get_xydata()[0]) for point in ax.lines[2:4]]
    assert points == [pytest.approx((0.2, 880 / 660)), pytest.approx((0.7, 1100 / 660))]
    assert [t.get_text() for t in ax.texts] == ["best 20%: 133%", "without the worst 30%: 167%"]


def test_draws_on_the_axes_it_is_given():
    ax = plt.subplots()[1]
    assert base.plot_bridge(FLOW, unit="CNY", ax=ax) is ax
