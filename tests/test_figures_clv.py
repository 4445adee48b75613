"""The axes carry the tables of the holdout, the forecasts and the value."""

import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from crm_analysis.figures import FIRM_COLOURS, clv, clv_customers, clv_models, clv_value
from crm_analysis.report.figure_words import in_language
from crm_analysis.report.text import read_catalogue


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


def texts_of(figure):
    return {text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()}


def drawn_figures(by_repeat, forecasts):
    """Every figure of customer value, with as much on it as it can have."""
    tracked = pd.DataFrame(
        {"actual": [3, 4], "expected": 3.0, "actual_cumulative": [3, 7], "expected_cumulative": [3.0, 6]},
        pd.DatetimeIndex(["2024-01-07", "2024-01-14"]),
    )
    cells = pd.DataFrame(
        {"n_repeat": [1, 1, 2, 2], "days_since_last": [5, 15, 5, 15], "n_customers": [9, 0, 1, 2]}
    ).assign(p_alive=[0.9, 0.4, 0.9, 0.2], p_buy=[0.8, 0.3, 0.8, 0.1], value=[10.0, 8.0, 25.0, 4.0])
    examples = pd.DataFrame(
        {"pattern": ["often, and lately", "often, then silent", "once, long ago", "new"]}, list("abcd")
    ).assign(
        first_at=pd.Timestamp("2024-01-01"), n_repeat=2, t_last=100, t_observed=365, p_alive=0.5, p_buy=0.4
    )
    days = pd.Series(pd.to_datetime(["2024-01-01", "2024-02-01"]), ["a", "a"])
    history = pd.DataFrame(
        {"bought": [True, False], "p_alive": [1.0, 0.9], "p_buy": [0.8, 0.7]},
        pd.date_range("2024-01-01", periods=2),
    )
    reliability = pd.DataFrame({"predicted": [0.05, 0.5], "actual": [0.02, 0.5], "n_customers": [400, 12]})
    groups = pd.DataFrame({"value": [9.0], "low": [7.0], "high": [12.0], "n_customers": [12]}, ["all"])
    swings = pd.DataFrame({"low": [7.0], "high": [15.0], "value": 10.0}, ["annual_discount_rate"])
    horizons = ["12 months", "39 weeks", "2 years", "whole life"]
    new = pd.DataFrame(
        {"clv_new": 9.0, "clv_new_low": 7.0, "clv_new_high": 12.0},
        horizons,
    )
    tenths = pd.DataFrame({"share_of_total": [0.5, 1.0]}, [0.1, 0.2])
    counts = pd.DataFrame({"actual": [9, 4], "expected": [8, 5]}, ["0", "1+"])
    nothing, unit = cells.iloc[:0], {"unit": "CNY"}
    return [
        clv.plot_expectation_by_repeat(by_repeat, models=["X", "Y"]),
        clv.plot_reliability(reliability),
        clv.plot_forecasts(forecasts, unit="purchase days"),
        clv.plot_value_by_tenth(tenths),
        clv_models.plot_tracking(tracked, fitted_until="2024-01-07")[0],
        clv_models.plot_tracking(tracked.set_axis(pd.DatetimeIndex(["2024-01-28", "2024-02-25"])))[0],
        clv_models.plot_tracking(tracked.iloc[:0])[0],
        clv_models.plot_frequency_fit(counts),
        *(
            clv_models.plot_alive_map(cells, horizon=h)[0]
            for h in ("12 months", "39 weeks", "90 days", "2 years")
        ),
        clv_models.plot_alive_map(nothing)[0],
        clv_models.plot_value_map(cells, **unit),
        clv_models.plot_value_map(nothing, **unit),
        clv_customers.plot_timelines(examples, days),
        clv_customers.plot_timelines(examples, days, horizon="39 weeks"),
        clv_customers.plot_timelines(examples, days, horizon="90 days"),
        clv_customers.plot_timelines(examples.iloc[:0], days),
        clv_customers.plot_customer_history(history),
        clv_value.plot_group_values(groups, **unit),
        clv_value.plot_group_values(groups, what="value from now on", **unit),
        clv_value.plot_group_values(groups.iloc[:0], **unit),
        clv_value.plot_new_customer_value(new, acquisition_cost=9.5, **unit),
        clv_value.plot_new_customer_value(new.iloc[:0], **unit),
        clv_value.plot_tornado(swings, **unit),
        clv_value.plot_tornado(swings.iloc[:0], **unit),
        clv_value.plot_payback(pd.DataFrame({"cumulative": [-1.0, 2.0]}), **unit),
        clv_value.plot_payback(pd.DataFrame({"cumulative": []}), **unit),
    ]


def test_every_word_on_a_figure_has_its_chinese(by_repeat, forecasts):
    text = read_catalogue("zh")
    # Names of models and of groups, dates and customers stay as they are; words do not.
    names = {"X", "Y", "all (12)"}
    english = set()
    with mpl.rc_context({"figure.max_open_warning": 0}):
        drawn = drawn_figures(by_repeat, forecasts)
    for ax in drawn:
        words = {words for words in texts_of(ax.figure) if re.search("[A-Za-z]{2}", words)} - names
        assert words
        english |= {w for w in words if not re.search("[\u4e00-\u9fff]", in_language(w, text))}
    assert english == set()
