"""What the funnel figures say equals the tables they are given."""

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from crm_analysis.figures import FIRM_COLOURS, use_style
from crm_analysis.figures.funnel import plot_reached, plot_segments, plot_stage_rates, plot_waterfall
from crm_analysis.figures.funnel_time import plot_by_age
from crm_analysis.figures.rows import HALF
from crm_analysis.funnel import aalen_johansen, compare, count_stages, side_by_side
from crm_analysis.report.figure_words import translate
from crm_analysis.report.text import Catalogue, read_catalogue

STAGES = ["Lead", "Qualified", "Proposal", "Negotiation", "Won"]
A = count_stages([10000, 3000, 1500, 600, 240], stages=STAGES)
B = count_stages([10000, 3200, 800, 310, 120], stages=STAGES)
GAP = compare(A, B)
STEPS = list(GAP.stages.index)


@pytest.fixture(autouse=True)
def style():
    with mpl.rc_context():
        use_style()
        yield
    plt.close("all")


def test_a_dollar_sign_in_a_name_begins_no_formula():
    ax = plt.subplots()[1]
    ax.set_title("A$^{-1}$ & $$")
    ax.get_figure().canvas.draw()
    assert not ax.title.get_parse_math()


def texts(ax):
    return [text.get_text().strip() for text in ax.texts]


def legend(ax):
    return [text.get_text() for text in ax.get_figure().legends[0].get_texts()]


def waterfall(gap, **names):
    return plot_waterfall(gap.contributions, start=gap.value_b, end=gap.value_a, unit=gap.unit, **names)


def young():
    table = side_by_side({"Firm A": A, "Firm B": B})
    return table.assign(n_not_yet_known=500, not_yet_known_per_1000=50.0)


def test_bars_are_aligned_and_as_long_as_the_counts():
    table = side_by_side({"Firm A": A, "Firm B": B})
    ax = plot_reached(table)
    bars = [bar for container in ax.containers for bar in container]
    assert [bar.get_width() for bar in bars] == pytest.approx(table["per_1000"].tolist())
    assert {bar.get_x() for bar in bars} == {0}
    assert [text for text in texts(ax) if text in STAGES] == STAGES
    assert "24  (n=240)" in texts(ax)
    # The first stage is on top.
    assert ax.get_ylim()[0] > ax.get_ylim()[1]


def test_what_is_not_yet_known_is_hatched_behind_the_bars():
    ax = plot_reached(young())
    solid, hatched = ax.containers[:2]
    assert [bar.get_x() for bar in hatched] == pytest.approx([bar.get_width() for bar in solid])
    assert {bar.get_hatch() for bar in hatched} == {"////"}
    assert {bar.get_width() for bar in hatched} == {50.0}
    assert "hatched: not yet known" in legend(ax)
    assert "hatched: not yet known" not in legend(plot_reached(side_by_side({"Firm A": A})))


def test_dots_and_intervals_are_the_rates():
    ax = plot_stage_rates(GAP.stages, names=("Firm A", "Firm B"))
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    for line, firm in zip(dots, "ab", strict=True):
        assert line.get_xdata() == pytest.approx(GAP.stages[f"rate_{firm}"].to_numpy())
    for bars, firm in zip(ax.collections, "ab", strict=True):
        ends = np.array([segment[:, 0] for segment in bars.get_segments()])
        assert ends == pytest.approx(GAP.stages[[f"low_{firm}", f"high_{firm}"]].to_numpy())


def test_only_what_is_beyond_chance_has_a_star():
    ax = plot_stage_rates(GAP.stages)
    notes = {text.get_text(): text for text in ax.texts if "points" in text.get_text()}
    assert list(notes)[:3] == ["−2.0 points *", "+25.0 points *", "could only have seen ≥ 6.1 points"]
    assert [text.get_weight() for text in notes.values()] == ["bold", "bold", "normal", "normal"]
    assert notes["could only have seen ≥ 6.1 points"].get_color() == "0.45"


@pytest.mark.parametrize(("p", "level", "starred"), [(0.049, 0.95, 1), (0.051, 0.95, 0), (0.051, 0.9, 1)])
def test_the_adjusted_p_decides(p, level, starred):
    ax = plot_stage_rates(GAP.stages.assign(p=0.001, p_holm=p).head(1), level=level)
    assert sum("*" in text for text in texts(ax)) == starred


def test_an_untried_transition_is_drawn_as_an_interval_without_a_dot():
    gap = compare([100, 0, 0], [100, 50, 10])
    ax = plot_stage_rates(gap.stages)
    dots = next(line for line in ax.lines if line.get_marker() == "o")
    assert np.isnan(dots.get_xdata()[1])
    assert ax.collections[0].get_segments()[1][:, 0].tolist() == [0, 1]


