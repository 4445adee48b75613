"""lifetimes fits the same customers to the same estimates; its column names come and go without loss."""

import warnings

import pandas as pd
import pytest
from clv_cases import cdnow, lifetimes_file

from crm_analysis.clv.models.bg_nbd import fit_bg_nbd
from crm_analysis.clv.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.clv.models.pareto_nbd import fit_pareto_nbd
from crm_analysis.clv.models.second_opinion import compare_with_lifetimes, from_lifetimes, to_lifetimes
from crm_analysis.errors import ConfigError, DataError

FITS = [(fit_bg_nbd, 1e-3), (fit_pareto_nbd, 1e-2), (fit_gamma_gamma, 1e-3)]


@pytest.mark.parametrize(("fit", "tolerance"), FITS, ids=["BG/NBD", "Pareto/NBD", "Gamma-Gamma"])
def test_lifetimes_agrees(fit, tolerance):
    """The tolerance is that of its optimiser; ours is never the lower likelihood."""
    fitted = fit(cdnow())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = compare_with_lifetimes(fitted, cdnow())
    assert list(table.columns) == ["ours", "lifetimes", "difference"]
    assert table["ours"].iloc[:-1].to_dict() == fitted.model.parameters
    assert table["difference"].iloc[:-1].abs().max() < tolerance
    assert -1e-9 < table.loc["log likelihood", "difference"] < 1e-3


def test_agrees_on_real_rates_of_another_unit():
    fitted = fit_bg_nbd(cdnow("1998-06-30"), unit="1D")
    table = compare_with_lifetimes(fitted, cdnow("1998-06-30"))
    assert -1e-9 < table.loc["log likelihood", "difference"] < 1e-2


def test_summary_of_lifetimes_comes_back_in_days():
    """Its weeks are rounded to two decimals; back in whole days the likelihood is the exact one."""
    summary = pd.read_csv(lifetimes_file("cdnow_customers_summary.csv"), index_col=0)
    customers = from_lifetimes(summary, unit="7D")
    columns = ["n_repeat", "t_last", "t_observed"]
    ours = cdnow()[columns].sort_values(columns).to_numpy()
    assert (customers[columns].sort_values(columns).to_numpy() == ours).all()
    assert fit_bg_nbd(customers).log_likelihood == pytest.approx(-9582.429207, abs=1e-6)


def test_there_and_back_again():
    summary = to_lifetimes(cdnow(), unit="7D")
    assert list(summary.columns) == ["frequency", "recency", "T", "monetary_value"]
    assert summary["T"].max() == pytest.approx(272 / 7)
    back = from_lifetimes(summary, unit="7D")
    pd.testing.assert_frame_equal(
        back, cdnow()[list(back.columns)], check_dtype=False, check_index_type=False
    )


def test_no_amount_of_lifetimes_is_no_paid_repeat():
    summary = pd.DataFrame(
        {"frequency": [2, 3], "recency": [4.0, 5.0], "T": [9.0, 9.0], "monetary_value": [0.0, 7.5]}
    )
    customers = from_lifetimes(summary, unit="7D")
    assert customers["n_paid_repeat"].tolist() == [0, 3]
    assert customers["mean_repeat_amount"].isna().tolist() == [True, False]
    assert customers["t_last"].tolist() == [28, 35]


def test_refuses_a_wrong_unit_and_models_it_lacks():
    summary = to_lifetimes(cdnow(), unit="7D")
    with pytest.raises(DataError, match="days off a whole day; is that the unit"):
        from_lifetimes(summary, unit="30D")
    with pytest.raises(DataError, match=r"no column \['T'\]"):
        from_lifetimes(summary.drop(columns="T"), unit="7D")
    with pytest.raises(ConfigError, match="expected a number of days"):
        to_lifetimes(cdnow(), unit="W")
