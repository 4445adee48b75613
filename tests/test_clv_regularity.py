"""Regularity: by hand, against random moments and schedules, in the words of other engines."""

import ibis
import numpy as np
import pandas as pd
import pytest
from clv_cases import cdnow_days

import crm_analysis as crm
from crm_analysis.clv.models.mbg_cnbd import fit_mbg_cnbd
from crm_analysis.clv.models.regularity import _sums, purchase_regularity
from crm_analysis.errors import FitError

COLUMNS = {"customer_id": "customer", "occurred_at": "date", "amount": "amount"}
DATES = {"observed_from": "2020-01-01", "observed_until": "2023-12-31"}


def read(rows, *, closed=True, **asked):
    frame = pd.DataFrame(rows, columns=["customer", "date", "amount"])
    frame["date"] = pd.to_datetime(frame["date"])
    return crm.read_transactions(frame, columns=COLUMNS, closed_cohort=closed, **(DATES | asked))


def _cdnow_days():
    days = cdnow_days()[lambda d: d["date"] <= "1997-09-30"]
    return zip(days["customer_id"], days["date"], strict=True)


def simulated(shape, *, n=400):
    """Purchases every 40 days on average, Gamma of that shape, at a rate of the customer's own."""
    generator, rows = np.random.default_rng(4), []
    for customer in range(n):
        clock, mean = 0.0, generator.gamma(5, 8)
        while clock < 1400:
            day = pd.Timestamp("2020-01-01") + pd.Timedelta(days=int(clock))
            rows.append((f"c{customer}", day, 10.0))
            clock += max(generator.gamma(shape, mean / shape), 1)
    return read(rows)


def test_counted_by_hand():
    """Last two times between: a 10 and 30, b 20 and 20, c 5 and 15; d has only one."""
    rows = [("a", "2020-01-01", 5.0), ("a", "2020-01-31", 5.0), ("a", "2020-02-10", 5.0)]
    rows += [("b", "2020-01-01", 5.0), ("b", "2020-01-05", 5.0)]
    rows += [("b", "2020-01-25", 5.0), ("b", "2020-02-14", 5.0), ("b", "2020-02-14", 7.0)]
    rows += [("c", "2020-03-01", 5.0), ("c", "2020-03-06", 5.0), ("c", "2020-03-21", 5.0)]
    rows += [("d", "2020-03-01", 5.0), ("d", "2020-03-11", 5.0), ("e", "2020-03-01", 5.0)]
    found = purchase_regularity(read(rows))
    variance = np.var([10 / 40, 20 / 40, 15 / 20], ddof=1)
    assert found.k == pytest.approx((1 - 4 * variance) / (8 * variance))
    assert (found.n_customers, found.n_intervals) == (3, 8)
    assert found.log_days == pytest.approx(np.log([30, 10, 4, 20, 20, 5, 15, 10]).sum())


@pytest.mark.parametrize("shape", [1, 2, 5])
def test_finds_the_shape(shape):
    found = purchase_regularity(simulated(shape))
    assert found.low < shape < found.high
    assert found.high - found.low < shape


def test_its_numbers_are_those_of_the_customers_who_are_fitted():
    """Customers who may be older than the log are in neither; k is chosen from both."""
    rows = [(c, d, 1.0) for c, d in _cdnow_days()]
    log = read(rows, observed_from="1997-01-01", observed_until="1997-09-30", burn_in="4 weeks", closed=False)
    customers = crm.summarise_customers(log)
    complete = customers[customers["history_complete"]]
    assert 0 < len(complete) < len(customers)
    found = purchase_regularity(log)
    assert found.n_intervals == complete["n_repeat"].sum()
    assert fit_mbg_cnbd(complete, regularity=found).model.k == 1


def test_other_engines_know_it():
    sql = ibis.to_sql(_sums(read([("a", "2020-01-01", 5.0)])), dialect="postgres")
    assert "LAG" in sql
    assert "LN(" in sql


def test_refuses_where_nobody_bought_on_three_days():
    with pytest.raises(FitError, match="0 customers with complete histories bought on three days or more"):
        purchase_regularity(
            read([("a", "2020-01-01", 5.0), ("b", "2020-01-01", 5.0), ("b", "2020-02-01", 5.0)])
        )
    clockwork = [("a", day, 5.0) for day in ("2020-01-01", "2020-01-08", "2020-01-15")]
    with pytest.raises(FitError, match="the times between their purchases do not differ"):
        purchase_regularity(read(clockwork + [("b", *row[1:]) for row in clockwork]))