@pytest.mark.parametrize("swapped", [False, True])
def test_waterfall_leads_from_one_result_to_the_other(swapped):
    gap = compare(B, A, per="revenue", deal_value_a=5500, deal_value_b=5000) if swapped else GAP
    ax = waterfall(gap, names=("X", "Y"))
    totals, parts = (c for c in ax.containers if hasattr(c, "patches"))
    assert [bar.get_width() for bar in totals] == pytest.approx([gap.value_b, gap.value_a])
    drawn = gap.contributions.drop("Leads")
    assert [bar.get_width() for bar in parts] == pytest.approx(drawn["contribution"].tolist())
    begins = [bar.get_x() for bar in parts]
    ends = [bar.get_x() + bar.get_width() for bar in parts]
    assert begins == pytest.approx([gap.value_b, *ends[:-1]])
    assert ends[-1] == pytest.approx(gap.value_a)
    assert texts(ax)[: len(drawn) + 2] == ["Y", *drawn.index, "X"]
    assert ax.get_xlabel() == gap.unit


def test_waterfall_whiskers_are_the_intervals_around_the_step():
    ax = waterfall(GAP)
    whiskers = next(c for c in ax.containers if not hasattr(c, "patches")).lines[2][0]
    ends = np.array([segment[:, 0] for segment in whiskers.get_segments()])
    drawn = GAP.contributions.drop("Leads")
    before = GAP.value_b + drawn["contribution"].cumsum() - drawn["contribution"]
    assert ends == pytest.approx(drawn[["low", "high"]].add(before, axis=0).to_numpy())
    # No whisker reaches the numbers at the right.
    assert ends.max() < ax.get_xlim()[0] + 0.9 * np.ptp(ax.get_xlim())


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_curves_are_the_shares_where_enough_are_at_risk(outcome):
    days, ended = np.repeat(np.arange(1, 41), 3), ["won", "open", "lost"] * 40
    curve = aalen_johansen(days, outcome=ended)
    table = pd.concat({"Firm A": curve, "Firm B": curve}, names=["firm"]).reset_index()
    ax = plot_by_age(table, outcome=outcome)
    drawn = curve[curve["n_at_risk"] >= 10]
    for line, colour in zip(ax.lines, FIRM_COLOURS[:2], strict=True):
        assert line.get_xdata() == pytest.approx(drawn.index.to_numpy())
        assert line.get_ydata() == pytest.approx(drawn[outcome].to_numpy())
        assert line.get_color() == colour
    assert legend(ax) == ["Firm A (40 still open)", "Firm B (40 still open)"]
    assert ax.get_ylim()[0] == 0


def test_segments_are_dots_as_large_as_their_share():
    table = pd.DataFrame(
        {
            **{"share_a": [0.8, 0.2], "rate_a": [0.1, np.nan], "low_a": [0.05, 0.0], "high_a": [0.2, 1.0]},
            **{"share_b": [0.5, 0.5], "rate_b": [0.3, 0.2], "low_b": [0.2, 0.1], "high_b": [0.4, 0.3]},
        },
        index=["Large", "Small"],
    )
    ax = plot_segments(table)
    dots = [c for c in ax.collections if isinstance(c, mpl.collections.PathCollection)]
    assert dots[0].get_offsets()[0, 0] == pytest.approx(0.1)
    assert dots[0].get_sizes()[0] > dots[1].get_sizes()[0] > dots[0].get_sizes()[1]
    assert texts(ax) == ["Large", "Small", "80% / 50%", "20% / 50%"]


def test_axes_that_are_given_are_drawn_on():
    _, ax = plt.subplots()
    assert plot_waterfall(GAP.contributions, start=120, end=240, ax=ax) is ax
    assert plot_reached(side_by_side({"A": A}), ax=ax) is ax


LONG = ("Northern Provinces Trading", "Southern Provinces Trading")


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_reached(young().replace({"firm": dict(zip(["Firm A", "Firm B"], LONG, strict=True))})),
        lambda: plot_stage_rates(GAP.stages, names=LONG),
        lambda: waterfall(GAP, names=LONG),
    ],
    ids=["reached", "rates", "split"],
)
def test_no_text_is_cut_on_a_phone(draw):
    """As wide as a phone; every text lies inside the figure, names of firms are long."""
    ax = draw()
    figure = ax.get_figure()
    assert figure.get_figwidth() == HALF
    figure.canvas.draw()
    legends = [text for found in figure.legends for text in found.get_texts()]
    drawn = [*ax.texts, ax.xaxis.label, *legends]
    ends = [t.get_window_extent() for t in drawn]
    assert min(end.x0 for end in ends) > -1
    assert max(end.x1 for end in ends) < figure.bbox.width + 1
    names = [t for t in drawn if t.get_text() in STEPS]
    notes = [t for t in drawn if "points" in t.get_text()]
    for name, note in zip(names, notes, strict=False):
        assert name.get_window_extent().x1 < note.get_window_extent().x0


def test_figures_speak_chinese():
    chinese = read_catalogue("zh")
    known = {step: f"{'→'.join(step.split(' to '))}" for step in STEPS}
    text = Catalogue("zh", {**chinese.content, "values": {**chinese.content["values"], **known}})
    for ax in (
        plot_stage_rates(GAP.stages, names=("甲", "乙")),
        waterfall(compare(A, B, per="1000 entrants"), names=("甲", "乙")),
        plot_reached(young()),
    ):
        translate(ax.get_figure(), text)
        said = [t.get_text() for t in ax.get_figure().findobj(mpl.text.Text) if t.get_text()]
        english = ("to ", "points", "wins", "judged", "reached", "went", "known")
        assert not [words for words in said if any(word in words for word in english)]
