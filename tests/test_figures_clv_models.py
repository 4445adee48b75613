"""The axes carry the tables of what models fit, and of what they say of every history."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.dates import date2num

from crm_analysis.figures import FIRM_COLOURS, clv_models


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


TRACKING = pd.DataFrame(
    {
        "actual": [3, 5, 4],
        "expected": [2.5, 4.5, 4.0],
        "actual_cumulative": [3, 8, 12],
        "expected_cumulative": [2.5, 7.0, 11.0],
    },
    pd.DatetimeIndex(["2024-01-07", "2024-01-14", "2024-01-21"], name="until"),
)
FREQUENCY = pd.DataFrame(
    {"actual": [1200, 300, 29], "expected": [1180.4, 320.6, 28.0]},
    pd.Index(["0", "1", "2+"], name="n_repeat"),
)


def map_table():
    """Rows n_repeat 0, 1, 2; silences 5, 15, 25 days; one cell is impossible."""
    cells = pd.DataFrame(
        [(n, d) for n in range(3) for d in (5, 15, 25)], columns=["n_repeat", "days_since_last"]
    )
    cells["p_alive"] = [1, 1, 1, 0.9, 0.6, 0.3, 0.95, 0.4, 0.1]
    cells["p_buy"] = cells["p_alive"] / 2
    cells["value"] = [1, 1, 1, 10, 9, 5.0, 30, 12, 4]
    cells["n_customers"] = [9, 0, 4, 1, 0, 0, 0, 2, 0]
    return cells.drop(index=8)


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def legend(ax):
    return [text.get_text() for text in ax.figure.legends[0].get_texts()]


def test_tracking_follows_what_happened_and_what_was_expected():
    left, right = clv_models.plot_tracking(TRACKING, fitted_until="2024-01-14")
    assert lines(left)["what happened"].get_ydata().tolist() == [3, 5, 4]
    assert lines(left)["expected"].get_ydata().tolist() == [2.5, 4.5, 4.0]
    assert lines(right)["what happened"].get_ydata().tolist() == [3, 8, 12]
    assert lines(right)["expected"].get_ydata().tolist() == [2.5, 7.0, 11.0]
    assert (date2num(lines(left)["expected"].get_xdata()) == date2num(TRACKING.index)).all()
    for ax in (left, right):
        assert lines(ax)["fitted up to here"].get_xdata() == [date2num(pd.Timestamp("2024-01-14"))] * 2
        assert ax.get_ylim()[0] == 0
    assert left.get_ylabel() == "repeat purchases per week"
    assert right.get_ylabel() == "repeat purchases since the beginning"
    assert legend(left) == ["what happened", "expected", "fitted up to here"]


def test_tracking_without_a_holdout_has_no_line_and_names_its_step():
    table = TRACKING.set_axis(pd.DatetimeIndex(["2024-01-28", "2024-02-25", "2024-03-24"]))
    left, _ = clv_models.plot_tracking(table)
    assert set(lines(left)) == {"what happened", "expected"}
    assert left.get_ylabel() == "repeat purchases per 28 days"


def test_frequency_fit_stands_side_by_side_and_small_counts_are_pale():
    ax = clv_models.plot_frequency_fit(FREQUENCY)
    actual, expected = ax.containers
    assert [bar.get_height() for bar in actual] == [1200, 300, 29]
    assert [bar.get_height() for bar in expected] == [1180.4, 320.6, 28.0]
    assert [bar.get_alpha() for bar in actual] == [1, 1, 0.45]
    assert {text.get_text() for text in ax.texts} == {"1,200", "300", "29", "1,180", "321", "28"}
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "1", "2+"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("repeat purchases", "customers")


def test_alive_map_shows_both_probabilities_at_their_cells():
    table = map_table()
    pair = clv_models.plot_alive_map(table, horizon="26 weeks")
    for ax, column in zip(pair, ["p_alive", "p_buy"], strict=True):
        mesh = ax.collections[0]
        expected = table.pivot_table(index="n_repeat", columns="days_since_last", values=column)
        np.testing.assert_allclose(mesh.get_array().filled(np.nan), expected)
        corners = mesh.get_coordinates()
        np.testing.assert_allclose(corners[0, :, 0], [0, 10, 20, 30])
        np.testing.assert_allclose(corners[:, 0, 1], [-0.5, 0.5, 1.5, 2.5])
        assert mesh.get_clim() == (0, 1)
    assert [ax.get_title(loc="left") for ax in pair] == ["still a customer", "buys within 26 weeks"]
    assert pair[0].get_xlabel() == "days since the last purchase"
    assert pair[0].get_ylabel() == "repeat purchases"


def test_dots_are_where_the_customers_are():
    ax, _ = clv_models.plot_alive_map(map_table())
    (dots,) = [c for c in ax.collections if isinstance(c, mpl.collections.PathCollection)]
    np.testing.assert_allclose(dots.get_offsets(), [[5, 0], [25, 0], [5, 1], [15, 2]])
    np.testing.assert_allclose(dots.get_sizes() - 1, 49 * np.array([9, 4, 1, 2]) / 9)
    assert legend(ax) == ["customers of the base (largest dot: 9)"]


def test_the_line_at_an_even_chance_leaves_out_who_bought_once():
    ax, right = clv_models.plot_alive_map(map_table())
    (half,) = [c for c in ax.collections if isinstance(c, mpl.contour.QuadContourSet)]
    points = np.concatenate(half.allsegs[0])
    # On row 1 between 0.6 at 15 days and 0.3 at 25; on row 2 between 0.95 at 5 and 0.4 at 15.
    assert points[:, 1].min() == 1
    np.testing.assert_allclose(points[points[:, 1] == 1][0], [15 + 10 / 3, 1])
    np.testing.assert_allclose(points[points[:, 1] == 2][0], [5 + 10 * 0.45 / 0.55, 2])
    # Nobody is likelier than not to buy: p_buy is at most 0.5.
    assert not [c for c in right.collections if isinstance(c, mpl.contour.QuadContourSet)]


def test_equal_values_are_joined_and_the_best_is_marked():
    n, silence = np.meshgrid(np.arange(1, 31), np.arange(5, 300, 2), indexing="ij")
    # The logarithm rises up to n = 600 / silence and falls after it.
    value = 100 * n * np.exp(-n * silence / 600)
    table = pd.DataFrame(
        {"n_repeat": n.ravel(), "days_since_last": silence.ravel(), "value": value.ravel(), "n_customers": 0}
    )
    ax = clv_models.plot_value_map(table, unit="CNY")
    equal, best = [c for c in ax.collections if isinstance(c, mpl.contour.QuadContourSet)]
    assert set(equal.levels) <= {20, 50, 100, 200, 500, 1000, 2000}
    assert len(equal.levels) <= 7
    for level, segments in zip(equal.levels, equal.allsegs, strict=True):
        for x, y in np.concatenate(segments):
            assert 100 * y * np.exp(-y * x / 600) == pytest.approx(level, rel=0.05)
    ridge = np.concatenate(best.allsegs[0])
    many = ridge[(ridge[:, 1] > 8) & (ridge[:, 1] < 28)]
    np.testing.assert_allclose(many[:, 0] * many[:, 1], 600, rtol=0.03)
    # Beside the line lies the number of purchases that is worth most after so many days.
    most = n[np.argmax(value, axis=0), 0]
    for days, place in ridge:
        assert np.abs(most[np.abs(silence[0] - days) <= 2] - place).min() < 1.01
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "equal value (CNY)",
        "worth most after so many days",
    ]


def test_where_more_is_always_better_there_is_no_best():
    table = map_table()[lambda t: t["n_repeat"] > 0].assign(value=lambda t: t["n_repeat"] * 10.0)
    ax = clv_models.plot_value_map(table, unit="CNY")
    (equal,) = [c for c in ax.collections if isinstance(c, mpl.contour.QuadContourSet)]
    # Between 10 and 20 there is no 1, 2 or 5: even steps.
    assert equal.levels.tolist() == [12, 14, 16, 18]
    assert "worth most" not in str([text.get_text() for text in ax.get_legend().get_texts()])


def test_nothing_to_show_is_said():
    words = {
        "no whole step was observed": clv_models.plot_tracking(TRACKING.iloc[:0])[0],
        "no history to show": clv_models.plot_alive_map(map_table().iloc[:0])[1],
        "too few histories for lines of equal value": clv_models.plot_value_map(
            map_table().iloc[:0], unit="CNY"
        ),
    }
    for said, ax in words.items():
        assert [text.get_text() for text in ax.texts] == [said]
        ax.figure.canvas.draw()


def test_a_map_of_one_cell_is_drawn():
    left, _ = clv_models.plot_alive_map(map_table().iloc[:1])
    left.figure.canvas.draw()
    assert left.collections[0].get_array().tolist() == [[1]]


def test_one_step_is_a_week():
    left, _ = clv_models.plot_tracking(TRACKING.iloc[:1])
    left.figure.canvas.draw()
    assert left.get_ylabel() == "repeat purchases per week"


def test_draws_on_the_axes_it_is_given():
    pair = plt.subplots(1, 2, layout="constrained")[1]
    assert clv_models.plot_tracking(TRACKING, axes=pair) == tuple(pair)
    assert clv_models.plot_alive_map(map_table(), axes=pair) == tuple(pair)
    assert clv_models.plot_frequency_fit(FREQUENCY, ax=pair[0]) is pair[0]
    assert clv_models.plot_value_map(map_table(), unit="CNY", ax=pair[0]) is pair[0]
    assert lines(pair[0])["expected"].get_color() == FIRM_COLOURS[0]
    assert len(plt.get_fignums()) == 1
