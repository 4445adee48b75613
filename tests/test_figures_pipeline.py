"""What the figures of a pipeline say equals the tables they are given."""

import re

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from crm_analysis.figures.funnel import plot_waterfall
from crm_analysis.figures.pipeline import (
    plot_ageing,
    plot_forecast,
    plot_lost_reasons,
    plot_nurture,
    plot_time_in_stages,
    plot_win_rates,
)
from crm_analysis.funnel import Velocity, split_velocity
from crm_analysis.funnel.pipeline.factors import FACTORS
from crm_analysis.funnel.pipeline.lingering import AGE_CLASSES
from crm_analysis.report.figure_words import in_language
from crm_analysis.report.text import read_catalogue

STAYS = pd.DataFrame(
    {
        "firm": ["A", "A", "B", "B"],
        "stage": ["Lead", "Proposal"] * 2,
        "p25": [2.0, 5.0, 3.0, np.nan],
        "median_days": [4.0, 8.0, 6.0, np.nan],
        "p75": [9.0, 20.0, np.nan, np.nan],
        "n_entered": [100, 50, 80, 5],
        "n_there": [10, 5, 1200, 5],
    }
)
AGES = ["young", "half", "old", "oldest"]
AGEING = pd.DataFrame(
    {"stage": ["Lead"] * 4 + ["Proposal"] * 4, "age": AGES * 2, "n": [4, 3, 2, 1, 0, 5, 0, 2], "amount": 1.0}
)
REASONS = pd.DataFrame(
    {
        "stage": ["Lead", "Lead", "Proposal", "Proposal"],
        "reason": ["Price", "Time"] * 2,
        "n": [3, 1, 0, 0],
        "share_of_recorded": [0.75, 0.25, np.nan, np.nan],
        "n_recorded": [4, 4, 0, 0],
        "n_lost": [6, 6, 2, 2],
    }
).set_index(["stage", "reason"])
NURTURE = pd.DataFrame(
    {
        "heat": ["hot", "hot", "mid", "mid"],
        "value": ["high", "low"] * 2,
        "n": [3, 1200, 0, 5],
        "expected_wins": [1.25, 300.0, 0.0, 1.0],
        "expected_value": [5000.0, 1000.0, 0.0, 20.0],
    }
).set_index(["heat", "value"])
FORECAST = pd.DataFrame(
    {
        "expected": [118.2, 81.7],
        "low_80": [108.0, 73.0],
        "high_80": [128.0, 90.0],
        "low_95": [102.0, 69.0],
        "high_95": [133.0, 95.0],
        "static": [90.0, 47.0],
    },
    index=["Firm A", "Firm B"],
)
RATES = pd.DataFrame(
    {
        "firm": ["A", "A", "B", "B"],
        "measure": ["won of closed", "won of all"] * 2,
        "rate": [0.25, 0.24, 0.12, np.nan],
        "low": [0.24, 0.23, 0.11, 0.0],
        "high": [0.26, 0.25, 0.13, 1.0],
    }
)
DRAWN = [
    (plot_time_in_stages, STAYS),
    (plot_ageing, AGEING),
    (plot_lost_reasons, REASONS),
    (plot_nurture, NURTURE),
    (plot_forecast, FORECAST),
    (plot_win_rates, RATES),
]


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def ends(lines):
    return np.array([segment[:, 0] for segment in lines.get_segments()])


def test_dots_are_medians_and_lines_the_middle_half():
    ax = plot_time_in_stages(STAYS)
    for line, firm in zip(ax.lines, "AB", strict=False):
        rows = STAYS[STAYS["firm"] == firm]
        assert line.get_xdata() == pytest.approx(rows["median_days"].to_numpy(), nan_ok=True)
    assert ends(ax.collections[0]).tolist() == [[2, 9], [5, 20]]
    # Three quarters are not over: the line runs beyond all that is known.
    assert ax.collections[1].get_segments()[0][:, 0].tolist() == pytest.approx([3, 1.15 * 20])
    assert "10 / 1,200 there now" in texts(ax)


def test_bars_of_ages_are_the_counts_side_by_side():
    ax = plot_ageing(AGEING)
    widths = np.array([[bar.get_width() for bar in bars] for bars in ax.containers]).T
    assert widths.tolist() == [[4, 3, 2, 1], [0, 5, 0, 2]]
    begins = [bars[0].get_x() for bars in ax.containers]
    assert begins == [0, 4, 7, 9]
    assert {"1 of 10 beyond 95%", "2 of 7 beyond 95%"} <= set(texts(ax))


