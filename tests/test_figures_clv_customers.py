"""Timelines carry the three numbers of a history; a history carries what was said on each day."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.dates import date2num

from crm_analysis.figures import clv_customers


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


EXAMPLES = pd.DataFrame(
    {
        "pattern": ["often, then silent", "new"],
        "first_at": pd.to_datetime(["2024-01-01", "2024-12-22"]),
        "n_repeat": [2, 0],
        "t_last": [100, 0],
        "t_observed": [365, 9],
        "p_alive": [0.314, 0.9],
        "p_buy": [0.27, 0.6],
    },
    pd.Index(["c1", "c2"], name="customer_id"),
)
# The last one is of a customer who is not shown.
DAYS = pd.Series(
    pd.to_datetime(["2024-01-01", "2024-02-20", "2024-04-10", "2024-12-22", "2024-03-03"]),
    ["c1", "c1", "c1", "c2", "c3"],
)
HISTORY = pd.DataFrame(
    {"bought": [True, False, True, False], "p_alive": [1, 0.9, 1, 0.95], "p_buy": [0.7, 0.6, 0.8, 0.75]},
    pd.date_range("2024-01-01", periods=4, name="date"),
)


def marks(ax, label):
    """Places of a mark over all customers: (date, row)."""
    points = [line.get_xydata() for line in ax.lines if line.get_label() == label]
    return np.concatenate(points).tolist()


def day(text):
    return date2num(pd.Timestamp(text))


def test_timelines_mark_first_repeat_and_last_purchase_and_the_end():
    ax = clv_customers.plot_timelines(EXAMPLES, DAYS)
    assert marks(ax, "first purchase") == [[day("2024-01-01"), 0], [day("2024-12-22"), 1]]
    # The last purchase has a mark of its own.
    assert marks(ax, "repeat purchase") == [[day("2024-02-20"), 0]]
    assert marks(ax, "last purchase") == [[day("2024-04-10"), 0]]
    assert marks(ax, "end of observation") == [[day("2024-12-31"), 0], [day("2024-12-31"), 1]]
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == ["often, then silent\nc1", "new\nc2"]
    assert ax.yaxis_inverted()


def test_timelines_say_the_three_numbers_and_the_probabilities():
    ax = clv_customers.plot_timelines(EXAMPLES, DAYS)
    assert [text.get_text() for text in ax.texts if text.get_text()] == [
        "t_last 100 days",
        "t_observed 365 days",
        "n_repeat 2   still a customer: 31%   buys within 12 months: 27%",
        "t_observed 9 days",
        "n_repeat 0   still a customer: 90%   buys within 12 months: 60%",
    ]


def test_arrows_are_as_long_as_the_numbers():
    ax = clv_customers.plot_timelines(EXAMPLES, DAYS)
    arrows = [text for text in ax.texts if not text.get_text()]
    assert [arrow.xy[0] - arrow.xyann[0] for arrow in arrows] == [100, 365, 9]
    # Words that do not fit on an arrow stand beside it, inside the picture.
    short = next(text for text in ax.texts if text.get_text() == "t_observed 9 days")
    assert (short.xy[0], short.get_ha()) == (day("2024-12-22"), "right")


def test_without_values_only_the_counts_are_said():
    table = EXAMPLES.drop(columns=["p_alive", "p_buy"])
    ax = clv_customers.plot_timelines(table, DAYS)
    assert "n_repeat 2" in [text.get_text() for text in ax.texts]


def test_history_follows_both_probabilities_and_marks_the_purchases():
    ax = clv_customers.plot_customer_history(HISTORY, horizon="26 weeks")
    lines = {line.get_label(): line.get_ydata().tolist() for line in ax.lines}
    assert lines == {
        "still a customer": [1, 0.9, 1, 0.95],
        "buys within 26 weeks": [0.7, 0.6, 0.8, 0.75],
    }
    bought = [segment[0, 0] for segment in ax.collections[0].get_segments()]
    assert bought == [day("2024-01-01"), day("2024-01-03")]
    assert [text.get_text() for text in ax.texts] == ["95%", "75%"]
    assert ax.get_ylabel() == "probability, as of each day"


@pytest.mark.parametrize(("p_alive", "p_buy"), [(0.06, 0.05), (0.5, 0.5), (0.9, 0.1)])
def test_the_last_numbers_do_not_lie_on_each_other(p_alive, p_buy):
    ax = clv_customers.plot_customer_history(HISTORY.assign(p_alive=p_alive, p_buy=p_buy))
    figure = ax.figure
    figure.canvas.draw()
    upper, lower = (text.get_window_extent() for text in ax.texts)
    assert upper.y0 > lower.y1 - 2


def test_nothing_to_show_is_said_and_one_day_is_drawn():
    for ax in (
        clv_customers.plot_timelines(EXAMPLES.iloc[:0], DAYS),
        clv_customers.plot_customer_history(HISTORY.iloc[:0]),
    ):
        assert [text.get_text() for text in ax.texts] == ["no customer to show"]
    today = EXAMPLES.iloc[[1]].assign(t_observed=0)
    for ax in (
        clv_customers.plot_customer_history(HISTORY.iloc[:1]),
        clv_customers.plot_timelines(today, DAYS),
    ):
        ax.figure.canvas.draw()


def test_draws_on_the_axes_it_is_given():
    ax = plt.subplots()[1]
    assert clv_customers.plot_timelines(EXAMPLES, DAYS, ax=ax) is ax
    assert clv_customers.plot_customer_history(HISTORY, ax=ax) is ax
