"""From raw files, through the doors, to the numbers that others published."""

import pytest

import crm_analysis as crm

CDNOW = "package:lifetimes/datasets/CDNOW_sample.txt"


@pytest.fixture(scope="module")
def cdnow():
    """CDNOW sample: master id, sample id, day, number of CDs, dollars; no header."""
    return crm.read_transactions(
        CDNOW,
        columns={"customer_id": "1", "occurred_at": "3", "amount": "5"},
        observed_from="1997-01-01",
        observed_until="1998-06-30",
        header=False,
        delimiter="whitespace",
        closed_cohort=True,
    )


@pytest.fixture(scope="module")
def calibration(cdnow):
    return crm.split_holdout(cdnow, at="1997-09-30", until="1998-06-30")[0]


@pytest.fixture(scope="module")
def bg_nbd(calibration):
    return crm.clv.fit_bg_nbd(calibration, unit="7D")


def test_the_customer_table_is_the_published_summary(cdnow, calibration):
    """Facts of Fader, Hardie & Lee (2005): 2,357 customers, 946 of whom came back within 39 weeks."""
    assert cdnow.n_rows_in == 6919
    assert len(calibration) == 2357
    assert (calibration["n_repeat"] > 0).sum() == 946
    assert calibration["n_repeat"].sum() == 2457
    assert calibration["t_observed"].max() == 272


def test_a_purchase_for_nothing_is_a_purchase(cdnow, calibration):
    """Eight customers bought once, for 0.00; without them the log likelihood is not the published one."""
    for_nothing = calibration.query("n_repeat == 0 and total_amount == 0")
    assert len(for_nothing) == 8
    others = crm.clv.fit_bg_nbd(calibration.drop(for_nothing.index), unit="7D")
    assert others.log_likelihood == pytest.approx(-9578.2, abs=0.05)


def test_the_holdout_is_the_published_one(cdnow, bg_nbd):
    """1,882 purchases by 684 of the 2,357 customers in the 39 weeks after."""
    calibration, holdout = crm.split_holdout(cdnow, at="1997-09-30", until="1998-06-30")
    assert holdout["n_holdout"].sum() == 1882
    assert (holdout["n_holdout"] > 0).sum() == 684
    assert bg_nbd.model.expected_purchases(calibration, horizon="39 weeks").sum() == pytest.approx(
        1653.4, abs=0.1
    )


def test_the_master_log_reads_as_its_facts_say():
    log = crm.read_transactions(
        "package:lifetimes/datasets/CDNOW_master.txt",
        columns={"customer_id": "customer_id", "occurred_at": "date", "amount": "dollar_value"},
        observed_from="1997-01-01",
        observed_until="1998-06-30",
        delimiter="whitespace",
        closed_cohort=True,
    )
    assert log.n_rows_in == 69_659
    defects = {defect.name: defect.n_rows for defect in log.verdict.defects}
    assert defects == {"amount zero": 80, "exact duplicate": 255}
    customers = crm.summarise_customers(log)
    assert len(customers) == 23_570
    assert customers["total_amount"].sum() == pytest.approx(2_500_315.63, abs=0.005)
    assert (customers["n_repeat"] > 0).mean() == pytest.approx(0.488587, abs=1e-6)
