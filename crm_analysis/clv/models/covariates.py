"""BG/NBD and Pareto/NBD for customers who differ in what is known of them: channel, first basket, region.

Fader & Hardie (2007), "Incorporating time-invariant covariates into the Pareto/NBD and BG/NBD models",
brucehardie.com/notes/019: alpha and beta of a customer are alpha0 and beta0 times exp(-coefficient * z), so
that a positive coefficient means buying more often, and leaving sooner; a and b are a0 and b0 times
exp(coefficient * z). Here z counts from the average customer, whose parameters are the model's own: numbers
stay moderate whatever a covariate is measured in.

Covariates are numbers. Categories become columns of 0 and 1, one fewer than categories:
`customers.join(pd.get_dummies(customers["channel"], prefix="channel", drop_first=True))`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from crm_analysis.clv.histories import COLUMNS, FloatArray, Histories, IntArray, purchase_histories
from crm_analysis.clv.models.bg_nbd import BgNbd
from crm_analysis.clv.models.pareto_nbd import ParetoNbd
from crm_analysis.clv.models.purchases import PurchaseModel
from crm_analysis.errors import ConfigError, DataError

MODELS: Mapping[str, type[BgNbd] | type[ParetoNbd]] = {"BG/NBD": BgNbd, "Pareto/NBD": ParetoNbd}
FAR = np.log(1000.0)  # a parameter further from the average customer's, in logarithms, is not believed
SIGNS = {"alpha": -1.0, "beta": -1.0, "a": 1.0, "b": 1.0}


@dataclass(frozen=True)
class CovariateHistories(Histories):
    """Histories with the covariates of each, counted from the average customer; shape (rows, columns)."""

    covariates: FloatArray

    def take(self, rows: IntArray | slice) -> CovariateHistories:
        """The histories at these positions."""
        plain = super().take(rows)
        return _joined(plain, self.covariates[rows])


def _joined(plain: Histories, covariates: FloatArray) -> CovariateHistories:
    columns = (plain.n_repeat, plain.t_last, plain.t_observed, plain.n_customers)
    return CovariateHistories(*columns, covariates)


@dataclass(frozen=True, kw_only=True)
class WithCovariates(PurchaseModel):
    """A purchase model whose parameters differ between customers with their covariates.

    average : the model of a customer with average covariates; a new customer is taken for one.
    coefficients : "parameter: column" -> change of the parameter's logarithm per unit of the column, with
        the sign of the papers.
    averages : column -> the average it counts from.
    """

    name: ClassVar[str] = "with covariates"
    average: BgNbd | ParetoNbd
    coefficients: Mapping[str, float]
    averages: Mapping[str, float]

    def __post_init__(self) -> None:
        numbers = {**self.coefficients, **self.averages}
        if bad := {name: value for name, value in numbers.items() if not np.isfinite(value)}:
            raise ConfigError(f"{self.average.name} with covariates: expected finite numbers, got {bad}")
        for name in self.coefficients:
            parameter, _, column = name.partition(": ")
            if column not in self.averages or parameter not in self.average.parameters:
                raise ConfigError(
                    f"{self.average.name} with covariates: coefficient {name!r}; expected 'parameter: "
                    f"column' of {list(self.average.parameters)} and {list(self.averages)}"
                )

    @property
    def unit(self) -> str:  # type: ignore[override]
        """Unit of time of the parameters."""
        return self.average.unit

    @property
    def parameters(self) -> dict[str, float]:
        """The numbers by name: those of the average customer, then the coefficients."""
        return {**self.average.parameters, **self.coefficients}

    def model_of(self, covariates: Mapping[str, float]) -> PurchaseModel:
        """Give the plain model of customers with these covariates, such as one channel's."""
        own = self._own(self._moved(pd.DataFrame([dict(covariates)])))
        return replace(self.average, **{name: float(value[0]) for name, value in own.items()})  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Everything needed to score with this model later: JSON types only."""
        return {
            "model": self.name,
            "average": self.average.to_dict(),
            "coefficients": dict(self.coefficients),
            "averages": dict(self.averages),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` wrote."""
        expected, average = {"model", "average", "coefficients", "averages"}, stored.get("average", {})
        if stored.get("model") != cls.name or set(stored) != expected or average.get("model") not in MODELS:
            raise ConfigError(
                f"{cls.name}: expected the keys {sorted(expected)} of this model, got {dict(stored)}"
            )
        return cls(
            average=MODELS[average["model"]].from_dict(average),
            coefficients=stored["coefficients"],
            averages=stored["averages"],
        )

    def _log_odds_gone(self, histories: Histories) -> FloatArray:
        return self._plain(histories)._log_odds_gone(histories)

    def _expected(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        return self._plain(known)._expected(known, ahead)

    def _expected_pairs(self, known: Histories, ahead: float) -> FloatArray:
        return self._plain(known)._expected_pairs(known, ahead)

    def _discounted(self, known: Histories, rate: float, until: float | None) -> FloatArray:
        return self._plain(known)._discounted(known, rate, until)

    def _survives(self, known: Histories, ahead: FloatArray | float) -> FloatArray:
        return self._plain(known)._survives(known, ahead)

    def _at_least(self, n: FloatArray | int, known: Histories, ahead: FloatArray | float) -> FloatArray:
        return self._plain(known)._at_least(n, known, ahead)

    def _draw(self, histories: Histories, ahead: float, generator: np.random.Generator) -> IntArray:
        return self._plain(histories)._draw(histories, ahead, generator)

    def _distinct(self, customers: pd.DataFrame) -> tuple[Histories, IntArray]:
        distinct, row = distinct_with_covariates(customers, list(self.averages))
        return _joined(purchase_histories(distinct, unit=self.unit), self._moved(distinct)), row

    def _moved(self, customers: pd.DataFrame) -> FloatArray:
        columns = list(self.averages)
        return check_covariates(customers, columns) - np.array([self.averages[name] for name in columns])

    def _plain(self, known: Histories) -> PurchaseModel:
        """Give the model without covariates, its parameters one per history where covariates move them."""
        if not isinstance(known, CovariateHistories):
            return self.average
        return replace(self.average, **self._own(known.covariates))  # type: ignore[arg-type]

    def _own(self, moved: FloatArray) -> dict[str, FloatArray]:
        """Parameters that covariates move, one per row of these."""
        columns, logs = list(self.averages), dict[str, FloatArray]()
        for name, coefficient in self.coefficients.items():
            parameter, _, column = name.partition(": ")
            change = SIGNS[parameter] * coefficient * moved[:, columns.index(column)]
            logs[parameter] = logs.get(parameter, 0.0) + change
        for name, log in logs.items():
            if (far := np.abs(log) > FAR).any():
                raise DataError(
                    f"covariates: {name} of {int(far.sum())} of {len(log)} histories differs from the "
                    f"average customer's by more than a factor of {np.exp(FAR):,.0f}, where an effect in "
                    f"proportion to {columns} can hardly hold; take logarithms of skewed columns and refit"
                )
        return {name: getattr(self.average, name) * np.exp(log) for name, log in logs.items()}


def distinct_with_covariates(
    customers: pd.DataFrame, columns: Sequence[str]
) -> tuple[pd.DataFrame, IntArray]:
    """Distinct rows of history and covariates with `n_customers`, and the row of every customer."""
    check_covariates(customers, columns)
    needed = [*COLUMNS, *columns]
    if missing := [name for name in COLUMNS if name not in customers]:
        raise DataError(f"customers: no column {missing}; columns present: {list(customers.columns)}")
    groups = customers.groupby(needed, sort=False, dropna=False)
    row = np.asarray(groups.ngroup(), dtype=np.int64)
    first = np.unique(row, return_index=True)[1]
    weights = customers["n_customers"].to_numpy(float) if "n_customers" in customers else None
    distinct = customers[needed].iloc[first].reset_index(drop=True)
    n_customers = np.bincount(row, weights, minlength=len(distinct)).astype(float)
    return distinct.assign(n_customers=n_customers), row


def check_covariates(customers: pd.DataFrame, columns: Sequence[str]) -> FloatArray:
    """Return the covariates, shape (rows, columns), once every one is a finite number.

    Raises
    ------
    DataError
        A column is missing, is text, or lacks a value; the message says how to make columns of categories.
    """
    if missing := [name for name in columns if name not in customers]:
        raise DataError(f"covariates: no column {missing}; columns present: {list(customers.columns)}")
    if text := [name for name in columns if not pd.api.types.is_numeric_dtype(customers[name])]:
        raise DataError(
            f"covariates: {text} of type {[str(customers[name].dtype) for name in text]}; expected numbers; "
            "categories become columns of 0 and 1 by pd.get_dummies(customers[column], drop_first=True)"
        )
    values = np.column_stack([customers[name].to_numpy(float, na_value=np.nan) for name in columns])
    bad = ~np.isfinite(values)
    if bad.any():
        counts = {name: int(n) for name, n in zip(columns, bad.sum(axis=0), strict=True) if n}
        first = customers.index[int(bad.any(axis=1).argmax())]
        raise DataError(
            f"covariates: missing or infinite in {counts} of {len(customers)} rows, first customer "
            f"{first!r}; fill them, and add a column that is 1 where they were missing"
        )
    return values
