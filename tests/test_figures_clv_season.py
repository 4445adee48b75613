"""The axes carry the index of the months and the forecast of the periods."""

import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from crm_analysis.figures.clv_season import plot_periods, plot_season
from crm_analysis.report.figure_words import in_language
from crm_analysis.report.text import read_catalogue

MONTHS = pd.DataFrame(
    {"index": [1.3, 0.7, 1.0], "low": [1.1, 0.6, 0.9], "high": [1.5, 0.8, 1.2]},
    pd.RangeIndex(1, 4, name="month"),
)
PERIODS = pd.DataFrame(
    {"expected": [1200.0, 900.0], "forecast_low": [1000.0, 700.0], "forecast_high": [1400.0, 1300.0]},
    pd.Index(["2026Q1", "2026Q2"], name="period"),
)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def lines_of(ax):
    return [segment[:, 1].tolist() for segment in ax.collections[0].get_segments()]


def written(ax):
    return [text.get_text() for text in ax.texts]


def test_months_rise_and_fall_from_an_average_day():
    ax = plot_season(MONTHS)
    assert [bar.get_y() for bar in ax.patches] == [1, 1, 1]
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([0.3, -0.3, 0.0])
    assert lines_of(ax) == [[1.1, 1.5], [0.6, 0.8], [0.9, 1.2]]
    assert written(ax) == ["1.30", "0.70", "1.00"]
    # A weak month is named below its range, a strong one above.
    assert [text.xy[1] for text in ax.texts] == [1.5, 0.6, 1.2]
    low, high = ax.get_ylim()
    assert low < 0.6
    assert high > 1.5


def test_an_index_that_was_given_has_no_range():
    ax = plot_season(MONTHS.assign(low=np.nan, high=np.nan))
    assert [text.xy[1] for text in ax.texts] == [1.3, 0.7, 1.0]
    assert not any(len(segment) for segment in ax.collections[0].get_segments())


def test_periods_stand_with_their_ranges():
    ax = plot_periods(PERIODS)
    assert [bar.get_height() for bar in ax.patches] == [1200, 900]
    assert lines_of(ax) == [[1000, 1400], [700, 1300]]
    assert written(ax) == ["1,200", "900"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2026Q1", "2026Q2"]
    assert ax.get_ylabel() == "purchase days"


def test_every_word_has_its_chinese():
    text, english = read_catalogue("zh"), set()
    for ax in (plot_season(MONTHS), plot_periods(PERIODS)):
        artists = ax.figure.findobj(mpl.text.Text)
        words = {artist.get_text() for artist in artists} - {"2026Q1", "2026Q2"}
        words = {word for word in words if re.search("[A-Za-z]{2}", word)}
        assert words
        english |= {word for word in words if not re.search("[\u4e00-\u9fff]", in_language(word, text))}
    assert english == set()
