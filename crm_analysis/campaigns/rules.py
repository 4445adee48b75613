"""What is bought together: frequent sets of items, rules between them, and how sure each lift is."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.campaigns.baskets import Baskets
from crm_analysis.errors import ConfigError
from crm_analysis.rates import holm, normal_quantile

FEWEST = 5
METRICS = ["n_both", "n_if", "n_then", "support", "confidence", "lift", "lift_low", "lift_high", "p_holm"]
METRICS += ["leverage", "conviction", "zhang", "jaccard", "certainty", "kulczynski"]


def frequent_sets(
    baskets: Baskets | pd.DataFrame, *, min_support: float, max_length: int | None = None
) -> pd.DataFrame:
    """Sets of items that at least a share `min_support` of the baskets holds, the most frequent first.

    Parameters
    ----------
    baskets : a table of booleans, one row per basket, one column per item, or `Baskets`.
    max_length : items in a set at most.

    Returns
    -------
    DataFrame: items (frozenset), support, n (baskets)

    Raises
    ------
    ConfigError
        `min_support` is not a share, or so small that fewer than five of many baskets would be enough.
    """
    table = baskets.table if isinstance(baskets, Baskets) else baskets
    n = len(table)
    if not 0 < min_support <= 1:
        raise ConfigError(f"frequent_sets: min_support={min_support}; expected a share above 0, at most 1")
    if n >= 10 * FEWEST and min_support * n < FEWEST:
        raise ConfigError(
            f"frequent_sets: min_support={min_support} of {n} baskets is fewer than {FEWEST} of them; sets "
            f"so rare say nothing, and there are too many: give at least {FEWEST / n:.4f}"
        )
    # Importing the package changes which warnings are shown.
    with warnings.catch_warnings():
        from mlxtend.frequent_patterns import fpgrowth

        found = fpgrowth(table, min_support=min_support, use_colnames=True, max_len=max_length)
    sets = found.rename(columns={"itemsets": "items"})
    sets["n"] = (sets["support"] * n).round().astype(int) if len(sets) else 0
    sets["words"] = [", ".join(sorted(map(str, items))) for items in sets["items"]]
    sets = sets.sort_values(["n", "words"], ascending=[False, True], kind="stable", ignore_index=True)
    return sets[["items", "support", "n"]]


def association_rules(
    baskets: Baskets | pd.DataFrame,
    *,
    min_support: float,
    min_confidence: float = 0.0,
    max_length: int | None = 3,
    level: float = 0.95,
) -> pd.DataFrame:
    """Rules "who buys these buys those too", the surest lift first.

    A rule says what is found together, not that the one brings the other. Baskets count as independent: where
    they are orders, those of one customer are not, and intervals are too narrow.

    Parameters
    ----------
    max_length : items of a rule, both sides together.

    Returns
    -------
    DataFrame: if_items, then_items (frozensets); n_both, n_if, n_then (baskets); support, confidence, lift
    with the ends of its interval (`lift_interval`), p_holm (Fisher's exact test that the lift is 1; the rules
    that are listed are one family), leverage, conviction (infinite for a rule without exception), zhang,
    jaccard, certainty, kulczynski.
    """
    n = len(baskets.table if isinstance(baskets, Baskets) else baskets)
    sets = frequent_sets(baskets, min_support=min_support, max_length=max_length)
    count = dict(zip(sets["items"], sets["n"], strict=True))
    pairs = [
        (left, whole - left, count[whole], count[left], count[whole - left])
        for whole in sets["items"]
        for left in _parts(whole)
        if count[whole] >= min_confidence * count[left] - 1e-12
    ]
    rules = pd.DataFrame(pairs, columns=["if_items", "then_items", "n_both", "n_if", "n_then"])
    rules = rules.assign(**_metrics(rules, n, level))
    rules["words"] = [
        _words(left) + _words(right)
        for left, right in zip(rules["if_items"], rules["then_items"], strict=True)
    ]
    order = ["lift_low", "n_both", "words"]
    rules = rules.sort_values(order, ascending=[False, False, True], kind="stable", ignore_index=True)
    return rules[["if_items", "then_items", *METRICS]]


def strongest_rules(rules: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Return rules beyond chance, one per set of items, with their items as words.

    The two directions of a pair have one lift; the one with the higher confidence stays.

    Returns
    -------
    DataFrame: bought, also_bought (text), n_both, n_if, confidence, lift, lift_low, lift_high, p_holm; those
    with a lift above 1 and p_holm below 1 - level, in the order of `rules`.
    """
    beyond = rules[(rules["lift"] > 1) & (rules["p_holm"] < 1 - level)]
    whole = [left | right for left, right in zip(beyond["if_items"], beyond["then_items"], strict=True)]
    beyond = beyond.assign(
        whole=whole,
        bought=[", ".join(sorted(map(str, items))) for items in beyond["if_items"]],
        also_bought=[", ".join(sorted(map(str, items))) for items in beyond["then_items"]],
    )
    best = beyond.sort_values("confidence", ascending=False, kind="stable").drop_duplicates("whole")
    columns = [
        "bought",
        "also_bought",
        "n_both",
        "n_if",
        "confidence",
        "lift",
        "lift_low",
        "lift_high",
        "p_holm",
    ]
    return best.sort_index()[columns].reset_index(drop=True)


