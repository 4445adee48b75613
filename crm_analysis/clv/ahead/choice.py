"""Which purchase model to use for a customer base, by a stated rule, and whether it beats a rule of thumb."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.clv.ahead.holdout import HoldoutQuality, evaluate_holdout
from crm_analysis.clv.ahead.look_back import LookBack
from crm_analysis.clv.ahead.origins import Origin, difference, log_scores
from crm_analysis.clv.ahead.outlook import Models, fit_models, is_model
from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.models.purchases import PurchaseModel
from crm_analysis.clv.models.spend import SpendFit

NOT_FOR_ONCE = "BG/NBD"  # takes everybody who bought once for a customer still


@dataclass(frozen=True)
class Choice:
    """The models used, and what is needed to doubt the choice.

    name, purchases, spend : the purchase model by name, its fit, the spend model's; None where the customers
        determine none.
    reason : "kept" (the workspace says so), "only one", "log score", "log likelihood" (no past origins),
        "nobody leaves", "none" or "contracts" (the models are not for such customers).
    other, lead, lead_error : the next best model, and by how much the one used is better: in mean log score
        over the origins with its standard error, or in log likelihood; None and NaN without another.
    share_once : of the customers with complete histories, those who bought on one day only.
    scores : `log_scores` of the origins; origins : those revisited, earliest first.
    quality : of the models at the last origin; None without one.
    models : every model fitted to the complete histories, and why the others were not.
    customers : all customers on the clock that the models run on; those with complete histories are fitted.
    """

    name: str | None
    purchases: Fit[PurchaseModel] | None
    spend: SpendFit | None
    reason: str
    other: str | None
    lead: float
    lead_error: float
    share_once: float
    scores: pd.DataFrame
    origins: Sequence[Origin]
    quality: HoldoutQuality | None
    models: Models
    customers: pd.DataFrame

    @property
    def fitted(self) -> pd.DataFrame:
        """Customers with complete histories, whom the models are fitted to."""
        return self.customers[self.customers["history_complete"]]

    @property
    def fits(self) -> dict[str, Any]:
        """Both models by the names of parameters: purchases, spend."""
        return {"purchases": self.purchases, "spend": self.spend}

    @property
    def usable(self) -> bool:
        """Whether customers can be valued: both models were fitted."""
        return self.purchases is not None and self.spend is not None

    @property
    def headline(self) -> str:
        """Key of the sentence that leads the page."""
        if not self.usable:
            return "headline_contracts" if self.reason == "contracts" else "headline_no_model"
        return "headline_nobody_leaves" if self.name == "NBD" else "headline"

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
        rules = [row for row in table.index if not is_model(row)]
        named = {
            row: words(f"rule_{key}", days=days) if words else row
            for row, key in zip(rules, ("alike", "before", "hiatus"), strict=True)
        }
        return table.rename(index=named).rename_axis("model")

    @property
    def tried(self) -> list[str]:
        """The model used and the next best, of those tried at the last origin."""
        rows = self.quality.metrics.index if self.quality else ()
        return [name for name in (self.name, self.other) if name is not None and name in rows]

    @property
    def buyers(self) -> dict[str, float]:
        """Buyers in the holdout: expected_buyers (sum of P(buys), by the model chosen) and n_bought."""
        if self.quality is None or not self.tested:
            return {}
        table = self.quality.reliability.loc[[self.name]]
        sums = table[["predicted", "actual"]].mul(table["n_customers"], axis="index").sum()
        return {"expected_buyers": float(sums["predicted"]), "n_bought": float(sums["actual"])}

    @property
    def look_back(self) -> LookBack | None:
        """The last look back, whose holdout `quality` is of."""
        return self.origins[-1].look_back if self.origins else None

    @property
    def excluded(self) -> bool:
        """Whether BG/NBD was fitted and not considered, since over half bought once."""
        return self.share_once > 0.5 and NOT_FOR_ONCE in self.models.purchases

    @property
    def sentence(self) -> str:
        """Key of the sentence that says why this model."""
        reason = self.reason.replace(" ", "_")
        if self.reason == "kept" and not (self.other and self.origins):
            return "reason_kept_alone"
        close = self.reason == "log score" and not self.lead > 2 * self.lead_error
        return f"reason_{reason}_close" if close else f"reason_{reason}"

    @property
    def sentences(self) -> list[str]:
        """Keys of the sentences about the choice: why this model, what is not considered, who is cut."""
        cut = self.usable and len(self.fitted) < len(self.customers)
        return [
            self.sentence,
            *(["excluded"] if self.excluded else []),
            *(["extrapolated"] if cut else []),
        ]

    @property
    def long_run(self) -> str:
        """Key of the sentence about the value from now on: whether another model says it too."""
        others = [name for name in self.models.purchases if name not in (self.name, "NBD")]
        return "long_run" if others else "long_run_alone"

    @property
    def values(self) -> dict[str, float | str | None]:
        """What a sentence about the reason may name."""
        return {
            "name": self.name,
            "other": self.other,
            "score": float(self.scores[self.name].mean()) if self.name in self.scores else np.nan,
            "lead": self.lead,
            "lead_error": self.lead_error,
            "n_origins": len(self.origins),
            "share_once": self.share_once,
            "n": len(self.fitted),
            "n_cut": len(self.customers) - len(self.fitted),
            "share_cut": 1 - len(self.fitted) / max(len(self.customers), 1),
        }


def choose_model(
    customers: pd.DataFrame, *, origins: Sequence[Origin], kept: str | None = None, k: int = 1
) -> Choice:
    """Fit the models to the customers with complete histories and choose one of purchases.

    The rules, in order: the one kept in the workspace; NBD where no other could be fitted, since nobody is
    seen to leave; the only one that could be; the highest mean log score over the origins at which the models
    were determined; without origins, the highest log likelihood. BG/NBD is not
    considered where over half bought once, unless it is the only one.

    Parameters
    ----------
    customers : `summarise_customers(log)`, on the clock of the season that the origins are on.
    origins : `revisit(log, ...)`.
    kept : name of the model to use whatever it scores; where the customers do not determine it, the rules
        choose as if none were kept.
    k : purchases come in k steps where customers buy on schedule; 1 tries no such model.
    """
    complete = customers[customers["history_complete"]]
    models = fit_models(complete, k=k)
    share_once = float((complete["n_repeat"] == 0).mean()) if len(complete) else 0.0
    scores = log_scores(origins)
    ranking, reason = _rank(models, scores, share_once)
    if kept in models.purchases:
        ranking, reason = [kept, *(name for name in ranking if name != kept)], "kept"
    name, other = [*ranking, None, None][:2]
    lead, lead_error = _lead(name, other, origins, models)
    last = origins[-1] if origins else None
    return Choice(
        name=name,
        purchases=models.purchases[name] if name else None,
        spend=models.spend,
        reason=reason,
        other=other,
        lead=lead,
        lead_error=lead_error,
        share_once=share_once,
        scores=scores,
        origins=origins,
        quality=_judge(last) if last else None,
        models=models,
        customers=customers,
    )


def no_choice(customers: pd.DataFrame) -> Choice:
    """Choose no model, for customers with contracts: who left is seen, and no silence has to be read.

    Parameters
    ----------
    customers : `summarise_customers(log)`.
    """
    complete = customers[customers["history_complete"]]
    return Choice(
        name=None,
        purchases=None,
        spend=None,
        reason="contracts",
        other=None,
        lead=np.nan,
        lead_error=np.nan,
        share_once=float((complete["n_repeat"] == 0).mean()) if len(complete) else 0.0,
        scores=log_scores([]),
        origins=[],
        quality=None,
        models=Models({}, None, {}),
        customers=customers,
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
    ours, rules = errors[model], {name: found for name, found in errors.items() if not is_model(name)}
    best = min(rules, key=lambda name: rules[name]["mae"])
    # How many of its two errors each rule keeps at or below the model's.
    as_good = [(rule["mae"] <= ours["mae"]) + (rule["rmse"] <= ours["rmse"]) for rule in rules.values()]
    key = ("better", "mixed", "worse")[max(as_good)]
    change = {"mae_change": ours["mae"] / rules[best]["mae"] - 1}
    return key, {"rule": best, **ours, **change, **{f"rule_{name}": rules[best][name] for name in names}}


def _judge(origin: Origin) -> HoldoutQuality | None:
    models, known = origin.models.purchases, origin.calibration
    silence = (pd.Timestamp(origin.look_back.at) - known["last_at"]).dt.days if "last_at" in known else None
    return evaluate_holdout(known, origin.holdout, models=models, silence=silence) if models else None


def _rank(models: Models, scores: pd.DataFrame, share_once: float) -> tuple[list[str], str]:
    """Models in the order of preference, and what put the first one there."""
    fitted = [name for name in models.purchases if name != "NBD"]
    if not fitted:
        return (["NBD"], "nobody leaves") if "NBD" in models.purchases else ([], "none")
    if share_once > 0.5 and fitted != [NOT_FOR_ONCE]:
        fitted = [name for name in fitted if name != NOT_FOR_ONCE]
    if len(fitted) == 1:
        return fitted, "only one"
    counted = scores.reindex(columns=fitted)
    tried = counted.notna().sum()
    if not tried.max():
        return sorted(fitted, key=lambda name: -models.purchases[name].log_likelihood), "log likelihood"
    # Where a model was not determined, the others have no lead on it: against one determined most often.
    gains = counted.sub(counted[str(tried.idxmax())], axis="index").mean()
    return list(gains.sort_values(ascending=False, kind="stable").index), "log score"


def _lead(
    name: str | None, other: str | None, origins: Sequence[Origin], models: Models
) -> tuple[float, float]:
    if name is None or other is None:
        return np.nan, np.nan
    both = [origin for origin in origins if {name, other} <= set(origin.models.purchases)]
    if both:
        return difference(both, better=name, worse=other)
    return models.purchases[name].log_likelihood - models.purchases[other].log_likelihood, np.nan
