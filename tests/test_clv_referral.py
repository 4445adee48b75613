"""Who brings customers: counted by hand, the published tenths, refusals."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.clv.plans.referral import referral_matrix, referral_value
from crm_analysis.errors import ConfigError, DataError

# Ann brought one who would not have come (worth 300) and one who would have (20 saved), ten paid for each;
# the second joins in a year. Bob brought one who would have come and paid 30 for it.
REFERRALS = pd.DataFrame(
    {
        "referrer": ["ann", "ann", "bob"],
        "would_have_come": [False, True, True],
        "value": [300.0, 500.0, 900.0],
        "acquisition_saved": [40.0, 21.0, 15.0],
        "reward": [10.0, 10.0, 30.0],
        "years_until": [0, 1, 0],
    }
)
# Mean value and referral value per tenth of a telecom firm's customers: Kumar, Petersen & Leone (2007).
TENTHS = pd.DataFrame(
    {
        "clv": [1933, 1067, 633, 360, 313, 230, 190, 160, 137, 120],
        "referral_value": [40, 52, 90, 750, 930, 1020, 870, 96, 65, 46],
    },
    range(1, 11),
)


class TestValue:
    def test_two_referrers_by_hand(self):
        table = referral_value(REFERRALS, annual_discount_rate=0.1)
        ann, bob = table.loc["ann"], table.loc["bob"]
        assert ann[["n_type_1", "n_type_2"]].tolist() == [1, 1]
        assert ann[["type_1_value", "type_2_value", "referral_value"]].tolist() == pytest.approx(
            [290, 10, 300]
        )
        assert bob.tolist() == [0, 1, 0, -15, -15]

    def test_who_counts_all_as_type_1_sees_too_much(self):
        all_new = REFERRALS.assign(would_have_come=False)
        true, claimed = (
            referral_value(table, annual_discount_rate=0.1)["referral_value"]
            for table in (REFERRALS, all_new)
        )
        assert (claimed > true).all()

    def test_rewards_and_years_take_off(self):
        later = referral_value(REFERRALS.assign(years_until=2), annual_discount_rate=0.1)
        now = referral_value(REFERRALS.assign(years_until=0), annual_discount_rate=0.1)
        assert (later["referral_value"] / now["referral_value"]).tolist() == pytest.approx([1.21**-1] * 2)

    def test_refused(self):
        with pytest.raises(DataError, match=r"no column \['reward'\]"):
            referral_value(REFERRALS.drop(columns="reward"), annual_discount_rate=0.1)
        with pytest.raises(DataError, match="1 of 3 rows lack a value"):
            referral_value(REFERRALS.replace({"value": {300.0: np.nan}}), annual_discount_rate=0.1)


class TestMatrix:
    def test_tenths_of_a_telecom_firm(self):
        cells, table = referral_matrix(TENTHS, value="clv", cut_points={"clv": 300, "referral_value": 500})
        assert cells.tolist() == ["Affluents"] * 3 + ["Champions"] * 2 + ["Advocates"] * 2 + ["Misers"] * 3
        assert table["n_customers"].to_dict() == {"Champions": 2, "Affluents": 3, "Advocates": 2, "Misers": 3}
        assert table.loc["Affluents", "clv"] == pytest.approx((1933 + 1067 + 633) / 3)
        assert table["share_of_all"].sum() == pytest.approx(1)
        total = table["n_customers"] @ table[["clv", "referral_value"]]
        assert total.tolist() == TENTHS.sum().tolist()

    def test_medians_halve_both_sides(self):
        cells, _ = referral_matrix(TENTHS, value="clv")
        assert cells.isin(["Champions", "Affluents"]).sum() == 5
        assert cells.isin(["Champions", "Advocates"]).sum() == 5

    def test_cut_points_of_one_s_own_and_empty_cells(self):
        _, table = referral_matrix(TENTHS, value="clv", cut_points={"clv": 0, "referral_value": 5000})
        assert table["n_customers"].tolist() == [0, 10, 0, 0]
        assert table.loc["Champions", ["clv", "referral_value"]].isna().all()

    def test_refused(self):
        with pytest.raises(DataError, match="1 of 10 customers lack a value"):
            referral_matrix(TENTHS.replace({"clv": {1933: np.nan}}), value="clv")
        with pytest.raises(DataError, match="0 of 0 customers"):
            referral_matrix(TENTHS[:0], value="clv")
        with pytest.raises(DataError, match=r"no column \['worth'\]"):
            referral_matrix(TENTHS, value="worth")
        with pytest.raises(ConfigError, match=r"cut_points: \['clv'\]; expected"):
            referral_matrix(TENTHS, value="clv", cut_points={"clv": 1})
