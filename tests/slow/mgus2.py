"""Shares by age and Gray's test on the data of R's survival vignette on competing risks; by hand.

python tests/slow/mgus2.py mgus2.csv

The file has the columns of `survival::mgus2` (R: write.csv(survival::mgus2, "mgus2.csv")); the data come with
R, and with Python packages under the GPL, so that they are not kept here.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from crm_analysis.funnel import Incidence, aalen_johansen, gray_test

# R 4.2.2, survival 3.5-3 and cmprsk 2.2-11: share with malignancy ("won" here), its error, share who died.
PRINTED = {
    60: (0.034103713, 0.00488925791, 0.32036701),
    120: (0.063722168, 0.00679684842, 0.531817704),
    240: (0.0998137159, 0.00978484679, 0.724027976),
    360: (0.1340416443, 0.02012756251, 0.784208247),
}
GRAY = {"won": (1.19450783, 0.274422156788), "lost": (11.65125901, 0.000641590976)}


def read(path: str) -> pd.DataFrame:
    """Months until malignancy, death or the last visit, and which of them it was."""
    patients = pd.read_csv(path)
    ill = patients["pstat"] == 1
    return pd.DataFrame(
        {
            "sex": patients["sex"],
            "age_days": np.where(ill, patients["ptime"], patients["futime"]),
            "outcome": np.where(ill, "won", np.where(patients["death"] == 1, "lost", "open")),
            "n": 1,
        }
    )


def incidence_of(ends: pd.DataFrame) -> Incidence:
    """Incidence that carries nothing but its ends and curve."""
    curve = aalen_johansen(ends["age_days"], outcome=ends["outcome"])
    none = pd.DataFrame()
    last = int(curve.index[-1])
    return Incidence(none, curve, last, curve.iloc[-1], np.nan, none, len(ends), 0, 0, 0.95, ends)


def main() -> None:
    """Compare with what is printed; an error where a digit differs."""
    ends = read(sys.argv[1])
    whole = incidence_of(ends)
    for month, printed in PRINTED.items():
        row = whole.curve.loc[:month, ["won", "won_se", "lost"]].iloc[-1]
        assert row.tolist() == pytest.approx(printed, abs=5e-10), month
    sexes = {sex: replace(whole, ends=of_sex) for sex, of_sex in ends.groupby("sex")}
    for outcome, (statistic, p) in GRAY.items():
        found = gray_test(sexes, outcome=outcome)
        assert (found.statistic, found.p) == pytest.approx((statistic, p), rel=1e-8), outcome
    sys.stdout.write(f"{len(ends)} patients: all {3 * len(PRINTED) + 2 * len(GRAY)} numbers as printed\n")


if __name__ == "__main__":
    main()
