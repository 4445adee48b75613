"""Whether two or more groups' opportunities are won (or lost) alike over their age: Gray's test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import chi2

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.ageing.by_age import Incidence
from crm_analysis.funnel.ageing.ends import ages, count_ends

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline

ENDED = ("won", "lost")


@dataclass(frozen=True, eq=False)
class GrayTest:
    """Gray's test of equal cumulative incidence.

    statistic : chi-squared, with `df` degrees of freedom; 0 where nobody ended so.
    p : of the statistic; 1 where nobody ended so. It takes opportunities as independent: where owners
        differ, it is too small.
    outcome : "won" or "lost".
    table : index `group`; n, n_ended (with the outcome), score (more than expected if > 0; sums to 0).
    """

    statistic: float
    df: int
    p: float
    outcome: str
    table: pd.DataFrame


def gray_test(groups: Mapping[str, Pipeline | Incidence], *, outcome: str = "won") -> GrayTest:
    """Test whether groups have the same share won (or lost) at every age, open ones as not yet ended.

    Parameters
    ----------
    groups : name -> pipeline, or its `incidence` where that is at hand; two or more.
    outcome : "won" or "lost".

    Raises
    ------
    ConfigError
        Fewer than two groups, or another outcome.
    DataError
        As `incidence`.

    Source: Gray (1988), Annals of Statistics 16:1141, rho = 0; the variance is that of R's `cmprsk::cuminc`.
    """
    if len(groups) < 2 or outcome not in ENDED:
        raise ConfigError(
            f"gray_test: groups {list(groups)}, outcome {outcome!r}; expected two groups or more, and one "
            f"of {list(ENDED)}"
        )
    at_risk, this, other = _counts([_ends_of(group) for group in groups.values()], outcome)
    score, covariance = _score_and_covariance(at_risk, this, other)
    # The scores sum to 0, so that one group is left out; a pseudo-inverse where further ones say nothing.
    statistic = float(score[:-1] @ np.linalg.pinv(covariance[:-1, :-1], hermitian=True) @ score[:-1])
    df = len(groups) - 1
    columns = {"n": at_risk[0].astype(int), "n_ended": this.sum(axis=0).astype(int), "score": score}
    return GrayTest(
        statistic=statistic,
        df=df,
        p=float(chi2.sf(statistic, df)),
        outcome=outcome,
        table=pd.DataFrame(columns, index=pd.Index(groups, name="group")),
    )


def _ends_of(group: Pipeline | Incidence) -> pd.DataFrame:
    return group.ends if isinstance(group, Incidence) else count_ends(ages(group))[0]


def _counts(ends: list[pd.DataFrame], outcome: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At risk, ended so and ended otherwise; by age (with an end) and group."""
    together = pd.concat(ends, ignore_index=True)
    group = np.repeat(np.arange(len(ends)), [len(each) for each in ends])
    days, place = np.unique(together["age_days"].to_numpy(), return_inverse=True)
    kind = together["outcome"].map({"won": 0, "lost": 1, "open": 2}).to_numpy()
    shape = (3, len(days), len(ends))
    cell = np.ravel_multi_index((kind, place, group), shape)
    counts = np.bincount(cell, weights=together["n"], minlength=int(np.prod(shape)))
    won, lost, open_ = counts.reshape(shape)
    at_risk = (won + lost + open_)[::-1].cumsum(axis=0)[::-1]
    this, other = (won, lost) if outcome == "won" else (lost, won)
    keep = (this + other).sum(axis=1) > 0
    keep[0] = True
    return at_risk[keep], this[keep], other[keep]


def _score_and_covariance(
    at_risk: np.ndarray, this: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Score of each group and their covariance; inputs of shape (n_ages, n_groups).

    The weights of the score at an age are R_k = n_k (1 - F_k(t-)) / S_k(t-), with n_k at risk, F_k the share
    that ended so and S_k the share left; under the hypothesis the common F grows by d / sum_k(n_k / S_k(t-)).
    """
    there = at_risk > 0
    n = np.where(there, at_risk, 1.0)
    left = np.cumprod(np.where(there, 1 - (this + other) / n, 1.0), axis=0)
    left_before = _before(left, 1.0)
    share_before = _before(np.cumsum(np.where(there, left_before * this / n, 0.0), axis=0), 0.0)
    exposed = np.where(there, at_risk / np.where(there, left_before, 1.0), 0.0)
    total, d = exposed.sum(axis=1), this.sum(axis=1)
    common = np.cumsum(d / total)
    weight = exposed * (1 - share_before)
    score = (this - d[:, None] * weight / weight.sum(axis=1, keepdims=True)).sum(axis=0)
    step = exposed[:, :, None] * (np.eye(n.shape[1]) - exposed[:, None, :] / total[:, None, None])
    reach = np.cumsum(step * (d / (total * (1 - _before(common, 0.0))))[:, None, None], axis=0)
    ratio = np.divide((1 - common)[:, None], left, out=np.zeros_like(left), where=left > 0)
    tied = np.where(d > 1, d - 1, 0.0)[:, None] / np.where(
        d[:, None] > 1, total[:, None] * left_before - 1, 1
    )
    spread_this = np.where(there, (1 - tied) * left_before * d[:, None] / (total[:, None] * n), 0.0)
    tied = np.where(other > 1, (other - 1) / np.where(n > 1, n - 1, 1.0), 0.0)
    spread_other = np.where(left > 0, (1 - tied) * left_before**2 * other / n**2, 0.0)
    # What an end in group k at age t adds to the score of group i: now, and through F at all later ages.
    last = reach[-1]
    by_this = step + (last - reach) * np.where(left > 0, 1 - ratio, 1.0)[:, None, :]
    by_other = (reach - last) * ratio[:, None, :]
    covariance = np.einsum("tik,tjk,tk->ij", by_this, by_this, spread_this)
    return score, covariance + np.einsum("tik,tjk,tk->ij", by_other, by_other, spread_other)


def _before(values: np.ndarray, start: float) -> np.ndarray:
    """Values just before each age: those of the age before, `start` at the first."""
    return np.concatenate([np.full_like(values[:1], start), values[:-1]])
