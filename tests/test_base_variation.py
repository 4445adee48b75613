import numpy as np
import pandas as pd
import pytest

from crm_analysis.base import change_on_last_year
from crm_analysis.errors import DataError

MONTHS = pd.period_range("2022-01", "2025-12", freq="M")


def history(revenue: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "start": MONTHS.start_time,
            "end": MONTHS.end_time.normalize(),
            "complete": True,
            "revenue": revenue,
        },
        index=pd.Index(MONTHS.astype(str), name="label"),
    )


@pytest.fixture
def seasonal():
    """Strong season, and growth of 10% a year up to a jitter of 2%."""
    rng = np.random.default_rng(1)
    season = np.tile(np.linspace(50, 200, 12), 4)
    return season * 1.1 ** np.repeat(range(4), 12) * np.exp(rng.normal(0, 0.02, 48))


def test_steady_growth_is_usual_however_strong_the_season(seasonal):
    change = change_on_last_year(history(seasonal), label="2025-12")
    assert change.judgement == "usual"
    assert change.change == pytest.approx(seasonal[-1] / seasonal[-13] - 1)
    assert change.low < 0.1 < change.high
    assert change.n_earlier == 35


@pytest.mark.parametrize(("factor", "judgement"), [(0.8, "below"), (1.3, "above")])
def test_a_jump_beyond_the_usual_range_is_called_so(seasonal, factor, judgement):
    seasonal[-1] *= factor
    assert change_on_last_year(history(seasonal), label="2025-12").judgement == judgement


def test_the_range_is_that_of_a_new_draw():
    """Ratios 1.1 and 1.2 in turn: mean and deviation of their logarithms, widened for the estimated mean."""
    logs = np.log(np.tile([1.1, 1.2], 18))
    revenue = np.ones(48)
    for k in range(12, 48):
        revenue[k] = revenue[k - 12] * np.exp(logs[k - 12])
    change = change_on_last_year(history(revenue), label="2025-12")
    half = 2 * logs[:35].std(ddof=1) * np.sqrt(1 + 1 / 35)
    assert np.log1p(change.high) == pytest.approx(logs[:35].mean() + half)
    assert np.log1p(change.low) == pytest.approx(logs[:35].mean() - half)


def test_without_enough_earlier_changes_nothing_is_judged(seasonal):
    change = change_on_last_year(history(seasonal), label="2023-05")
    assert (change.judgement, change.n_earlier) == ("unknown", 4)
    assert np.isfinite(change.change)
    assert np.isnan(change.low)


def test_incomplete_periods_are_compared_with_nothing(seasonal):
    table = history(seasonal).assign(complete=lambda t: t.index != "2024-12")
    assert change_on_last_year(table, label="2025-12").judgement == "unknown"


def test_a_period_outside_the_history_is_refused(seasonal):
    with pytest.raises(DataError, match="no period '2026-01'; it holds '2022-01' to '2025-12'"):
        change_on_last_year(history(seasonal), label="2026-01")
