"""Purchase models on CDNOW: estimates, forecasts, fits."""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd

import crm_analysis as crm
from crm_analysis.clv.fit import Fit
from published import Published


@cache
def cdnow() -> pd.DataFrame:
    """Customers of the CDNOW sample after 39 weeks, from the raw log: exact days."""
    log = crm.read_transactions(
        "package:lifetimes/datasets/CDNOW_sample.txt",
        columns={"customer_id": "1", "occurred_at": "3", "amount": "5"},
        observed_from="1997-01-01",
        observed_until="1998-06-30",
        header=False,
        delimiter="whitespace",
        closed_cohort=True,
    )
    return crm.split_holdout(log, at="1997-09-30", until="1998-06-30")[0]


@cache
def bg_nbd() -> Fit[Any]:
    """BG/NBD on the 39 weeks."""
    return crm.clv.fit_bg_nbd(cdnow())


EASY_WAY = "Fader, Hardie & Lee (2005), Marketing Science 24(2), table 2"

ROWS = [
    Published(EASY_WAY, "BG/NBD on CDNOW, r", ".243", lambda: bg_nbd().model.r),
    Published(EASY_WAY, "BG/NBD on CDNOW, alpha", "4.414", lambda: bg_nbd().model.alpha),
    Published(EASY_WAY, "BG/NBD on CDNOW, a", ".793", lambda: bg_nbd().model.a),
    Published(EASY_WAY, "BG/NBD on CDNOW, b", "2.426", lambda: bg_nbd().model.b),
    Published(EASY_WAY, "BG/NBD on CDNOW, log likelihood", "-9582.4", lambda: bg_nbd().log_likelihood),
]
