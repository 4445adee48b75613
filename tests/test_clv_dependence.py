"""Rank correlation of frequency and amount: counted rows are as many customers."""

import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow
from scipy.stats import spearmanr

from crm_analysis.clv.models.dependence import frequency_and_amount


def test_correlation_is_spearmans():
    paid = cdnow().query("n_paid_repeat > 0")
    expected = spearmanr(paid["n_paid_repeat"], paid["mean_repeat_amount"]).statistic
    found = frequency_and_amount(cdnow())
    assert found.correlation == pytest.approx(expected, abs=1e-12)
    assert found.kind == "positive"
    assert found.n_customers == 946


def test_rows_that_stand_for_several_are_several():
    generator = np.random.default_rng(2)
    table = pd.DataFrame({"n_paid_repeat": generator.integers(1, 5, 60)})
    table["mean_repeat_amount"] = np.round(table["n_paid_repeat"] + generator.normal(5, 1, 60), 0)
    counted = table.assign(n_customers=generator.integers(1, 6, 60))
    repeated = table.loc[table.index.repeat(counted["n_customers"])]
    one, other = frequency_and_amount(counted), frequency_and_amount(repeated)
    assert one.n_customers == other.n_customers == counted["n_customers"].sum()
    assert (one.correlation, one.low, one.high) == pytest.approx((other.correlation, other.low, other.high))


def test_turning_the_amounts_round_turns_the_sign():
    turned = cdnow().assign(mean_repeat_amount=1 / cdnow()["mean_repeat_amount"])
    found, straight = frequency_and_amount(turned), frequency_and_amount(cdnow())
    assert (found.correlation, found.low, found.high) == pytest.approx(
        (-straight.correlation, -straight.high, -straight.low)
    )
    assert found.kind == "negative"