def test_cells_of_reasons_carry_share_and_count():
    ax = plot_lost_reasons(REASONS)
    assert texts(ax) == ["75%\n(3)", "–", "25%\n(1)", "–"]
    assert np.asarray(ax.images[0].get_array()).tolist() == [[0.75, 0], [0.25, 0]]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["Lead\n4 of 6", "Proposal\n0 of 2"]


def test_cells_of_leads_carry_the_matrix():
    ax = plot_nurture(NURTURE, unit="CNY")
    assert texts(ax)[:2] == ["3 open\n1.2 wins\n5,000 CNY", "1,200 open\n300.0 wins\n1,000 CNY"]
    assert np.asarray(ax.images[0].get_array()).tolist() == [[5000, 1000], [0, 20]]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["hot", "mid"]
    unpriced = plot_nurture(NURTURE.assign(expected_value=np.nan))
    assert texts(unpriced)[0] == "3 open\n1.2 wins"
    assert np.asarray(unpriced.images[0].get_array()).tolist() == [[1.25, 300], [0, 1]]


def test_the_forecast_stands_beside_the_static_rate():
    ax = plot_forecast(FORECAST)
    outer, inner, dots, hollow = ax.collections[:4]
    assert ends(outer).tolist() == FORECAST[["low_95", "high_95"]].to_numpy().tolist()
    assert ends(inner).tolist() == FORECAST[["low_80", "high_80"]].to_numpy().tolist()
    assert dots.get_offsets()[:, 0].tolist() == FORECAST["expected"].tolist()
    assert hollow.get_offsets()[:, 0].tolist() == FORECAST["static"].tolist()
    assert "118 (102 to 133)" in texts(ax)


def test_win_rates_are_dots_with_intervals():
    ax = plot_win_rates(RATES)
    assert ends(ax.collections[1]).tolist() == [[0.11, 0.13], [0, 1]]
    assert ax.lines[0].get_xdata().tolist() == [0.25, 0.24]
    assert "25.0% / 12.0%" in texts(ax)
    assert "24.0% / –" in texts(ax)


def test_the_split_of_velocities_is_a_waterfall():
    a, b = Velocity(40, 25000, 0.25, 90), Velocity(50, 20000, 0.2, 100)
    split = split_velocity(a, b)
    ax = plot_waterfall(split, start=b.per_day, end=a.per_day, unit="CNY per day")
    totals, parts = (c for c in ax.containers if hasattr(c, "patches"))
    assert [bar.get_width() for bar in totals] == pytest.approx([2000, 2777.7778])
    assert [bar.get_width() for bar in parts] == pytest.approx(split["contribution"].tolist())


@pytest.mark.parametrize(
    ("draw", "table", "words"),
    [
        (plot_time_in_stages, STAYS.assign(p25=np.nan), "no stay is over yet"),
        (plot_ageing, AGEING.assign(n=0), "no deal is open"),
        (plot_lost_reasons, REASONS.iloc[:0], "no deal is lost"),
        (plot_nurture, NURTURE.assign(n=0), "no lead is open"),
    ],
)
def test_what_is_empty_says_so(draw, table, words):
    assert texts(draw(table)) == [words]


@pytest.mark.parametrize(("draw", "table"), DRAWN, ids=lambda x: getattr(x, "__name__", ""))
def test_figures_draw_on_given_axes_and_fit_a_phone(draw, table):
    _, ax = plt.subplots()
    assert draw(table, ax=ax) is ax
    assert draw(table).get_figure().get_figwidth() <= 5


@pytest.mark.parametrize(("draw", "table"), DRAWN, ids=lambda x: getattr(x, "__name__", ""))
def test_every_word_has_its_chinese(draw, table):
    figure = draw(table).get_figure()
    figure.canvas.draw()
    text = read_catalogue("zh")
    # Names of firms, stages and reasons are the user's.
    names = {"A", "B", "Firm A", "Firm B", "Lead", "Proposal", "Price", "Time", *AGES}
    said = {artist.get_text() for artist in figure.findobj(mpl.text.Text)}
    words = {w for w in said if re.search("[A-Za-z]{2}", w)} - names
    assert not {w for w in words if not re.search("[\u4e00-\u9fff]", in_language(w, text))}


def test_classes_of_age_and_factors_of_velocity_have_their_chinese():
    words = [*AGE_CLASSES, *FACTORS, "CNY per day", "not known", "middle", "long\nterm", "no\nwin seen"]
    text = read_catalogue("zh")
    assert not [w for w in words if not re.search("[\u4e00-\u9fff]", in_language(w, text))]
