"""Neighbouring transitions taken as one: a firm that qualifies harder lowers one rate and raises the next."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from crm_analysis.funnel.comparing.firm import Firm
from crm_analysis.funnel.comparing.sides import Side
from crm_analysis.funnel.comparing.stage_tests import rates_tested


def neighbours(
    firms: tuple[Firm, Firm],
    sides: tuple[Side, Side],
    contributions: pd.DataFrame,
    ends: Callable[[np.ndarray], tuple[float, float]],
    *,
    level: float,
) -> pd.DataFrame:
    """Columns as `Gap.pairs`; the contributions of two transitions add up to that of the two as one."""
    counts = (firms[0].counts, firms[1].counts)
    stages, values = firms[0].stages, contributions["contribution"].to_numpy()
    columns = ["first", "second", "opposite", "contribution", "low", "high", "share"]
    columns += ["n_a", "rate_a", "n_b", "rate_b", "difference", "difference_low", "difference_high", "p"]
    rows = []
    for k in range(1, len(stages) - 1):
        weights = np.zeros(len(values))
        weights[k : k + 2] = 1.0
        tested = rates_tested(counts, sides, k - 1, k, level=level)
        rows.append(
            {
                "first": values[k],
                "second": values[k + 1],
                "opposite": bool(values[k] * values[k + 1] < 0),
                "contribution": float(values @ weights),
                **dict(zip(("low", "high"), ends(weights), strict=True)),
                "share": float(contributions["share"].to_numpy() @ weights),
                **{name: tested[name] for name in ("n_a", "rate_a", "n_b", "rate_b", "difference", "p")},
                "difference_low": tested["low"],
                "difference_high": tested["high"],
            }
        )
    names = [f"{stages[k - 1]} to {stages[k + 1]}" for k in range(1, len(stages) - 1)]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(names, name="transition", dtype="str"))
