"""The difference of two products, split exactly over their factors.

Two results a and b are products of the same n factors (leads, one rate per transition, deal value). Each
function takes the factors as arrays of shape (..., n) and gives n parts that add up to prod(a) - prod(b).
A split is arithmetic: it says where two products differ, not what would happen if a factor were changed.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from crm_analysis.errors import DataError

MAX_FACTORS = 14


def log_mean_split(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Parts L(prod a, prod b) * ln(a_k / b_k), with L the logarithmic mean; shape (..., n).

    Swapping a and b flips every sign, equal factors get 0, and the parts of segments add up to the parts
    of their total. Where one side's product is 0 its zero factors take the whole difference, in equal
    parts; where both are 0 there is nothing to split.

    Source: LMDI-I, Ang (2004), Energy Policy 32:1131, and (2005) 33:867; the zero rules are the limits of
    Ang, Zhang & Choi (1998), Energy 23:489, and Wood & Lenzen (2006), Energy Policy 34:1326.
    """
    a, b = _same_shape(a, b)
    value_a, value_b = a.prod(axis=-1, keepdims=True), b.prod(axis=-1, keepdims=True)
    positive = (a > 0) & (b > 0)
    log_ratio = np.log(np.where(positive, a, 1.0)) - np.log(np.where(positive, b, 1.0))
    # sqrt(AB) sinh(u/2) / (u/2) is L(A, B) for u = ln(A/B): it stays exact where A and B nearly agree.
    half = log_ratio.sum(axis=-1, keepdims=True) / 2
    flat = np.abs(half) < 1e-8
    mean = np.sqrt(value_a * value_b) * np.where(flat, 1.0, np.sinh(half) / np.where(flat, 1.0, half))
    at_fault = ((a == 0) & (value_b > 0)) | ((b == 0) & (value_a > 0))
    whole = (value_a - value_b) * at_fault / np.maximum(at_fault.sum(axis=-1, keepdims=True), 1)
    return np.where(at_fault.any(axis=-1, keepdims=True), whole, mean * log_ratio)


def shapley_split(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Parts averaged over all orders in which b's factors can be replaced by a's; shape (..., n).

    Source: Das Gupta (1993), Standardization and Decomposition of Rates; Shapley (1953).
    """
    a, b = _same_shape(a, b)
    n = a.shape[-1]
    orders = np.array([_share_of_orders(sum(chosen), n) for chosen in product((0, 1), repeat=n - 1)])
    return np.stack([_replaced(a, b, k) @ orders for k in range(n)], axis=-1)


def range_over_orders(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest part of each factor over all orders of replacement; each of shape (..., n).

    What a split in one order could have claimed: every set of factors comes first in some order.
    """
    a, b = _same_shape(a, b)
    parts = [_replaced(a, b, k) for k in range(a.shape[-1])]
    return np.stack([p.min(-1) for p in parts], axis=-1), np.stack([p.max(-1) for p in parts], axis=-1)


def _replaced(a: np.ndarray, b: np.ndarray, k: int) -> np.ndarray:
    """Gain from replacing factor k, for each set of other factors replaced before it; (..., 2^(n-1))."""
    others = [j for j in range(a.shape[-1]) if j != k]
    before = np.array(list(product((False, True), repeat=len(others))), dtype=bool).reshape(-1, len(others))
    rest = np.where(before, a[..., None, others], b[..., None, others]).prod(axis=-1)
    return (a[..., k] - b[..., k])[..., None] * rest


def _share_of_orders(n_before: int, n: int) -> float:
    """Share of the n! orders in which exactly one given set of `n_before` others comes before a factor."""
    share = 1.0 / n
    for i in range(n_before):
        share *= (i + 1) / (n - 1 - i)
    return share


def _same_shape(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.broadcast_arrays(np.asarray(a, dtype=float), np.asarray(b, dtype=float))
    if a.shape[-1] > MAX_FACTORS:
        raise DataError(f"split: {a.shape[-1]} factors; expected at most {MAX_FACTORS}, so merge stages")
    return a, b
