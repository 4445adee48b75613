"""The axes carry the value matrix and the contributions."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from crm_analysis.figures import selection


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


TABLE = pd.DataFrame(
    {"current": [10.0, 20, 30, -5], "potential": [1.0, 9, 2, 8], "cell": ["LL", "HH", "HL", "LH"]}
)
CUTS = {"current": (15.0,), "potential": (5.0,)}


def test_value_matrix_carries_customers_cuts_and_counts():
    ax = selection.plot_value_matrix(TABLE, cut_points=CUTS, unit="CNY")
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), TABLE[["current", "potential"]])
    assert [list(line.get_xdata()) for line in ax.lines] == [[15, 15], [0, 1]]
    assert list(ax.lines[1].get_ydata()) == [5, 5]
    named = {t.get_text(): t.get_position() for t in ax.texts}
    assert named["HL: 1 (25%)"] == (0.98, 0.02)
    assert named["LH: 1 (25%)"] == (0.02, 0.98)
    assert ax.get_xscale() == "linear"
    assert ax.get_xlabel() == "current value (CNY)"


def test_giants_are_shown_on_a_logarithm_that_knows_losses():
    table = TABLE.assign(current=[10.0, 5000, 30, -500])
    ax = selection.plot_value_matrix(table, cut_points=CUTS, unit="CNY", names=("profit", "value"))
    assert (ax.get_xscale(), ax.get_yscale()) == ("symlog", "linear")
    assert ax.get_ylabel() == "value (CNY)"


def test_contributions_of_the_best_add_up():
    points = pd.DataFrame({"profit": [10.0, 60, 30], "days_to_pay": [10.0, 20, 30]}, index=["a", "b", "c"])
    ax = selection.plot_contributions(points, top=2)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["b", "c"]
    widths = np.array([[bar.get_width() for bar in bars] for bars in ax.containers])
    np.testing.assert_array_equal(widths, [[60, 30], [20, 30]])
    assert [bar.get_x() for bar in ax.containers[1]] == [60, 30]
    assert [t.get_text() for t in ax.texts] == ["80", "60"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["profit", "days to pay"]


def test_equal_scores_are_drawn_in_the_order_of_the_index():
    points = pd.DataFrame({"x": [5.0, 5, 5]}, index=["c", "a", "b"])
    ax = selection.plot_contributions(points, top=2)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]


def test_marks_far_from_zero_stand_apart():
    table = pd.DataFrame(
        {"current": [-9e4, 0.0, 3e4], "potential": [0.0, 900.0, 1e4], "cell": ["LL", "LH", "HH"]}
    )
    ax = selection.plot_value_matrix(table, cut_points={"current": [927.0], "potential": [11.0]}, unit="CNY")
    ax.figure.canvas.draw()
    marks = [label.get_text() for label in ax.get_xticklabels()]
    assert "1,000" in marks
    assert "100" not in marks
    assert ax.get_yscale() == "symlog"
