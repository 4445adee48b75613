"""What a purchase model answers about each distinct history, and how far each answer may be off.

Computed once for all customers who share a history. Errors are of the parameters (delta method), of the
logarithm: expected and discounted purchases are products of a chance and a mean, both positive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from scipy.special import log_expit

from crm_analysis.clv.fitting.fit import Fit
from crm_analysis.clv.fitting.quadrature import over_time
from crm_analysis.clv.histories import FloatArray, Histories
from crm_analysis.clv.models.purchases import NEGLIGIBLE, Horizon, PurchaseModel
from crm_analysis.clv.units import DAYS_PER_YEAR, discount_per_unit, horizon_days, unit_days
from crm_analysis.errors import ConfigError

ROWS = 250_000  # distinct histories answered at a time, which bounds the memory
AMOUNTS = ("expected", "discounted", "residual")
YEARS = ("years", "residual_years")


@dataclass(frozen=True)
class Question:
    """What is asked of a model: how far ahead, at which discount, and whether customer-years count as well.

    days : length of the horizon. annual_discount_rate : above 0, since a remaining life may be endless.
    """

    days: float
    annual_discount_rate: float
    with_years: bool = False

    @classmethod
    def ask(
        cls,
        horizon: Horizon,
        annual_discount_rate: float,
        *,
        observed_until: str | date | None = None,
        with_years: bool = False,
    ) -> Question:
        """Check what is asked.

        Raises
        ------
        ConfigError
            A horizon without length, or a rate that is no share above 0.
        """
        days = horizon_days(horizon, observed_until=observed_until)
        if not days > 0:
            raise ConfigError(f"horizon {horizon}: expected a length above 0")
        if discount_per_unit(annual_discount_rate, unit="1D") == 0:
            raise ConfigError(
                "annual_discount_rate 0: residual values need a rate above 0, since a life may be endless"
            )
        return cls(days, annual_discount_rate, with_years)


def answer_histories(
    histories: Histories, purchases: Fit[PurchaseModel] | PurchaseModel, question: Question
) -> pd.DataFrame:
    """Answer for every one of sorted distinct histories, times in the model's unit.

    Returns
    -------
    DataFrame: p_alive; p_buy, expected (purchases), p10 and p90 within the horizon; discounted and residual
    (purchases at their present value, within the horizon and for life); where asked for, years and
    residual_years (being a customer, at present value); `_error` of each but the chances (standard error of
    the logarithm, NaN for a bare model) and, with years, of the products of purchases and years.
    """
    parts = [
        _answer(histories.take(slice(since, since + ROWS)), purchases, question)
        for since in range(0, max(len(histories.n_repeat), 1), ROWS)
    ]
    return pd.concat(parts, ignore_index=True)


def _answer(
    histories: Histories, purchases: Fit[PurchaseModel] | PurchaseModel, question: Question
) -> pd.DataFrame:
    model = purchases.model if isinstance(purchases, Fit) else purchases
    names = AMOUNTS + (YEARS if question.with_years else ())
    until = question.days / unit_days(model.unit)
    alive, (known, row) = model._alive(histories), model._known(histories)
    logs = log_answers(histories, question)
    return pd.DataFrame(
        {
            "p_alive": alive,
            "p_buy": alive * model._at_least(1, known, until)[row],
            **dict(zip(names, np.exp(logs(model)), strict=True)),
            **dict(zip(("p10", "p90"), model._search(histories, until, [0.9, 0.1]), strict=True)),
            **_errors(purchases, logs, question.with_years, len(alive)),
        }
    )


def log_answers(histories: Histories, question: Question) -> Callable[[PurchaseModel], FloatArray]:
    """Function from a model to the logarithms of expected, discounted, residual, and years where asked for.

    Shape (quantities, histories).
    """

    def logs(model: PurchaseModel) -> FloatArray:
        known, row = model._known(histories)
        smooth = model._smooth(known)
        here = np.log(_if_alive(model, smooth.nodes, question))
        return log_expit(-model._log_odds_gone(histories)) + np.stack(
            [smooth.everywhere(values)[row] for values in here]
        )

    return logs


def _if_alive(model: PurchaseModel, known: Histories, question: Question) -> FloatArray:
    until = question.days / unit_days(model.unit)
    rate = discount_per_unit(question.annual_discount_rate, unit=model.unit)
    values = [model._expected(known, until), *(model._discounted(known, rate, end) for end in (until, None))]
    if question.with_years:
        values += [_years(model, known, rate, end) for end in (until, NEGLIGIBLE / rate)]
    return np.stack(values)


def _years(model: PurchaseModel, known: Histories, rate: float, until: float) -> FloatArray:
    """Years for which a live customer will be one, each moment at its present value."""
    rows = len(known.n_repeat)

    def present(later: FloatArray) -> FloatArray:
        moments = np.broadcast_to(later, (rows, later.shape[1]))
        each = known.take(np.repeat(np.arange(rows), later.shape[1]))
        return np.exp(-rate * moments) * model._survives(each, moments.ravel()).reshape(moments.shape)

    scale = np.full(rows, 0.1 / rate)
    return over_time(present, until=until, scale=scale, nodes=48) * unit_days(model.unit) / DAYS_PER_YEAR


def _errors(
    purchases: Fit[PurchaseModel] | PurchaseModel,
    logs: Callable[[PurchaseModel], FloatArray],
    with_years: bool,
    rows: int,
) -> dict[str, FloatArray]:
    def function(model: PurchaseModel) -> FloatArray:
        values = logs(model)
        return np.vstack([values, values[1:3] + values[3:5]]) if with_years else values

    products = ("discounted_and_years", "residual_and_years")
    names = (*AMOUNTS, *YEARS, *products) if with_years else AMOUNTS
    unknown = np.full((len(names), rows), np.nan)
    errors = purchases.standard_error(function) if isinstance(purchases, Fit) else unknown
    return {f"{name}_error": error for name, error in zip(names, errors, strict=True)}
