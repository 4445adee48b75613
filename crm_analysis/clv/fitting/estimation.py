"""What a model supplies to be fitted, and the scale on which its likelihood is climbed.

The climb runs in log parameters, where positive numbers are unbounded and intervals cannot cross zero. A
coefficient, which may be negative, is climbed as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

import numpy as np

from crm_analysis.clv.fitting.parameters import ParameterSet
from crm_analysis.clv.histories import FloatArray

M = TypeVar("M", bound=ParameterSet)
ROWS = 50_000  # rows summed at a time: their products stay within the processor's cache
Rows = Callable[[FloatArray], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True)
class Limit:
    """Where parameters may run to, and what it means for the customers when they do."""

    parameters: frozenset[str]
    to: Literal["0", "infinity"]
    meaning: str


@dataclass(frozen=True)
class Estimation(Generic[M]):
    """What a model supplies to be fitted.

    build : a model from its parameters by name.
    rows : of the natural parameters in order, the log likelihood of one customer in each row, shape (rows,),
        and its slopes, shape (parameters, rows).
    weights : customers who share each row; a resample of customers is other weights.
    starts : natural parameters; the later ones are tried only when the first does not reach an optimum.
    data : the customers in words, for the message of a fit that fails.
    signed : parameters that may be any number, with the size that counts as large; all others are positive.
    """

    name: str
    parameters: tuple[str, ...]
    build: Callable[..., M]
    rows: Rows
    weights: FloatArray
    starts: Sequence[Sequence[float]]
    limits: Sequence[Limit]
    data: str
    signed: Mapping[str, float] = field(default_factory=dict)

    @property
    def n_customers(self) -> int:
        """Customers over all rows."""
        return int(self.weights.sum())

    def log_likelihood(self, natural: FloatArray) -> tuple[float, FloatArray]:
        """Log likelihood of all customers, and its gradient.

        Not matrix products: BLAS would start threads for a millisecond of work, and its sums depend on how
        many.
        """
        values, slopes = self.rows(natural)
        return float(np.einsum("i,i", self.weights, values)), np.einsum("i,ki->k", self.weights, slopes)

    def objective(self, position: FloatArray) -> tuple[float, FloatArray]:
        """Log likelihood and gradient at a position."""
        value, gradient = self.log_likelihood(self.natural(position))
        return value, gradient * self.stretch(position)

    def scored(self, position: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Log likelihood and gradient at a position, and the sum of the outer products of the scores."""
        values, slopes = self.rows(self.natural(position))
        gradient, outer = np.zeros(len(slopes)), np.zeros((len(slopes), len(slopes)))
        for since in range(0, len(values), ROWS):
            part = slopes[:, since : since + ROWS]
            counted = self.weights[since : since + ROWS] * part
            gradient += counted.sum(axis=1)
            outer += np.einsum("ik,jk->ij", counted, part)
        stretch = self.stretch(position)
        value = float(np.einsum("i,i", self.weights, values))
        return value, gradient * stretch, outer * np.outer(stretch, stretch)

    def scores(self, position: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log likelihood of one customer in each row at a position, and its slopes there."""
        values, slopes = self.rows(self.natural(position))
        return values, slopes * self.stretch(position)[:, None]

    def position(self, natural: FloatArray) -> FloatArray:
        """Where natural parameters lie on the scale of the climb."""
        signed, position = self._scales > 0, np.array(natural, dtype=float)
        position[signed] /= self._scales[signed]
        position[~signed] = np.log(position[~signed])
        return position

    def natural(self, position: FloatArray) -> FloatArray:
        """Natural parameters of a position."""
        signed, natural = self._scales > 0, np.array(position, dtype=float)
        natural[signed] *= self._scales[signed]
        natural[~signed] = np.exp(natural[~signed])
        return natural

    def stretch(self, position: FloatArray) -> FloatArray:
        """Change of each natural parameter per change of its position."""
        return np.where(self._scales > 0, self._scales, self.natural(position))

    def model(self, position: FloatArray) -> M:
        """Build the model of a position."""
        return self.build(**dict(zip(self.parameters, self.natural(position).tolist(), strict=True)))

    @property
    def _scales(self) -> FloatArray:
        return np.array([self.signed.get(name, 0.0) for name in self.parameters])
