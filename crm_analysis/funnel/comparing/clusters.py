"""Opportunities of one owner, or of one account, resemble each other: what that does to the variances.

A firm's rates are those of its owners, few in number; intervals that take opportunities as independent are
far too narrow. Variances come from sums per cluster, corrected for few and unequal clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, DataError
from crm_analysis.funnel.comparing.firm import CLUSTERS, Firm


@dataclass(frozen=True, eq=False)
class Clustered:
    """Covariance of the logarithms of a firm's factors by clusters, and its degrees of freedom."""

    covariance: np.ndarray
    df: float


def choose_clusters(a: Firm, b: Firm, cluster: str | None) -> tuple[str, ...]:
    """Names of the clusters to allow for: those that either firm has, or the one asked for.

    Raises
    ------
    ConfigError
        The cluster asked for is not "auto", "owner" or "account_id", or a firm's opportunities lack it.
    DataError
        All opportunities of a firm belong to one owner, so how owners differ cannot be known.
    """
    if cluster is None:
        return ()
    if cluster == "auto":
        return tuple(name for name in CLUSTERS if any(usable(firm, name) for firm in (a, b)))
    if cluster not in CLUSTERS:
        raise ConfigError(f"funnel: cluster={cluster!r}; expected None, 'auto' or one of {list(CLUSTERS)}")
    for name, firm in (("a", a), ("b", b)):
        labels = firm.labels(cluster)
        if labels is None or not (labels >= 0).any():
            raise ConfigError(
                f"funnel: opportunities of firm {name} have no {cluster}; map it, or use 'auto'"
            )
        if (labels == labels[0]).all():
            raise DataError(
                f"funnel: all opportunities of firm {name} have one {cluster}, so how they differ cannot be "
                "known; cluster=None takes opportunities as independent"
            )
    return (cluster,)


def codes_of(labels: np.ndarray) -> np.ndarray:
    """Number clusters from 0 on; an opportunity whose cluster is not known is one of its own."""
    alone = labels < 0
    numbers = labels.copy()
    numbers[alone] = labels.max(initial=-1) + 1 + np.arange(alone.sum())
    return np.unique(numbers, return_inverse=True)[1]


def usable(firm: Firm, cluster: str) -> bool:
    """At least two clusters, of which one has more than one opportunity."""
    labels = firm.labels(cluster)
    if labels is None or not len(labels):
        return False
    return 2 <= codes_of(labels).max() + 1 < len(labels)


def cluster_table(a: Firm, b: Firm, clusters: Sequence[str]) -> pd.DataFrame:
    """How many clusters each firm has, and what share of the opportunities the largest one has."""
    columns = ["n_a", "n_b", "largest_a", "largest_b"]
    rows = [
        [*(_sizes(f, name)[0] for f in (a, b)), *(_sizes(f, name)[1] for f in (a, b))] for name in clusters
    ]
    table = pd.DataFrame(rows, columns=columns, index=pd.Index(list(clusters), name="cluster", dtype="str"))
    return table.astype({"n_a": int, "n_b": int, "largest_a": float, "largest_b": float})


def _sizes(firm: Firm, cluster: str) -> tuple[int, float]:
    labels = firm.labels(cluster)
    if labels is None or not len(labels):
        return int(firm.counts[0]), 1 / max(float(firm.counts[0]), 1.0)
    sizes = np.bincount(codes_of(labels))
    return len(sizes), float(sizes.max() / sizes.sum())


def cluster_sums(firm: Firm, codes: np.ndarray) -> np.ndarray:
    """Opportunities per cluster that reached each stage, then those with an amount, then their amounts.

    Shape (G, K + 3).
    """
    assert firm.reach is not None
    assert firm.amount is not None
    n = codes.max() + 1
    reached = [np.bincount(codes, firm.reach >= k, minlength=n) for k in range(len(firm.stages))]
    valued = ~np.isnan(firm.amount)
    amounts = [np.bincount(codes, w, minlength=n) for w in (valued, np.where(valued, firm.amount, 0.0))]
    return np.column_stack([*reached, *amounts])


def cluster_covariance(
    firm: Firm, cluster: str, *, factors: np.ndarray, log_variance: np.ndarray, own_deals: bool
) -> Clustered | None:
    """Covariance of the logarithms of a firm's factors when whole clusters are drawn.

    Parameters
    ----------
    factors, log_variance : leads, rates (none exactly 0 or 1) and deal value of the firm, and the variances
        of their logarithms for independent opportunities. Of a lead count, and of deal values that are not
        the counted opportunities' own, that is the variance for any clusters of owners too.

    Returns
    -------
    None where the firm has fewer than two such clusters, or each has one opportunity.

    Notes
    -----
    Each cluster's share in the error of a ratio, divided by the root of 1 less its weight (CR2); degrees of
    freedom are those of a few unequal clusters, 1 less than (sum n^2)^2 / sum n^4. Sources: Bell & McCaffrey
    (2002), Survey Methodology 28:169; Carter, Schnepel & Steigerwald (2017), Review of Economics and
    Statistics 99:698.
    """
    if not usable(firm, cluster):
        return None
    labels = firm.labels(cluster)
    assert labels is not None
    sums = cluster_sums(firm, codes_of(labels))
    shares = np.zeros((len(sums), len(factors)))
    n_rates = len(firm.stages) - 1
    for k in range(n_rates):
        shares[:, 1 + k] = _ratio_errors(sums[:, k + 1], sums[:, k]) / factors[1 + k]
    independent = log_variance.copy()
    independent[1 : 1 + n_rates] = 0.0
    if len(factors) > 1 + n_rates and own_deals:
        shares[:, -1] = _ratio_errors(sums[:, -1], sums[:, -2]) / factors[-1]
        independent[-1] = 0.0
    if cluster == "account_id" and log_variance[0] > 0:
        # An account brings all of its leads or none.
        shares[:, 0] = sums[:, 0] / sums[:, 0].sum()
        independent[0] = 0.0
    covariance = shares.T @ shares + np.diag(independent)
    return Clustered(covariance, effective_clusters(sums[:, 0]) - 1)


def _ratio_errors(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Each cluster's error of the ratio sum(top) / sum(bottom), corrected for its own weight in it."""
    total = bottom.sum()
    if total == 0:
        return np.zeros(len(top))
    weight = bottom / total
    error = (top - top.sum() / total * bottom) / total
    return np.divide(error, np.sqrt(1 - weight), out=np.zeros(len(top)), where=weight < 1)


def effective_clusters(sizes: np.ndarray) -> float:
    """How many equal clusters would tell as much; at least 2."""
    squares = np.asarray(sizes, dtype=float) ** 2
    return max(float(squares.sum() ** 2 / (squares**2).sum()), 2.0)


def widest(log_variance: np.ndarray, covariances: Sequence[np.ndarray]) -> np.ndarray:
    """Return the smallest covariance that is nowhere below independence, and at least each one given.

    In the directions that are uncertain at all, relative to what is there already, variances below 1 become
    1: every sum of the factors' logarithms then has the wider one of its variances.
    """
    joined = np.diag(log_variance)
    for covariance in covariances:
        values, vectors = np.linalg.eigh(joined)
        kept = values > 1e-12 * max(values.max(), 1e-300)
        root = vectors[:, kept] * np.sqrt(values[kept])
        inverse = vectors[:, kept] / np.sqrt(values[kept])
        seen, directions = np.linalg.eigh(inverse.T @ covariance @ inverse)
        joined = root @ (directions * np.maximum(seen, 1.0)) @ directions.T @ root.T
    return joined
