"""Whom to contact first: gains and lift by score, the profit of stopping after each group, break-even."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError


def break_even_rate(*, cost_per_contact: float, margin: float) -> float:
    """Response rate at which contacts pay: cost per contact / margin per responder.

    Raises
    ------
    ConfigError
        The margin is not above 0, or the cost is below 0.
    """
    if not margin > 0 or not cost_per_contact >= 0:
        raise ConfigError(
            f"break_even_rate: cost_per_contact={cost_per_contact}, margin={margin}; expected it above 0"
        )
    return cost_per_contact / margin


def break_even_index(rate: float, *, break_even: float) -> float:
    """Return how far a response rate lies above (below 0: under) break-even, in percent of it.

    Source: Kumar & Reinartz, Customer Relationship Management.
    """
    return (rate - break_even) / break_even * 100


def gains(
    responded: pd.Series | np.ndarray,
    score: pd.Series | np.ndarray,
    *,
    bins: int = 10,
    cost_per_contact: float | None = None,
    margin: float | None = None,
) -> pd.DataFrame:
    """Response by score, the highest first; customers with equal scores are never parted.

    Parameters
    ----------
    responded : whether each customer responded.
    score : the higher, the sooner contacted.
    cost_per_contact, margin : per contact and per responder, for the profit.

    Returns
    -------
    DataFrame, index bin (1: highest scores): n, n_responders, response_rate; of all up to this bin:
    cum_n, cum_share, cum_responders, cum_rate, gains (share of all responders), lift (cum_rate / that of
    all), profit (margin x responders - cost x contacts) and rome (profit / cost) where costs are given.
    Ties make bins uneven, and may empty one, which is left out.

    Raises
    ------
    DataError
        There are no customers, or a score is missing.
    ConfigError
        Only one of cost and margin is given.
    """
    if (cost_per_contact is None) != (margin is None):
        raise ConfigError("gains: give both cost_per_contact= and margin=, or neither")
    y, s = np.asarray(responded, dtype=float), np.asarray(score, dtype=float)
    if not len(y) or np.isnan(s).any() or len(y) != len(s):
        raise DataError(
            f"gains: {len(y)} customers, {len(s)} scores, {int(np.isnan(s).sum())} of them missing"
        )
    rank = pd.Series(-s).rank(method="average").to_numpy()
    place = np.ceil(rank / len(y) * bins).astype(int).clip(1, bins)
    by_bin = pd.DataFrame({"bin": place, "y": y}).groupby("bin")["y"]
    table = pd.DataFrame({"n": by_bin.size(), "n_responders": by_bin.sum()})
    table["n_responders"] = table["n_responders"].astype(int)
    table["response_rate"] = table["n_responders"] / table["n"]
    table["cum_n"], table["cum_responders"] = table["n"].cumsum(), table["n_responders"].cumsum()
    table["cum_share"], table["cum_rate"] = table["cum_n"] / len(y), table["cum_responders"] / table["cum_n"]
    everyone = y.sum()
    table["gains"] = table["cum_responders"] / everyone if everyone else np.nan
    table["lift"] = table["cum_rate"] / (everyone / len(y)) if everyone else np.nan
    if cost_per_contact is not None and margin is not None:
        cost = cost_per_contact * table["cum_n"]
        table["profit"] = margin * table["cum_responders"] - cost
        table["rome"] = table["profit"] / cost if cost_per_contact > 0 else np.nan
    return table


def contact_above_break_even(
    responded: pd.Series | np.ndarray,
    probability: pd.Series | np.ndarray,
    *,
    cost_per_contact: float,
    margin: float,
) -> pd.Series:
    """Profit of contacting those whose probability lies above break-even, beside contacting everybody.

    Returns
    -------
    Series: break_even, n_contacted, n_responders, profit, rome, profit_of_all (contacting everybody)
    """
    y, p = np.asarray(responded, dtype=float), np.asarray(probability, dtype=float)
    even = break_even_rate(cost_per_contact=cost_per_contact, margin=margin)
    chosen = p > even
    cost = cost_per_contact * chosen.sum()
    profit = margin * y[chosen].sum() - cost
    return pd.Series(
        {
            "break_even": even,
            "n_contacted": float(chosen.sum()),
            "n_responders": float(y[chosen].sum()),
            "profit": profit,
            "rome": profit / cost if cost > 0 else np.nan,
            "profit_of_all": margin * y.sum() - cost_per_contact * len(y),
        }
    )
