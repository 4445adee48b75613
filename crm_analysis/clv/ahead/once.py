"""Customers who bought once: what each model makes of them, and what those of a day in the past then did.

Their whole history is one purchase and a silence. BG/NBD lets nobody leave before a second purchase and so
takes all of them for customers still; MBG/NBD and Pareto/NBD let them leave at once, or at any time. Which of
these is right nobody can see. Whether they buy again can be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from crm_analysis.clv.ahead.choice import Choice
from crm_analysis.clv.ahead.holdout import holdout_horizon
from crm_analysis.clv.worth.value import HORIZON


@dataclass(frozen=True)
class OnceOnly:
    """What the models say of the customers with complete histories who bought on one day only.

    table : one row per model: p_alive and p_buy (12 months) on average today; share_expected, mean chance of
        buying that it gave at the last origin to those who had bought once by then, and share_bought of them.
    n, share : customers who bought once, and their share of all; n_then : of them at the last origin.
    """

    table: pd.DataFrame
    n: int
    share: float
    n_then: int

    @property
    def kind(self) -> str:
        """What can be said: "nobody" (bought once), "untested" (no origin with a model) or "tested"."""
        tried = self.n_then and self.table["share_expected"].notna().any()
        return "nobody" if not self.n else "tested" if tried else "untested"

    @property
    def values(self) -> dict[str, float]:
        """Numbers for a sentence: n, share, n_then, share_bought; the lowest and highest answers."""
        ends = {
            f"{name}_{end}": float(getattr(self.table[name], of)())
            for name in ("p_alive", "p_buy", "share_expected")
            for end, of in (("low", "min"), ("high", "max"))
        }
        counts = {"n": self.n, "share": self.share, "n_then": self.n_then}
        return {**counts, "share_bought": float(self.table["share_bought"].max()), **ends}

    def of(self, model: str | None) -> dict[str, Any]:
        """Numbers for a sentence about one model: model, n, share, and its mean p_alive and p_buy."""
        numbers: dict[str, Any] = {"model": model, "n": self.n, "share": self.share}
        if model is not None and model in self.table.index:
            numbers |= {name: float(self.table[name][model]) for name in ("p_alive", "p_buy")}
        return numbers


def once_only(choice: Choice) -> OnceOnly:
    """Set what every model says of customers who bought once beside what such customers did before."""
    once, then = _once(choice.fitted), pd.DataFrame()
    bought, said = float("nan"), {}
    if choice.origins:
        last = choice.origins[-1]
        then = _once(last.calibration)
        holdout, horizon = last.holdout, holdout_horizon(last.holdout)
        bought = float((holdout.loc[then.index, "n_holdout"] > 0).mean())
        said = {
            name: fit.model.p_buy(then, horizon=horizon).mean() for name, fit in last.models.purchases.items()
        }
    rows = {
        name: {
            "p_alive": fit.model.p_alive(once).mean(),
            "p_buy": fit.model.p_buy(once, horizon=HORIZON).mean(),
            "share_expected": said.get(name, float("nan")),
            "share_bought": bought,
        }
        for name, fit in choice.models.purchases.items()
    }
    columns = ["p_alive", "p_buy", "share_expected", "share_bought"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("model").astype(float)
    return OnceOnly(table, len(once), len(once) / max(len(choice.fitted), 1), len(then))


def _once(customers: pd.DataFrame) -> pd.DataFrame:
    return customers[customers["n_repeat"] == 0]
