"""Large bases: counted in the engine, scored in batches, with the numbers of the small ones."""

import ibis
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from clv_cases import cdnow

from crm_analysis.clv.histories import COLUMNS, distinct_histories, find_histories
from crm_analysis.clv.models.bg_nbd import BgNbd, fit_bg_nbd
from crm_analysis.clv.models.covariate_fits import fit_with_covariates
from crm_analysis.clv.models.dependence import frequency_and_amount
from crm_analysis.clv.models.gamma_gamma import GammaGamma, fit_gamma_gamma
from crm_analysis.clv.models.pareto_nbd import ParetoNbd
from crm_analysis.clv.worth import scoring
from crm_analysis.clv.worth.scoring import count_amounts, count_histories, score_to_parquet
from crm_analysis.clv.worth.value import value_customers
from crm_analysis.errors import ConfigError, DataError

TERMS = {"margin": 0.3, "annual_discount_rate": 0.15}


@pytest.fixture(scope="module")
def customers():
    shares = np.linspace(0.1, 0.5, len(cdnow()))
    return cdnow()[[*COLUMNS, "mean_repeat_amount", "n_paid_repeat"]].assign(share=shares, yearly=shares * 10)


@pytest.fixture(scope="module")
def table(customers):
    return ibis.duckdb.connect().create_table("customers", customers.reset_index())


@pytest.fixture(scope="module")
def models(table):
    return {"purchases": fit_bg_nbd(count_histories(table)), "spend": fit_gamma_gamma(cdnow())}


def read(path) -> pd.DataFrame:
    return pq.read_table(path).to_pandas().set_index("customer_id").sort_index()


def test_counts_of_the_engine_are_those_of_the_customers(table, customers):
    pd.testing.assert_frame_equal(count_histories(table), distinct_histories(customers)[0])


def test_fits_of_counts_are_fits_of_customers(models):
    direct = fit_bg_nbd(cdnow())
    assert models["purchases"].model.parameters == pytest.approx(direct.model.parameters, rel=1e-9)
    assert models["purchases"].n_customers == 2357


def test_amounts_counted_to_two_in_a_thousand_fit_alike(table):
    counted = count_amounts(table)
    assert counted["n_customers"].sum() == 946
    assert len(counted) < 800
    found, exact = fit_gamma_gamma(counted), fit_gamma_gamma(cdnow())
    difference = pd.Series(found.model.parameters) - pd.Series(exact.model.parameters)
    assert (difference.abs() < 1e-4 * exact.standard_errors).all()
    by_count, by_customer = frequency_and_amount(counted), frequency_and_amount(cdnow())
    assert by_count.n_customers == by_customer.n_customers
    assert by_count.correlation == pytest.approx(by_customer.correlation, abs=5e-4)
    assert by_count.low == pytest.approx(by_customer.low, abs=5e-4)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"margin": "share", "horizon": "39 weeks"},
        {"cost_to_serve": "yearly", "cost_per": "year"},
        {
            "horizon": "1999-06-30",
            "observed_until": "1997-09-30",
            "cost_to_serve": 2.0,
            "cost_per": "purchase",
        },
    ],
    ids=["plain", "margins", "yearly costs", "dated"],
)
def test_the_file_holds_what_value_customers_answers(table, customers, models, tmp_path, changed):
    path = tmp_path / "scores.parquet"
    assert score_to_parquet(table, path, **models, **(TERMS | changed), rows=1000) == 2357
    expected = value_customers(customers, **models, **(TERMS | changed))
    pd.testing.assert_frame_equal(read(path), expected, check_index_type=False, rtol=1e-12)


def test_too_many_histories_to_hold_are_answered_batch_by_batch(
    table, customers, models, tmp_path, monkeypatch
):
    monkeypatch.setattr(scoring, "HELD", 100)
    score_to_parquet(table, tmp_path / "scores.parquet", **models, **TERMS, rows=900)
    expected = value_customers(customers, **models, **TERMS)
    pd.testing.assert_frame_equal(
        read(tmp_path / "scores.parquet"), expected, check_index_type=False, rtol=1e-9
    )


def test_models_with_covariates_score_as_in_memory(table, customers, models, tmp_path):
    fit = fit_with_covariates(BgNbd, customers, covariates=["share"])
    known = {"purchases": fit, "spend": models["spend"]}
    few = customers.iloc[:200]
    asked = table.filter(table.customer_id.isin(list(few.index)))
    score_to_parquet(asked, tmp_path / "scores.parquet", **known, **TERMS, rows=90)
    expected = value_customers(few, **known, **TERMS)
    scored = read(tmp_path / "scores.parquet").loc[few.index]
    pd.testing.assert_frame_equal(scored, expected, check_index_type=False, rtol=1e-9)


def test_customer_ids_stay_text(table, models, tmp_path):
    score_to_parquet(table, tmp_path / "scores.parquet", **models, **TERMS)
    column = pq.read_table(tmp_path / "scores.parquet").column("customer_id")
    assert str(column.type) == "string"
    assert column[0].as_py().startswith("0")


def test_bare_models_score_and_an_empty_base_is_an_empty_file(table, tmp_path):
    models = {
        "purchases": ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.669),
        "spend": GammaGamma(p=6.25, q=3.74, gamma=15.44),
    }
    assert score_to_parquet(table.limit(0), tmp_path / "none.parquet", **models, **TERMS) == 0
    empty = read(tmp_path / "none.parquet")
    assert len(empty) == 0
    assert score_to_parquet(table.limit(7), tmp_path / "few.parquet", **models, **TERMS) == 7
    assert list(read(tmp_path / "few.parquet").columns) == list(empty.columns)


def test_a_file_that_cannot_be_finished_leaves_the_older_one(table, models, tmp_path):
    path = tmp_path / "scores.parquet"
    path.write_text("older")
    bad = table.mutate(share=ibis.ifelse(table.customer_id == "2000", 30.0, table.share))
    with pytest.raises(ConfigError, match=r"margin 30\.0"):
        score_to_parquet(bad, path, **models, **(TERMS | {"margin": "share"}), rows=100)
    assert path.read_text() == "older"
    assert [file.name for file in tmp_path.iterdir()] == ["scores.parquet"]


def test_refuses_a_table_without_what_is_needed(table, models, tmp_path):
    with pytest.raises(DataError, match=r"no column \['n_repeat'\]; columns present"):
        count_histories(table.drop("n_repeat"))
    with pytest.raises(DataError, match=r"no column \['profit'\]"):
        score_to_parquet(table, tmp_path / "x", **models, **(TERMS | {"margin": "profit"}))
    with pytest.raises(DataError, match=r"t_last exceeds t_observed in \d+ of"):
        count_histories(table.mutate(t_observed=ibis.literal(1)))


def test_customers_find_their_history_or_are_told(customers):
    distinct, row = distinct_histories(customers)
    np.testing.assert_array_equal(find_histories(distinct, customers), row)
    other = customers.iloc[:2].assign(n_repeat=[1, 1], t_last=[1, 3], t_observed=[5, 500])
    with pytest.raises(DataError, match=r"not among those counted in 2 of 2 rows, first customer '0001'"):
        find_histories(distinct, other)
