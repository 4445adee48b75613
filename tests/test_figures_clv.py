"""The axes carry the tables of the holdout, the forecasts and the value."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from crm_analysis.figures import FIRM_COLOURS, clv


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture
def by_repeat():
    index = pd.Index(["0", "1", "7+"], name="n_repeat")
    return pd.DataFrame(
        {"n_customers": [1200, 40, 9], "actual": [0.2, 0.7, 6.0], "X": [0.3, 0.6, 5.0], "Y": [0.1, 0.9, 7.0]},
        index,
    )


@pytest.fixture
def forecasts():
    index = ["12 months after 2024-06-30", "12 months after 2025-06-30"]
    columns = {"expected": [1100.0, 900.0], "forecast_low": [1000.0, 700.0], "forecast_high": [1250.0, 950.0]}
    return pd.DataFrame(columns | {"actual": [1000.0, np.nan]}, index)


def test_expectation_shows_what_happened_and_each_model(by_repeat):
    ax = clv.plot_expectation_by_repeat(by_repeat, models=["Y", "X"])
    bars = ax.containers[0]
    assert [bar.get_height() for bar in bars] == [0.2, 0.7, 6.0]
    assert [bar.get_alpha() for bar in bars] == [1.0, 1.0, 0.4]
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["Y"].get_ydata().tolist() == [0.1, 0.9, 7.0]
    assert lines["X"].get_ydata().tolist() == [0.3, 0.6, 5.0]
    assert (lines["Y"].get_linestyle(), lines["X"].get_linestyle()) == ("-", "--")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0\n(1,200)", "1\n(40)", "7+\n(9)"]
    assert ax.get_ylabel() == "mean purchase days per customer"


def test_reliability_shows_every_group_and_hollows_the_small_ones():
    table = pd.DataFrame({"predicted": [0.05, 0.55], "actual": [0.02, 0.5], "n_customers": [400, 12]})
    ax = clv.plot_reliability(table)
    many, few = ax.collections
    np.testing.assert_allclose(many.get_offsets(), [[0.05, 0.02]])
    np.testing.assert_allclose(few.get_offsets(), [[0.55, 0.5]])
    assert len(few.get_facecolor()) == 0
    assert many.get_sizes()[0] > few.get_sizes()[0]
    assert {text.get_text() for text in ax.texts} == {"400", "12"}


def test_forecasts_beside_what_happened(forecasts):
    ax = clv.plot_forecasts(forecasts, unit="purchase days")
    ranges = ax.collections[0].get_segments()
    np.testing.assert_allclose([segment[:, 0] for segment in ranges], [[1000, 1250], [700, 950]])
    points = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert points == {
        "forecast": [[1100, 0]],
        "forecast of the time to come": [[900, 1]],
        "what happened": [[1000, 0]],
    }
    assert [text.get_text() for text in ax.texts] == ["1,100 (+10%)", "900"]
    assert [t.get_text() for t in ax.get_yticklabels()] == list(forecasts.index)
    assert ax.get_xlabel() == "purchase days"
    assert ax.yaxis_inverted()


def test_a_forecast_that_was_too_low_has_a_minus(forecasts):
    ax = clv.plot_forecasts(forecasts.assign(actual=[2200.0, 1800.0]), unit="CNY")
    assert [text.get_text() for text in ax.texts] == ["1,100 (−50%)", "900 (−50%)"]
    assert "forecast of the time to come" not in {line.get_label() for line in ax.lines}


def test_a_forecast_alone_needs_no_past(forecasts):
    ax = clv.plot_forecasts(forecasts.iloc[1:], unit="CNY")
    assert [line.get_label() for line in ax.lines] == ["forecast of the time to come"]


def test_tenths_are_the_differences_of_what_is_held_together():
    table = pd.DataFrame({"share_of_total": [0.5, 0.92, 1.0]}, pd.Index([0.1, 0.2, 0.3], name="top_share"))
    ax = clv.plot_value_by_tenth(table)
    np.testing.assert_allclose([bar.get_height() for bar in ax.containers[0]], [0.5, 0.42, 0.08])
    assert [text.get_text() for text in ax.texts] == ["50%", "42%", "8.0%"]
    assert ax.containers[0][0].get_facecolor() == mpl.colors.to_rgba(FIRM_COLOURS[0])


def test_draws_on_the_axes_it_is_given(by_repeat, forecasts):
    ax = plt.subplots()[1]
    assert clv.plot_expectation_by_repeat(by_repeat, models=["X"], ax=ax) is ax
    assert clv.plot_forecasts(forecasts, unit="CNY", ax=ax) is ax
