"""Is the model better than a rule of thumb? Forecasts beside what then happened, next to the baselines.

The baselines are what a manager does without a model: everybody alike, everybody as before, and "gone if
silent for longer than ..." with the cut-off that fits the holdout best in hindsight, which is more than any
rule can know beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import xlogy

from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.histories import BoolArray, FloatArray
from crm_analysis.clv.models.purchases import PurchaseModel
from crm_analysis.clv.worth.value import model_of
from crm_analysis.errors import DataError


@dataclass(frozen=True)
class HoldoutQuality:
    """What the holdout says about each model and each baseline.

    metrics : one row per model and baseline. Of purchases per customer: expected_total, actual_total, bias
        (expected / actual - 1), mae, rmse, correlation. accuracy: share of customers rightly called buyers
        (p_buy above one half; for the hiatus rule, not silent for too long); accuracy_p_alive: the same with
        p_alive. auc and log_loss: of p_buy; NaN where a rule gives no probability. top_tenth: share of all
        purchases made by the tenth of the customers of whom most were expected, ties by their share.
    by_repeat : customers by n_repeat in the calibration, with the mean actual and expected purchases.
    reliability : customers by tenths of p_buy, with the mean p_buy and the share who did buy.
    hiatus_days : the cut-off of the hiatus rule.
    """

    metrics: pd.DataFrame
    by_repeat: pd.DataFrame
    reliability: pd.DataFrame
    hiatus_days: int


@dataclass(frozen=True)
class _Prediction:
    expected: FloatArray
    score: FloatArray
    buys: BoolArray
    probability: FloatArray | None = None
    alive: FloatArray | None = None


def evaluate_holdout(
    calibration: pd.DataFrame,
    holdout: pd.DataFrame,
    *,
    models: Mapping[str, Fit[PurchaseModel] | PurchaseModel],
    silence: pd.Series | None = None,
    hiatus_days: int | None = None,
) -> HoldoutQuality:
    """Evaluate forecasts made at the end of the calibration against the holdout.

    Parameters
    ----------
    calibration, holdout : the two tables of `split_holdout`.
    models : fitted to the calibration, by the name to show.
    silence : days since the last purchase, where the tables are on a season's clock and the rule is not.
    hiatus_days : silence after which the hiatus rule calls a customer gone; by default the best in hindsight.
    """
    actual = _actual(calibration, holdout)
    horizon = holdout_horizon(holdout)
    predictions = {name: _of_model(model_of(model), calibration, horizon) for name, model in models.items()}
    silence = calibration["t_observed"] - calibration["t_last"] if silence is None else silence
    silent = silence.loc[calibration.index].to_numpy(float)
    cutoff = _best_cutoff(silent, actual > 0) if hiatus_days is None else hiatus_days
    baselines = _baselines(calibration, float(horizon.split()[0]), silent, cutoff)
    return HoldoutQuality(
        metrics=pd.DataFrame({name: _metrics(p, actual) for name, p in (predictions | baselines).items()}).T,
        by_repeat=_by_repeat(calibration, actual, predictions),
        reliability=_reliability(predictions, actual),
        hiatus_days=int(cutoff),
    )


def holdout_horizon(holdout: pd.DataFrame) -> str:
    """Length of the holdout, in words: its one `duration` in days."""
    days = holdout["duration"].unique()
    if len(days) != 1:
        raise DataError(
            f"holdout: duration takes {len(days)} values ({sorted(days)[:3]} ...); one length is needed"
        )
    return f"{days[0]} days"


def _actual(calibration: pd.DataFrame, holdout: pd.DataFrame) -> FloatArray:
    actual = holdout["n_holdout"].reindex(calibration.index)
    if actual.isna().any():
        first = actual.index[actual.isna()][0]
        raise DataError(f"holdout: no row for {actual.isna().sum()} calibration customers, first {first!r}")
    return actual.to_numpy(float)


def _of_model(model: PurchaseModel, calibration: pd.DataFrame, horizon: str) -> _Prediction:
    p_buy = model.p_buy(calibration, horizon=horizon).to_numpy()
    return _Prediction(
        expected=model.expected_purchases(calibration, horizon=horizon).to_numpy(),
        score=p_buy,
        buys=p_buy > 0.5,
        probability=p_buy,
        alive=model.p_alive(calibration).to_numpy(),
    )


def _baselines(
    calibration: pd.DataFrame, days: float, silent: FloatArray, cutoff: float
) -> dict[str, _Prediction]:
    n_repeat, observed = (calibration[name].to_numpy(float) for name in ("n_repeat", "t_observed"))
    alike = np.full(len(calibration), n_repeat.sum() / observed.sum() * days)
    before = n_repeat / np.maximum(observed, 1) * days
    active = silent <= cutoff
    return {
        "everybody alike": _Prediction(alike, alike, alike > 0.5, probability=-np.expm1(-alike)),
        "same rate as before": _Prediction(before, before, before > 0.5),
        f"hiatus {cutoff:.0f} days": _Prediction(np.where(active, before, 0.0), -silent, active),
    }


def _best_cutoff(silent: FloatArray, bought: BoolArray) -> float:
    """Silence up to which calling customers buyers, and beyond which gone, is right most often."""
    days, row = np.unique(silent, return_inverse=True)
    gained = np.cumsum(np.bincount(row, np.where(bought, 1.0, -1.0)))
    return float(days[gained.argmax()])


def _metrics(prediction: _Prediction, actual: FloatArray) -> dict[str, float]:
    error, bought = prediction.expected - actual, actual > 0
    varies = prediction.expected.std() > 0 and actual.std() > 0
    return {
        "expected_total": prediction.expected.sum(),
        "actual_total": actual.sum(),
        "bias": prediction.expected.sum() / actual.sum() - 1 if actual.any() else np.nan,
        "mae": np.abs(error).mean(),
        "rmse": np.sqrt((error**2).mean()),
        "correlation": np.corrcoef(prediction.expected, actual)[0, 1] if varies else np.nan,
        "accuracy": (prediction.buys == bought).mean(),
        "accuracy_p_alive": np.nan
        if prediction.alive is None
        else ((prediction.alive > 0.5) == bought).mean(),
        "auc": _auc(prediction.score, bought),
        "log_loss": np.nan if prediction.probability is None else _log_loss(prediction.probability, bought),
        "top_tenth": _captured(prediction.expected, actual),
        "n_customers": len(actual),
    }


def _captured(expected: FloatArray, actual: FloatArray, share: float = 0.1) -> float:
    """Share of the purchases with the best share of the customers; of customers alike, their average."""
    if not actual.any():
        return np.nan
    group = np.unique(-expected, return_inverse=True)[1]
    size, made = np.bincount(group), np.bincount(group, actual)
    reached = np.concatenate([[0], size.cumsum()])
    return float(
        np.interp(share * len(actual), reached, np.concatenate([[0.0], made.cumsum()])) / actual.sum()
    )


def _auc(score: FloatArray, bought: BoolArray) -> float:
    """P(a buyer scores above a non-buyer), ties counted half."""
    n_bought, n_not = bought.sum(), (~bought).sum()
    if not n_bought or not n_not:
        return np.nan
    ranks = pd.Series(score).rank().to_numpy()
    return float((ranks[bought].sum() - n_bought * (n_bought + 1) / 2) / (n_bought * n_not))


def _log_loss(probability: FloatArray, bought: BoolArray) -> float:
    return float(-(xlogy(bought, probability) + xlogy(~bought, 1 - probability)).mean())


def _by_repeat(
    calibration: pd.DataFrame, actual: FloatArray, predictions: Mapping[str, _Prediction]
) -> pd.DataFrame:
    n_repeat = calibration["n_repeat"].to_numpy()
    group = pd.Categorical(
        np.where(n_repeat < 7, n_repeat.astype(int).astype(str), "7+"), [*map(str, range(7)), "7+"]
    )
    table = pd.DataFrame({"actual": actual} | {name: p.expected for name, p in predictions.items()})
    grouped = table.groupby(pd.Series(group, name="n_repeat"), observed=True)
    means = grouped.mean()
    means.insert(0, "n_customers", grouped.size())
    return means


def _reliability(predictions: Mapping[str, _Prediction], actual: FloatArray) -> pd.DataFrame:
    tables = {}
    for name, prediction in predictions.items():
        tenth = pd.Series(np.minimum((prediction.score * 10).astype(int), 9) / 10, name="p_buy_from")
        table = pd.DataFrame({"predicted": prediction.score, "actual": actual > 0}).groupby(tenth)
        tables[name] = table.mean().assign(n_customers=table.size())
    return pd.concat(tables, names=["model"])
