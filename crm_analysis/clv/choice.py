"""Which purchase model to use for a customer base, by a stated rule, and whether it beats a rule of thumb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crm_analysis.clv.fit import Fit
from crm_analysis.clv.gamma_gamma import GammaGamma
from crm_analysis.clv.holdout import HoldoutQuality, evaluate_holdout
from crm_analysis.clv.look_back import LookBack, longest_look_back
from crm_analysis.clv.outlook import LEAVING, MODELS, Models, fit_models
from crm_analysis.clv.purchases import PurchaseModel
from crm_analysis.customers import split_holdout

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions

NOT_FOR_ONCE = "BG/NBD"  # takes everybody who bought once for a customer still


@dataclass(frozen=True)
class Choice:
    """The models used, and what is needed to doubt the choice.

    name, purchases, spend : the purchase model by name, its fit, the spend model's; None where the customers
        determine none.
    reason : "only one", "bought once", "log score", "log likelihood" (no holdout), "nobody leaves" or "none".
    share_once : of the customers with complete histories, those who bought on one day only.
    look_back, quality : the holdout that decided, and what it says of the models; None without one.
    models : every model fitted to the complete histories, and why the others were not.
    n_fitted : customers with complete histories.
    """

    name: str | None
    purchases: Fit[PurchaseModel] | None
    spend: Fit[GammaGamma] | None
    reason: str
    share_once: float
    look_back: LookBack | None
    quality: HoldoutQuality | None
    models: Models
    n_fitted: int

    @property
    def usable(self) -> bool:
        """Whether customers can be valued: both models were fitted."""
        return self.purchases is not None and self.spend is not None

    @property
    def headline(self) -> str:
        """Key of the sentence that leads the page."""
        if not self.usable:
            return "headline_no_model"
        return "headline" if self.name in LEAVING else "headline_nobody_leaves"

    @property
    def tested(self) -> bool:
        """Whether the model chosen was tried in the holdout."""
        return self.quality is not None and self.name in self.quality.metrics.index

    def metrics(self, words: Callable[..., str] | None = None) -> pd.DataFrame:
        """Metrics of the holdout, index model; empty where the model chosen was not tried in one.

        Parameters
        ----------
        words : gives a rule of thumb its name, from "rule_alike", "rule_before" or "rule_hiatus" and `days`.
        """
        if self.quality is None or not self.tested:
            return pd.DataFrame()
        table, days = self.quality.metrics, self.quality.hiatus_days
        rules = [row for row in table.index if row not in MODELS]
        named = {
            row: words(f"rule_{key}", days=days) if words else row
            for row, key in zip(rules, ("alike", "before", "hiatus"), strict=True)
        }
        return table.rename(index=named).rename_axis("model")

    @property
    def tried(self) -> list[str]:
        """Models tried in the holdout, the one chosen first; NBD only where it is the one."""
        rows = self.quality.metrics.index if self.quality else ()
        names = [name for name in MODELS if name in rows and name in (self.name, *LEAVING)]
        return sorted(names, key=lambda name: name != self.name)

    @property
    def buyers(self) -> dict[str, float]:
        """Buyers in the holdout: expected_buyers (sum of P(buys), by the model chosen) and n_bought."""
        if self.quality is None or not self.tested:
            return {}
        table = self.quality.reliability.loc[[self.name]]
        sums = table[["predicted", "actual"]].mul(table["n_customers"], axis="index").sum()
        return {"expected_buyers": float(sums["predicted"]), "n_bought": float(sums["actual"])}

    @property
    def values(self) -> dict[str, float | str | None]:
        """What a sentence about the reason may name: the models, their log losses of P(buys), the counts."""
        tried = self.quality.metrics["log_loss"].astype(float) if self.quality else pd.Series(dtype=float)
        other = next(name for name in LEAVING if name != self.name)
        return {
            "name": self.name,
            "other": other,
            "log_loss": float(tried.get(self.name, np.nan)),
            "other_log_loss": float(tried.get(other, np.nan)),
            "share_once": self.share_once,
            "n": self.n_fitted,
        }


def choose_model(log: Transactions, *, customers: pd.DataFrame) -> Choice:
    """Fit the models to the customers with complete histories and choose one of purchases.

    The rules, in order: NBD where neither Pareto/NBD nor BG/NBD could be fitted, since nobody is seen to
    leave; of these two the one that could be; not BG/NBD where over half bought once; the lower log loss of
    P(buys) in the longest holdout the log allows; without a holdout, the higher log likelihood.

    Parameters
    ----------
    customers : `summarise_customers(log)`.
    """
    complete = customers[customers["history_complete"]]
    look_back = longest_look_back(complete, observed_until=log.observed_until)
    quality = _judge(log, look_back) if look_back else None
    models = fit_models(complete)
    share_once = float((complete["n_repeat"] == 0).mean()) if len(complete) else 0.0
    name, reason = _choose(models, quality, share_once)
    return Choice(
        name=name,
        purchases=models.purchases[name] if name else None,
        spend=models.spend,
        reason=reason,
        share_once=share_once,
        look_back=look_back,
        quality=quality,
        models=models,
        n_fitted=len(complete),
    )


def against_rules(metrics: pd.DataFrame, *, model: str | None) -> tuple[str, dict[str, float | str]]:
    """Compare a model's errors per customer with those of the rules of thumb.

    Parameters
    ----------
    metrics : of `HoldoutQuality`; rows that are no model are rules of thumb.

    Returns
    -------
    key : "better" (mean absolute and root mean squared error both below those of every rule), "worse" (one
        rule is at least as good in both), else "mixed"; "none" where the model is not among the rows.
    values : mae, rmse, auc of the model; rule (the one with the lowest mae), rule_mae, rule_rmse, rule_auc;
        mae_change (mae / rule_mae - 1).
    """
    if model is None or model not in metrics.index:
        return "none", {}
    names = ["mae", "rmse", "auc"]
    errors = {
        str(row): dict(zip(names, map(float, metrics.loc[row, names]), strict=True)) for row in metrics.index
    }
    ours, rules = errors[model], {name: found for name, found in errors.items() if name not in MODELS}
    best = min(rules, key=lambda name: rules[name]["mae"])
    # How many of its two errors each rule keeps at or below the model's.
    as_good = [(rule["mae"] <= ours["mae"]) + (rule["rmse"] <= ours["rmse"]) for rule in rules.values()]
    key = ("better", "mixed", "worse")[max(as_good)]
    change = {"mae_change": ours["mae"] / rules[best]["mae"] - 1}
    return key, {"rule": best, **ours, **change, **{f"rule_{name}": rules[best][name] for name in names}}


def _judge(log: Transactions, look_back: LookBack) -> HoldoutQuality | None:
    calibration, holdout = split_holdout(log, at=look_back.at, until=look_back.until)
    complete = calibration["history_complete"]
    models = fit_models(calibration[complete]).purchases
    return evaluate_holdout(calibration[complete], holdout[complete], models=models) if models else None


def _choose(models: Models, quality: HoldoutQuality | None, share_once: float) -> tuple[str | None, str]:
    fitted = [name for name in LEAVING if name in models.purchases]
    if not fitted:
        return ("NBD", "nobody leaves") if "NBD" in models.purchases else (None, "none")
    if len(fitted) == 1:
        return fitted[0], "only one"
    if share_once > 0.5:
        return next(name for name in fitted if name != NOT_FOR_ONCE), "bought once"
    if quality is not None and set(fitted) <= set(quality.metrics.index):
        return str(quality.metrics.loc[fitted, "log_loss"].astype(float).idxmin()), "log score"
    return max(fitted, key=lambda name: models.purchases[name].log_likelihood), "log likelihood"
