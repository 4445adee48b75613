"""Who was contacted, who was left alone for comparison, when, and at what cost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.workspace import parse_length

NEEDED = ["campaign", "customer_id", "treated"]


def assigned(
    contacts: pd.DataFrame,
    *,
    campaigns: pd.DataFrame | None,
    window: str | None,
    cost_per_contact: float | Mapping[str, float] | None,
) -> pd.DataFrame:
    """One row per campaign and customer, with the days in which responses count.

    Parameters
    ----------
    contacts : campaign, customer_id, treated (False: kept as control group); sent_at, unless `campaigns` has
        the dates; cost, reached and responded where known. All rows of one customer in one campaign are one.
    campaigns : campaign, started_at, ended_at (both days belong to it), and cost_per_contact where known:
        everybody of a campaign has these days.
    window : a length from each customer's sent_at on; the control group's, where it has none, is the first.
    cost_per_contact : for all campaigns, or by campaign; else the contacts' own cost, else the campaign's.

    Returns
    -------
    DataFrame: campaign, customer_id, treated, reached, responded (0 or 1 as the contacts say; missing where
    they do not), start, end (days), cost (of the treated, each with a part of the campaign's fixed_cost where
    it has one; 0 for the control group; missing where not known), in the order of the campaigns' first day.

    Raises
    ------
    DataError
        A column is missing, a customer is in both groups of a campaign, a day cannot be known.
    ConfigError
        Neither `campaigns` nor `window` is given.
    """
    rows = _one_per_customer(contacts)
    rows = _with_days(rows, campaigns, window)
    costs = _costs(rows, campaigns, cost_per_contact) + _fixed_costs(rows, campaigns)
    rows["cost"] = costs.where(rows["treated"], 0.0)
    first = rows.groupby("campaign")["start"].transform("min")
    order = rows.assign(first=first).sort_values(["first", "campaign", "customer_id"], kind="stable").index
    columns = ["campaign", "customer_id", "treated", "reached", "responded", "start", "end", "cost"]
    return rows.loc[order, columns].reset_index(drop=True)


def _one_per_customer(contacts: pd.DataFrame) -> pd.DataFrame:
    if missing := [name for name in NEEDED if name not in contacts]:
        raise DataError(f"contacts: no column {missing}; columns present: {list(contacts.columns)}")
    if n := int(contacts[NEEDED].isna().any(axis="columns").sum()):
        raise DataError(f"contacts: {n} of {len(contacts)} rows lack one of {NEEDED}; complete or drop them")
    rows = contacts.assign(treated=contacts["treated"].astype(bool))
    keys = ["campaign", "customer_id"]
    rows["reached"] = rows["treated"] & rows.get("reached", rows["treated"]).fillna(False).astype(bool)
    said = rows["responded"].fillna(False).astype(bool) if "responded" in rows else np.nan
    rows["responded"] = pd.Series(said, rows.index, dtype=float)
    both = rows.groupby(keys)["treated"].nunique().gt(1)
    if both.any():
        raise DataError(
            f"contacts: {both.sum()} customers are both treated and control, first {both.idxmax()}; "
            "a customer is in one group of a campaign"
        )
    how = {"treated": "first", "reached": "max", "responded": "max", "sent_at": "min", "cost": "sum"}
    return rows.groupby(keys, sort=False).agg({k: v for k, v in how.items() if k in rows}).reset_index()


def _with_days(rows: pd.DataFrame, campaigns: pd.DataFrame | None, window: str | None) -> pd.DataFrame:
    if campaigns is not None:
        known = campaigns.set_index("campaign")
        if unknown := sorted(set(rows["campaign"]) - set(known.index)):
            raise DataError(f"campaigns: no row for {unknown}; campaigns there: {sorted(known.index)}")
        start, end = (_days(rows["campaign"].map(known[name])) for name in ("started_at", "ended_at"))
    elif window is not None:
        if "sent_at" not in rows:
            raise DataError(f"contacts: no column sent_at; columns present: {list(rows.columns)}")
        sent = rows["sent_at"].fillna(rows.groupby("campaign")["sent_at"].transform("min"))
        start = _days(sent)
        end = start + pd.Timedelta(days=max(round(parse_length(window)), 1) - 1)
    else:
        raise ConfigError("campaigns: when do responses count? Give window= such as '60 days', or campaigns=")
    if n := int((start.isna() | end.isna() | (end < start)).sum()):
        raise DataError(f"contacts: {n} of {len(rows)} rows have no day, or end before they start")
    return rows.assign(start=start, end=end)


def _days(values: pd.Series) -> pd.Series:
    return pd.to_datetime(values).astype("datetime64[us]").dt.normalize()


def _costs(
    rows: pd.DataFrame, campaigns: pd.DataFrame | None, given: float | Mapping[str, float] | None
) -> pd.Series:
    if isinstance(given, Mapping):
        return rows["campaign"].map(given).astype(float)
    if given is not None:
        return pd.Series(float(given), rows.index)
    if "cost" in rows:
        return rows["cost"].astype(float)
    if campaigns is not None and "cost_per_contact" in campaigns:
        return rows["campaign"].map(campaigns.set_index("campaign")["cost_per_contact"]).astype(float)
    return pd.Series(np.nan, rows.index)


def _fixed_costs(rows: pd.DataFrame, campaigns: pd.DataFrame | None) -> pd.Series:
    """Fixed cost of the campaign, in equal parts among its treated customers."""
    if campaigns is None or "fixed_cost" not in campaigns:
        return pd.Series(0.0, rows.index)
    fixed = rows["campaign"].map(campaigns.set_index("campaign")["fixed_cost"]).astype(float).fillna(0.0)
    return fixed / rows.groupby("campaign")["treated"].transform("sum").clip(lower=1)


def not_begun(rows: pd.DataFrame, observed_until: dt.date) -> list[str]:
    """Campaigns whose first day lies after the last observed one."""
    first = rows.groupby("campaign", sort=False)["start"].min()
    return [str(name) for name in first.index[first > pd.Timestamp(observed_until)]]
