"""The axes carry the tables of scores, segments and migration."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from crm_analysis.figures import rfm


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def cell_table(n_bins=2):
    cells = pd.DataFrame(
        [(r, f) for r in range(1, n_bins + 1) for f in range(1, n_bins + 1)], columns=["r", "f"]
    )
    return cells.assign(n_customers=[40, 5, 0, 50], mean_amount=[10.0, 900.0, np.nan, 30.0])


def texts(ax):
    return {t.get_text(): t for t in ax.texts}


def test_heat_map_shows_every_count_at_its_place():
    ax = rfm.plot_score_cells(cell_table())
    # Image rows are F, columns R; nobody has R 2 and F 1.
    np.testing.assert_array_equal(ax.images[0].get_array().filled(-1), [[40, -1], [5, 50]])
    places = {name: t.get_position() for name, t in texts(ax).items()}
    assert places == {"40": (0, 0), "5": (0, 1), "50": (1, 1)}
    assert ax.get_xlabel() == "R score (2: bought lately)"
    assert ax.get_ylabel() == "F score (2: many orders)"
    assert ax.get_title() == ""


def test_means_of_few_customers_are_grey_and_do_not_set_the_scale():
    ax = rfm.plot_score_cells(cell_table(), value="mean_amount", unit="CNY")
    np.testing.assert_array_equal(ax.images[0].get_array().filled(-1), [[10, -1], [-1, 30]])
    assert texts(ax)["900"].get_color() == "0.6"
    assert ax.figure.axes[-1].get_ylabel() == "CNY"


def test_segments_side_by_side():
    table = pd.DataFrame(
        {
            "n_customers": [1000, 3000],
            "share_of_customers": [0.25, 0.75],
            "share_of_amount": [0.6, 0.4],
            "share_of_profit": [0.9, 0.1],
        },
        index=pd.Index(["Champions", "Long inactive"], name="segment"),
    )
    ax = rfm.plot_segments(table)
    widths = [[bar.get_width() for bar in bars] for bars in ax.containers]
    assert widths == [[0.25, 0.75], [0.6, 0.4]]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Champions (1,000)", "Long inactive (3,000)"]
    assert ax.yaxis_inverted()
    profit = rfm.plot_segments(table, share="share_of_profit")
    assert [bar.get_width() for bar in profit.containers[1]] == [0.9, 0.1]
    assert "profit" in profit.get_xlabel()


def test_migration_counts_and_row_shares():
    moves = pd.DataFrame(
        [[8, 2, 0], [0, 4, 1], [3, 0, 0], [0, 0, 0]], index=["A", "B", "new", "C"], columns=["A", "B", "left"]
    )
    ax = rfm.plot_migration(moves)
    np.testing.assert_allclose(
        ax.images[0].get_array().filled(0), [[0.8, 0.2, 0], [0, 0.8, 0.2], [1, 0, 0], [0, 0, 0]]
    )
    assert texts(ax)["2"].get_position() == (1, 0)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["A (10)", "B (5)", "new (3)", "C (0)"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["A", "B", "left"]


def test_draws_on_the_axes_it_is_given():
    ax = plt.subplots()[1]
    assert rfm.plot_score_cells(cell_table(), ax=ax) is ax
