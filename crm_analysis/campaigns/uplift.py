"""Did a score find those whom contact changes? Curves of uplift, and areas with their definitions.

Two curves and several areas go by the same names in the literature and in software, and differ. Every number
here carries its definition, and none is normalised in silence.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError

DEFINITIONS = {
    "qini_area": "area between the Qini curve and the straight line to its end, divided by n^2",
    "qini_auc": "qini_area / that of the perfect order (treated responders first, control responders last)",
    "uplift_area": "area between the uplift curve and the straight line to its end, divided by n^2",
    "uplift_auc": "uplift_area / that of the perfect order, as scikit-uplift defines it",
    "uplift_at_30": "response rate of the treated less that of the control group, of the best 30% by score",
}


def uplift_curve(outcome: np.ndarray, treated: np.ndarray, score: np.ndarray) -> pd.DataFrame:
    """Uplift and Qini curve by number contacted, the highest scores first; equal scores count at once.

    Parameters
    ----------
    outcome : 0 or 1, or an amount.    treated : whether each customer was contacted, at random.

    Returns
    -------
    DataFrame, first row 0: n (customers so far), n_treated, n_control; uplift = (mean of the treated - mean
    of the control group, so far) x n; qini = sum of the treated - sum of the control group x n_treated /
    n_control (Radcliffe).

    Source: Radcliffe (2007), Direct Marketing Analytics Journal 1:14; uplift as in scikit-uplift.
    """
    y, t, s = (np.asarray(values, dtype=float) for values in (outcome, treated, score))
    if not len(y) or not len(y) == len(t) == len(s) or np.isnan(s).any():
        raise DataError(
            f"uplift_curve: {len(y)} outcomes, {len(t)} groups, {len(s)} scores, of which "
            f"{int(np.isnan(s).sum())} missing; expected one of each per customer"
        )
    order = np.argsort(-s, kind="stable")
    y, t, s = y[order], t[order], s[order]
    last = np.r_[np.flatnonzero(np.diff(s)), len(s) - 1]
    n_t, sum_t, sum_c = (v.cumsum()[last] for v in (t, y * t, y * (1 - t)))
    n_c = last + 1 - n_t
    mean_t, mean_c = sum_t / np.maximum(n_t, 1), sum_c / np.maximum(n_c, 1)
    ratio = np.where(n_c > 0, n_t / np.maximum(n_c, 1), 0.0)
    curve = {
        "n": last + 1.0,
        "n_treated": n_t,
        "n_control": n_c,
        "uplift": (mean_t - mean_c) * (last + 1),
        "qini": sum_t - sum_c * ratio,
    }
    return pd.concat([pd.DataFrame(0.0, [0], list(curve)), pd.DataFrame(curve)], ignore_index=True)


def perfect_uplift_curve(outcome: np.ndarray, treated: np.ndarray) -> pd.DataFrame:
    """Return the best order that scikit-uplift considers, which looks at outcome and group."""
    y, t = np.asarray(outcome, dtype=float), np.asarray(treated, dtype=float)
    control_responders, treated_silent = ((y == 1) & (t == 0)).sum(), ((y == 0) & (t == 1)).sum()
    return uplift_curve(y, t, 2.0 * (y == t) + (y if control_responders > treated_silent else t))


def perfect_qini_curve(outcome: np.ndarray, treated: np.ndarray) -> pd.DataFrame:
    """Treated responders first, control responders last: the best Qini curve, losses included."""
    y, t = np.asarray(outcome, dtype=float), np.asarray(treated, dtype=float)
    return uplift_curve(y, t, y * t - y * (1 - t))


def uplift_quality(outcome: np.ndarray, treated: np.ndarray, score: np.ndarray) -> pd.DataFrame:
    """Areas under both curves, each with its definition.

    Parameters
    ----------
    outcome : 0 or 1.

    Returns
    -------
    DataFrame, index measure: value, definition. Missing where the perfect order is no better than chance.
    """
    y, t = np.asarray(outcome, dtype=float), np.asarray(treated, dtype=float)
    actual = uplift_curve(y, t, score)
    areas = {name: _above_line(actual, name) for name in ("qini", "uplift")}
    best = {
        "qini": _above_line(perfect_qini_curve(y, t), "qini"),
        "uplift": _above_line(perfect_uplift_curve(y, t), "uplift"),
    }
    values = {
        **{f"{name}_area": area / len(y) ** 2 for name, area in areas.items()},
        **{f"{name}_auc": area / best[name] if best[name] else np.nan for name, area in areas.items()},
        "uplift_at_30": _uplift_at(y, t, np.asarray(score, dtype=float), 0.3),
    }
    rows = [(name, values[name], definition) for name, definition in DEFINITIONS.items()]
    return pd.DataFrame(rows, columns=["measure", "value", "definition"]).set_index("measure")


def _above_line(curve: pd.DataFrame, name: str) -> float:
    x, y = curve["n"].to_numpy(), curve[name].to_numpy()
    return float(np.trapezoid(y, x) - x[-1] * y[-1] / 2)


def _uplift_at(y: np.ndarray, t: np.ndarray, score: np.ndarray, share: float) -> float:
    chosen = np.argsort(-score, kind="stable")[: int(np.ceil(share * len(y)))]
    treated, control = y[chosen][t[chosen] == 1], y[chosen][t[chosen] == 0]
    return float(treated.mean() - control.mean()) if len(treated) and len(control) else np.nan
