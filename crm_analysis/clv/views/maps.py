"""What a model says of every history that a customer could have: P(alive), P(buy), value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crm_analysis.clv.worth.value import HORIZON, model_of
from crm_analysis.errors import ConfigError, DataError

if TYPE_CHECKING:
    from crm_analysis.clv.fitting.fit import Fit
    from crm_analysis.clv.models.purchases import PurchaseModel

FEWEST_REPEATS, MOST_REPEATS = 5, 40


def alive_map(
    purchases: Fit[PurchaseModel] | PurchaseModel,
    customers: pd.DataFrame,
    *,
    horizon: str = HORIZON,
    t_observed: int | None = None,
    up_to: int | None = None,
    steps: int = 40,
) -> pd.DataFrame:
    """P(alive) and P(buy) over repeat purchases and days since the last one, of a customer of one age.

    Parameters
    ----------
    customers : the base; its longest t_observed is the age unless `t_observed` is given, its 99th percentile
        of n_repeat (5 to 40) the largest number unless `up_to` is.
    horizon : of p_buy, a length.
    steps : cells from 0 to t_observed; each is evaluated at the whole day in its middle.

    Returns
    -------
    DataFrame, one row per cell: n_repeat, days_since_last, t_last, t_observed, p_alive, p_buy, and
        n_customers of the base in the cell, whatever their own age. Cells with more purchases than days
        are left out. Who bought once has been silent for as long as observed: there t_observed is
        days_since_last.
    """
    cells = _cells(customers, since=0, t_observed=t_observed, up_to=up_to, steps=steps)
    model = model_of(purchases)
    answers = {"p_alive": model.p_alive(cells), "p_buy": model.p_buy(cells, horizon=horizon)}
    return cells.assign(**answers, n_customers=_base(customers, cells))


def value_map(
    purchases: Fit[PurchaseModel] | PurchaseModel,
    customers: pd.DataFrame,
    *,
    annual_discount_rate: float,
    per_purchase: float = 1.0,
    horizon: str | None = None,
    t_observed: int | None = None,
    up_to: int | None = None,
    steps: int = 60,
) -> pd.DataFrame:
    """Value over repeat purchases and days since the last one, of customers of one age who came back.

    Parameters
    ----------
    customers, t_observed, up_to, steps : as for `alive_map`.
    per_purchase : what a purchase earns, amount times margin; by default values are discounted purchases.
    horizon : a length, or None for everything from now on.

    Returns
    -------
    DataFrame, one row per cell: n_repeat (1 and more), days_since_last, t_last, t_observed, value,
        n_customers.

    Source of the picture: Fader, Hardie & Lee (2005), Journal of Marketing Research 42, "RFM and CLV: Using
    iso-value curves for customer base analysis".
    """
    if not 0 < per_purchase < np.inf:
        raise ConfigError(f"value_map: per_purchase {per_purchase}: expected what a purchase earns, above 0")
    cells = _cells(customers, since=1, t_observed=t_observed, up_to=up_to, steps=steps)
    discounted = model_of(purchases).discounted_purchases(
        cells, annual_discount_rate=annual_discount_rate, horizon=horizon
    )
    return cells.assign(value=per_purchase * discounted, n_customers=_base(customers, cells))


def paradox(table: pd.DataFrame) -> tuple[str, dict[str, float]]:
    """Find where more purchases mean less value: the silence at which the most value is lost by them.

    A long silence says more of somebody who used to buy often than of somebody who always bought seldom.

    Parameters
    ----------
    table : `value_map`.

    Returns
    -------
    key, "less" or "none" (every purchase more adds value); values: days_since_last, few and many (n_repeat of
    the most valuable and of the most frequent), value_few, value_many, change (value_many / value_few - 1).
    """
    rows = table.groupby("days_since_last")
    best, most = (table.loc[rows[name].idxmax()].to_dict("list") for name in ("value", "n_repeat"))
    lost = np.array(best["value"]) - np.array(most["value"])
    if not (lost > 0).any():
        return "none", {}
    worst = int(lost.argmax())
    return "less", {
        "days_since_last": best["days_since_last"][worst],
        "few": best["n_repeat"][worst],
        "many": most["n_repeat"][worst],
        "value_few": best["value"][worst],
        "value_many": most["value"][worst],
        "change": -float(lost[worst]) / best["value"][worst],
    }


def _cells(
    customers: pd.DataFrame, *, since: int, t_observed: int | None, up_to: int | None, steps: int
) -> pd.DataFrame:
    """Histories in the middle of each cell; possible ones only: a purchase a day at most."""
    if customers.empty and (t_observed is None or up_to is None):
        raise DataError("map of histories: no customers; give t_observed and up_to, or customers")
    age = int(customers["t_observed"].max() if t_observed is None else t_observed)
    most = up_to
    if most is None:
        most = int(np.clip(customers["n_repeat"].quantile(0.99), FEWEST_REPEATS, MOST_REPEATS))
    width = -(-(age + 1) // steps)
    begins = np.arange(0, age + 1, width)
    middles = (begins + np.minimum(begins + width, age + 1)) // 2
    grid = pd.MultiIndex.from_product(
        [range(since, most + 1), middles], names=["n_repeat", "days_since_last"]
    )
    cells = grid.to_frame(index=False)
    once = cells["n_repeat"] == 0
    cells["t_observed"] = cells["days_since_last"].where(once, age)
    cells["t_last"] = cells["t_observed"] - cells["days_since_last"]
    possible = cells[once | (cells["t_last"] >= cells["n_repeat"])]
    return possible[["n_repeat", "days_since_last", "t_last", "t_observed"]].reset_index(drop=True)


def _base(customers: pd.DataFrame, cells: pd.DataFrame) -> pd.Series:
    """Count the customers nearest to each cell; some have more purchases, or a longer silence, than any."""
    if cells.empty or customers.empty:
        return pd.Series(0, cells.index)
    silence = customers["t_observed"] - customers["t_last"]
    here = (silence <= cells["t_observed"].max()).to_numpy()
    middles = np.unique(cells["days_since_last"])
    nearest = middles[np.searchsorted((middles[1:] + middles[:-1]) / 2, silence[here])]
    counts = pd.Index(zip(customers["n_repeat"][here], nearest, strict=True)).value_counts()
    return pd.Series(
        [counts.get(cell, 0) for cell in zip(cells["n_repeat"], cells["days_since_last"], strict=True)],
        cells.index,
    )