def lift_interval(
    n_both: float, n_if: float, n_then: float, n: float, *, level: float = 0.95
) -> tuple[float, float]:
    """Low and high end of the lift n_both x n / (n_if x n_then), normal on its logarithm.

    0 to infinity where nothing was bought together. By the delta method on three counts of one
    multinomial: var(ln lift) = (1/p - 1/p_if - 1/p_then + 2 lift - 1) / n, 0 where both are always there.
    """
    if not n_both > 0:
        return 0.0, math.inf
    lift = n_both * n / (n_if * n_then)
    variance = max(1 / n_both - 1 / n_if - 1 / n_then + (2 * lift - 1) / n, 0.0)
    factor = math.exp(normal_quantile(level) * math.sqrt(variance))
    return lift / factor, lift * factor


def _parts(items: frozenset[str]) -> list[frozenset[str]]:
    """Every part of a set but none and all of it."""
    ordered = sorted(items, key=str)
    return [
        frozenset(item for i, item in enumerate(ordered) if mask >> i & 1)
        for mask in range(1, 2 ** len(ordered) - 1)
    ]


def _words(items: frozenset[str]) -> str:
    return ", ".join(sorted(map(str, items))) + ";"


def _metrics(rules: pd.DataFrame, n: int, level: float) -> dict[str, Any]:
    both, left, right = (rules[name].to_numpy(float) / n for name in ("n_both", "n_if", "n_then"))
    confidence, leverage = both / left, both - left * right
    with np.errstate(divide="ignore", invalid="ignore"):
        conviction = np.where(confidence < 1, (1 - right) / (1 - confidence), np.inf)
        zhang = leverage / np.maximum(both * (1 - left), left * (right - both))
        certainty = np.where(right < 1, (confidence - right) / (1 - right), 0.0)
    counts = rules[["n_both", "n_if", "n_then"]].itertuples(index=False)
    ends = [lift_interval(both, a, b, n, level=level) for both, a, b in counts]
    return {
        "support": both,
        "confidence": confidence,
        "lift": confidence / right,
        "lift_low": [low for low, _ in ends],
        "lift_high": [high for _, high in ends],
        "p_holm": holm(list(_fisher(rules, n))),
        "leverage": leverage,
        "conviction": conviction,
        "zhang": np.nan_to_num(zhang),
        "jaccard": both / (left + right - both),
        "certainty": certainty,
        "kulczynski": (confidence + both / right) / 2,
    }


def _fisher(rules: pd.DataFrame, n: int) -> np.ndarray:
    """One-sided p that so many or more are bought together by chance, doubled: two-sided, at most 1."""
    from scipy.special import gammaln

    facts = gammaln(np.arange(n + 2) + 1.0)
    p = np.ones(len(rules))
    for i, (both, a, b) in enumerate(rules[["n_both", "n_if", "n_then"]].itertuples(index=False)):
        k = np.arange(max(0, a + b - n), min(a, b) + 1)
        ways = facts[a] - facts[k] - facts[a - k] + facts[n - a] - facts[b - k] - facts[n - a - b + k]
        chance = np.exp(ways + facts[b] + facts[n - b] - facts[n])
        p[i] = min(2 * chance[k >= both].sum(), 2 * chance[k <= both].sum(), 1.0)
    return p
