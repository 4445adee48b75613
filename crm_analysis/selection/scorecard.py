"""Scorecards: which customers are good by several criteria at once, and by how much each criterion counts.

Weights are given, equal, taken from the spread of the data (entropy) or from pairwise judgements (AHP). A
score is a sum of contributions, so that it can be explained; TOPSIS ranks by distance from the best and the
worst instead. Every weight is a judgement: look at `sensitivity` before acting on a rank.

Sources: Saaty, The Analytic Hierarchy Process (1980); Hwang & Yoon, Multiple Attribute Decision Making
(1981) for TOPSIS and entropy weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError

Direction = Literal["higher", "lower"]
Scaling = Literal["percentile", "min-max"]
Weights = Mapping[str, float] | pd.Series | Literal["equal", "entropy", "ahp"]
# Mean consistency index of random matrices of size 1, 2, 3, ..., 10 (Saaty 1980).
RANDOM_INDEX = (0.0, 0.0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49)
CONSISTENT = 0.1


@dataclass(frozen=True, eq=False)
class Scorecard:
    """Scores with everything that made them.

    table : index of the customers; score (0 to 100), rank (1 is best; equal scores share the better rank).
    contributions : one column per criterion, in points; they add up to the score.
    scaled : one column per criterion, 0 (worst) to 1 (best).
    weights : index criterion, sum 1.
    """

    table: pd.DataFrame
    contributions: pd.DataFrame
    scaled: pd.DataFrame
    weights: pd.Series
    scaling: Scaling


def scorecard(
    table: pd.DataFrame,
    *,
    criteria: Mapping[str, Direction],
    weights: Weights,
    comparisons: pd.DataFrame | None = None,
    scaling: Scaling = "percentile",
) -> Scorecard:
    """Weighted score of each customer, 0 to 100, with what each criterion contributes.

    Parameters
    ----------
    table : one row per customer with a numeric column per criterion, without gaps.
    criteria : column -> "higher" or "lower": which is better.
    weights : criterion -> weight (any scale above 0; the sum is made 1), "equal", "entropy", or "ahp" with
        `comparisons`.
    comparisons : pairwise judgements with the criteria as index and columns; see `ahp`.
    scaling : "percentile" is the share of the other customers who are worse, equal ones counted half: a giant
        counts as the best and no more. "min-max" keeps distances, (x - worst) / (best - worst), so
        that one giant presses all others together. Where all are equal, everybody gets 0.5.

    Raises
    ------
    DataError
        A criterion has no column or gaps.
    ConfigError
        A weight is missing, too many, or not above 0; an unknown direction or scaling.
    """
    values = _criteria_values(table, criteria)
    shares = _weights(values, weights, comparisons)
    if scaling not in ("percentile", "min-max"):
        raise ConfigError(f"scorecard: scaling={scaling!r}; expected 'percentile' or 'min-max'")
    signed = values * _signs(criteria)
    scaled = _percentile(signed) if scaling == "percentile" else _min_max(signed)
    contributions = 100 * scaled * shares
    scores = _scores(contributions)
    return Scorecard(scores, contributions, scaled, shares, scaling)


def sensitivity(card: Scorecard, *, change: float = 0.25, top: int = 20) -> pd.DataFrame:
    """Say how many of the `top` customers stay there when one weight is raised or lowered by `change`.

    The other weights keep their proportions. Customers who share the last rank all belong to the top.

    Returns
    -------
    DataFrame, index criterion: weight, stay_if_raised, stay_if_lowered (shares of the top customers)
    """
    if not 0 < change < 1:
        raise ConfigError(f"sensitivity: change={change!r}; expected a share between 0 and 1, such as 0.25")
    best = _top(card.table, top)
    rows = {
        criterion: [
            card.weights[criterion],
            *(_stay(card, best, criterion, 1 + sign * change, top) for sign in (1, -1)),
        ]
        for criterion in card.weights.index
    }
    columns = ["weight", "stay_if_raised", "stay_if_lowered"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("criterion")


def _stay(card: Scorecard, best: pd.Index, criterion: str, factor: float, top: int) -> float:
    changed = card.weights.where(card.weights.index != criterion, card.weights * factor)
    again = _scores(100 * card.scaled * changed)
    return len(best.intersection(_top(again, top))) / len(best)


def _top(scores: pd.DataFrame, top: int) -> pd.Index:
    return scores.index[scores["rank"] <= top]


def _scores(contributions: pd.DataFrame) -> pd.DataFrame:
    score = contributions.sum(axis="columns")
    # Sums of floats differ in the last digit; equal customers must not differ in rank for that.
    rank = score.round(9).rank(method="min", ascending=False).astype(int)
    return pd.DataFrame({"score": score, "rank": rank})


def _criteria_values(table: pd.DataFrame, criteria: Mapping[str, Direction]) -> pd.DataFrame:
    if not criteria:
        raise ConfigError("scorecard: no criteria; give column -> 'higher' or 'lower'")
    if unknown := {c: d for c, d in criteria.items() if d not in ("higher", "lower")}:
        raise ConfigError(f"scorecard: direction of {unknown}; expected 'higher' or 'lower'")
    if missing := [c for c in criteria if c not in table]:
        raise DataError(f"scorecard: no column {missing}; columns present: {list(table.columns)}")
    if table.empty:
        raise DataError("scorecard: no customers")
    values = table[list(criteria)].astype("float64")
    gaps = (~np.isfinite(values)).sum()
    if gaps.any():
        raise DataError(
            f"scorecard: of {len(table)} customers without figure {gaps[gaps > 0].to_dict()}; "
            "fill in what a gap means, or leave them out"
        )
    return values


def _signs(criteria: Mapping[str, Direction]) -> pd.Series:
    return pd.Series({c: 1.0 if d == "higher" else -1.0 for c, d in criteria.items()})


def _percentile(signed: pd.DataFrame) -> pd.DataFrame:
    if len(signed) == 1:
        return signed * 0 + 0.5
    return (signed.rank(method="average") - 1) / (len(signed) - 1)


def _min_max(signed: pd.DataFrame) -> pd.DataFrame:
    spread = signed.max() - signed.min()
    return ((signed - signed.min()) / spread.where(spread > 0)).fillna(0.5)


def _weights(values: pd.DataFrame, weights: Weights, comparisons: pd.DataFrame | None) -> pd.Series:
    names = list(values.columns)
    if isinstance(weights, str):
        return _weights_by(weights, values, comparisons)
    given = pd.Series(dict(weights), dtype="float64")
    if set(given.index) != set(names):
        raise ConfigError(f"scorecard: weights for {sorted(given.index)}, criteria are {sorted(names)}")
    if not (given > 0).all() or not np.isfinite(given).all():
        raise ConfigError(f"scorecard: weights must be above 0, got {given.to_dict()}")
    return (given / given.sum()).reindex(names)


def _weights_by(method: str, values: pd.DataFrame, comparisons: pd.DataFrame | None) -> pd.Series:
    names = list(values.columns)
    if method == "equal":
        return pd.Series(1 / len(names), index=names)
    if method == "entropy":
        return entropy_weights(values)
    if method != "ahp":
        raise ConfigError(f"scorecard: weights={method!r}; expected numbers, 'equal', 'entropy' or 'ahp'")
    if comparisons is None:
        raise ConfigError("scorecard: weights='ahp' needs comparisons=, one judgement per pair of criteria")
    judged = ahp(comparisons)
    if set(judged.weights.index) != set(names):
        raise ConfigError(f"scorecard: comparisons of {list(judged.weights.index)}, criteria are {names}")
    return judged.weights.reindex(names)


@dataclass(frozen=True, eq=False)
class Ahp:
    """Weights from pairwise judgements, and how far the judgements contradict each other.

    weights : index as in the matrix, sum 1.
    lambda_max : largest eigenvalue; n if the judgements agree.
    consistency_index : (lambda_max - n) / (n - 1).
    consistency_ratio : that over the index of random judgements; above 0.1 they contradict each other.
    warning : a sentence where they do, else None. It names the pair that fits the weights worst.
    """

    weights: pd.Series
    lambda_max: float
    consistency_index: float
    consistency_ratio: float
    warning: str | None


def comparison_matrix(judgements: Mapping[tuple[str, str], float]) -> pd.DataFrame:
    """Build a reciprocal matrix from one judgement per pair: (a, b) -> how many times a outweighs b.

    Raises
    ------
    ConfigError
        A pair is missing, given twice, or compares a name with itself.
    """
    names = list(dict.fromkeys(name for pair in judgements for name in pair))
    matrix = pd.DataFrame(np.eye(len(names)), index=names, columns=names)
    for (a, b), value in judgements.items():
        if a == b or (b, a) in judgements:
            raise ConfigError(f"comparisons: {a!r} and {b!r} need one judgement, in one direction")
        matrix.loc[a, b], matrix.loc[b, a] = value, 1 / value
    known = {frozenset(pair) for pair in judgements}
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    if missing := [pair for pair in pairs if frozenset(pair) not in known]:
        raise ConfigError(f"comparisons: no judgement for {missing}")
    return matrix


def ahp(matrix: pd.DataFrame | Sequence[Sequence[float]]) -> Ahp:
    """Weights by the principal eigenvector of a pairwise comparison matrix.

    Parameters
    ----------
    matrix : a_ij says how many times i outweighs j, on Saaty's scale 1 to 9; a_ji = 1 / a_ij. 1 to 10 rows.

    Raises
    ------
    ConfigError
        The matrix is not square, not above 0, not reciprocal, or larger than the random indices known.

    Source: Saaty (1980); random indices 0, 0, .58, .90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49.
    """
    frame = pd.DataFrame(matrix, dtype="float64")
    _check_comparisons(frame)
    n = len(frame)
    values, vectors = np.linalg.eig(frame.to_numpy())
    largest = int(np.argmax(values.real))
    vector = np.abs(vectors[:, largest].real)
    weights = pd.Series(vector / vector.sum(), index=frame.index, name="weight")
    index = (float(values[largest].real) - n) / (n - 1) if n > 1 else 0.0
    ratio = index / RANDOM_INDEX[n - 1] if n > 2 else 0.0
    warning = _contradiction(frame, weights, ratio) if ratio > CONSISTENT else None
    return Ahp(weights, float(values[largest].real), index, ratio, warning)


def _check_comparisons(frame: pd.DataFrame) -> None:
    n = len(frame)
    if frame.shape != (n, n) or not 1 <= n <= len(RANDOM_INDEX):
        raise ConfigError(
            f"ahp: matrix of {frame.shape[0]} x {frame.shape[1]}; expected a square one of 1 to "
            f"{len(RANDOM_INDEX)} rows"
        )
    if list(frame.index) != list(frame.columns):
        raise ConfigError(f"ahp: rows are {list(frame.index)}, columns {list(frame.columns)}")
    values = frame.to_numpy()
    if not (values > 0).all():
        raise ConfigError("ahp: every judgement must be above 0; write 1/3 where the other outweighs 3 times")
    wrong = np.argwhere(np.abs(values * values.T - 1) > 1e-3)
    if len(wrong):
        i, j = wrong[0]
        raise ConfigError(
            f"ahp: {frame.index[i]!r} over {frame.columns[j]!r} is {values[i, j]:g}, the other way round "
            f"{values[j, i]:g}; one must be 1 over the other"
        )


def _contradiction(frame: pd.DataFrame, weights: pd.Series, ratio: float) -> str:
    judged, implied = frame.to_numpy(), np.outer(weights, 1 / weights)
    # Of the two entries of a pair, the one that was judged to outweigh is named.
    misfit = np.where(judged >= 1, np.abs(np.log(judged / implied)), 0.0)
    i, j = divmod(int(np.argmax(misfit)), len(frame))
    return (
        f"The judgements contradict each other: consistency ratio {ratio:.3f}, at most {CONSISTENT:g} "
        f"expected. Least in line is {frame.index[i]!r} over {frame.columns[j]!r}: {judged[i, j]:.3g} was "
        f"judged, {implied[i, j]:.3g} follows from all judgements together. Ask again before using them"
    )


def entropy_weights(table: pd.DataFrame) -> pd.Series:
    """Weights by how much the criteria tell the alternatives apart: those that spread more weigh more.

    p_ij = x_ij / sum_i x_ij, e_j = -sum_i p_ij ln p_ij / ln n, w_j = (1 - e_j) / sum (1 - e_j). The spread of
    the data, not its importance, sets the weight: state that when the result is shown.

    Parameters
    ----------
    table : one row per alternative, one column per criterion, amounts of 0 or more.

    Raises
    ------
    DataError
        A negative amount, a criterion that sums to 0, fewer than two alternatives, or none that differ.
    """
    values = table.astype("float64")
    if len(values) < 2 or not (values >= 0).all(axis=None) or not (values.sum() > 0).all():
        raise DataError(
            "entropy weights: expected two alternatives or more, amounts of 0 or more and a sum above 0 per "
            f"criterion; got {len(values)} rows, smallest {values.min().to_dict()}"
        )
    shares = values / values.sum()
    entropy = -(shares * np.log(shares.where(shares > 0, 1.0))).sum() / np.log(len(values))
    spread = (1 - entropy).clip(lower=0)
    if spread.sum() < 1e-12:
        raise DataError("entropy weights: the alternatives are alike on every criterion; nothing to weigh")
    return (spread / spread.sum()).rename("weight")


def topsis(table: pd.DataFrame, *, criteria: Mapping[str, Direction], weights: Weights) -> pd.DataFrame:
    """Measure how close each alternative is to the ideal: 1 is best on every criterion, 0 worst.

    Columns are divided by their Euclidean length and weighted; closeness is d_worst / (d_best + d_worst).
    Adding or leaving out an alternative can turn the ranks of two others.

    Returns
    -------
    DataFrame, index of `table`: closeness, distance_to_best, distance_to_worst, rank (ties share the better)

    Raises
    ------
    DataError, ConfigError
        As `scorecard`; a criterion that is 0 for everybody has no length.

    Source: Hwang & Yoon (1981).
    """
    values = _criteria_values(table, criteria)
    shares = _weights(values, weights, None)
    length = np.sqrt((values**2).sum())
    if not (length > 0).all():
        raise DataError(f"topsis: {list(length[length == 0].index)} is 0 for everybody; leave it out")
    weighted = values / length * shares * _signs(criteria)
    to_best = _distance(weighted, weighted.max())
    to_worst = _distance(weighted, weighted.min())
    both = to_best + to_worst
    closeness = (to_worst / both.where(both > 0)).fillna(0.5)
    rank = closeness.round(12).rank(method="min", ascending=False).astype(int)
    return pd.DataFrame(
        {"closeness": closeness, "distance_to_best": to_best, "distance_to_worst": to_worst, "rank": rank}
    )


def _distance(weighted: pd.DataFrame, point: pd.Series) -> pd.Series:
    return cast("pd.Series", np.sqrt(((weighted - point) ** 2).sum(axis="columns")))
