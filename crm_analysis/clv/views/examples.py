"""A few customers, day by day: what the three numbers of a history are, and what a model makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crm_analysis.clv.ahead.season import NO_SEASON, Season
from crm_analysis.clv.worth.value import HORIZON, model_of
from crm_analysis.errors import DataError

if TYPE_CHECKING:
    from crm_analysis.clv.fitting.fit import Fit
    from crm_analysis.clv.models.purchases import PurchaseModel
    from crm_analysis.doors.transactions import Transactions

OFTEN = 3  # repeat purchases, so that a customer has a rhythm
SILENT = 3.0  # usual gaps without a purchase
NEW = 0.1  # of the longest time observed

_SHOWN = ["pattern", "first_at", "n_repeat", "t_last", "t_observed"]


def example_customers(customers: pd.DataFrame, values: pd.DataFrame | None = None) -> pd.DataFrame:
    """Choose customers who show what a history says: often and lately, often then silent, once, new.

    Parameters
    ----------
    customers : first_at, n_repeat, t_last, t_observed; of those with complete histories, where
        `history_complete` says so.
    values : p_alive and p_buy of the same customers, as `value_customers` gives them.

    Returns
    -------
    DataFrame, index customer_id: pattern, first_at, n_repeat, t_last, t_observed and, with `values`, p_alive,
        p_buy. A pattern that no customer has is left out. The same customers give the same choice,
        whatever their order.
    """
    known = customers[customers["history_complete"]] if "history_complete" in customers else customers
    known = known.sort_index()
    chosen = [row.assign(pattern=pattern) for pattern, row in _patterns(known).items() if len(row)]
    table = pd.concat(chosen) if chosen else known.iloc[:0].assign(pattern="")
    table = table[~table.index.duplicated()][_SHOWN]
    return table if values is None else table.join(values[["p_alive", "p_buy"]])


def purchase_days(log: Transactions, *, customers: Sequence[str] | pd.Index) -> pd.Series:
    """Days on which each of a few customers bought, in order: dates, index customer_id."""
    wanted = [str(customer) for customer in customers]
    bought = log.merged.filter(log.merged.n_lines > 0)
    rows = bought.filter(bought.customer_id.isin(wanted)).select("customer_id", "occurred_on").distinct()
    frame = rows.order_by("customer_id", "occurred_on").to_pandas()
    days = pd.to_datetime(frame["occurred_on"]).astype("datetime64[us]")
    return days.set_axis(pd.Index(frame["customer_id"], name="customer_id")).rename("bought_on")


def customer_history(
    purchases: Fit[PurchaseModel] | PurchaseModel,
    days: pd.Series,
    *,
    customer_id: str,
    observed_until: date | str,
    horizon: str = HORIZON,
    season: Season = NO_SEASON,
) -> pd.DataFrame:
    """Say for each day what the model would have said of a customer at its end, knowing no more than then.

    Parameters
    ----------
    days : as `purchase_days` gives them, of this customer and perhaps others.
    horizon : of p_buy, a length from each day, on the season's clock: a whole year is as long on any.
    season : on whose clock the model was fitted; t_last and t_observed are on it, too.

    Returns
    -------
    DataFrame, index date from the first purchase to `observed_until`: bought (bool), n_repeat, t_last,
        t_observed, p_alive, p_buy. The parameters are those of the model given, on every day.

    Raises
    ------
    DataError
        The customer has no purchase until `observed_until`.
    """
    until = pd.Timestamp(observed_until)
    bought_on = pd.DatetimeIndex(days[days.index == customer_id]).normalize().unique().sort_values()
    bought_on = bought_on[bought_on <= until]
    if not len(bought_on):
        raise DataError(
            f"customer_history: customer {customer_id!r} has no purchase until {until:%Y-%m-%d}; "
            "take the days of purchase_days(log, customers=[...])"
        )
    dates = pd.date_range(bought_on[0], until, name="date")
    n_repeat = np.searchsorted(bought_on, dates, side="right") - 1
    days_of, born = dates.to_numpy("datetime64[D]"), bought_on[:1].to_numpy("datetime64[D]")
    ages = np.round(season.elapsed(born, days_of)).astype(int)
    t_last = np.round(season.elapsed(born, bought_on.to_numpy("datetime64[D]"))).astype(int)[n_repeat]
    t_last = np.where(n_repeat > 0, np.maximum(t_last, 1), 0)
    history = pd.DataFrame(
        {
            "bought": dates.isin(bought_on),
            "n_repeat": n_repeat,
            "t_last": t_last,
            "t_observed": np.maximum(ages, t_last),
        },
        dates,
    )
    model = model_of(purchases)
    return history.assign(p_alive=model.p_alive(history), p_buy=model.p_buy(history, horizon=horizon))


def last_silence(history: pd.DataFrame) -> tuple[str, dict[str, float]]:
    """Say what the silence since the last purchase did to the chance of buying.

    Parameters
    ----------
    history : `customer_history`.

    Returns
    -------
    key : "fell" (p_buy was a half or more after the last purchase, and less later), "above" or "below" (it
        has been so ever since).
    values : days of silence; fell_after, days of it after which p_buy was below a half ("fell"); p_alive and
        p_buy at the end, p_buy_then after the last purchase.
    """
    since = history.loc[history.index[history["bought"]].max() :]
    below, first, last = since["p_buy"] < 0.5, since.iloc[0], since.iloc[-1]
    key = "below" if below.iloc[0] else "fell" if below.any() else "above"
    return key, {
        "days": len(since) - 1,
        "fell_after": int(below.to_numpy().argmax()),
        "p_alive": float(last["p_alive"]),
        "p_buy": float(last["p_buy"]),
        "p_buy_then": float(first["p_buy"]),
    }


def _patterns(known: pd.DataFrame) -> dict[str, pd.DataFrame]:
    often = known[known["n_repeat"] >= OFTEN]
    silence = (often["t_observed"] - often["t_last"]) / (often["t_last"] / often["n_repeat"])
    usual = np.clip(often["n_repeat"].median(), OFTEN, 10)
    lately = _nearest(often[silence <= 1], n_repeat=usual, t_observed=often["t_observed"].max())
    like = lately["n_repeat"].iloc[0] if len(lately) else usual
    went = often[silence >= SILENT].assign(silence=silence)
    longest = known["t_observed"].max()
    once = known[(known["n_repeat"] == 0) & (known["t_observed"] >= max(longest / 2, 1))]
    new = known[known["t_observed"] <= NEW * longest]
    return {
        "often, and lately": lately,
        "often, then silent": _nearest(went, n_repeat=like, silence=2 * SILENT),
        "once, long ago": _nearest(once, t_observed=once["t_observed"].median()),
        "new": _nearest(new, n_repeat=0, t_observed=NEW * longest / 2),
    }


def _nearest(rows: pd.DataFrame, **target: float) -> pd.DataFrame:
    """Row whose columns are nearest to the target, compared one after the other."""
    away = pd.DataFrame({name: (rows[name] - value).abs() for name, value in target.items()}, rows.index)
    return rows.loc[away.sort_values([*target], kind="stable").index[:1]]
