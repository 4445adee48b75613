"""A trend over ordered groups, of which conversion over cohorts is one."""

from __future__ import annotations

import numpy as np

from crm_analysis.funnel.counting.trends import slope_of_rates
from published import Published

DRINKS = np.array([0, 0.5, 1.5, 4, 7])
MALFORMED, BORN = np.array([48.0, 38, 5, 1, 1]), np.array([17114.0, 14502, 793, 127, 38])


def chi_square_of_trend() -> float:
    """Square of the slope over its standard error."""
    slope, error = slope_of_rates(DRINKS, MALFORMED, BORN)
    return (slope / error) ** 2


ROWS = [
    Published(
        "Agresti (2002), Categorical Data Analysis, section 3.4 (malformations by the mother's drinking)",
        "chi-square of the trend of Cochran and Armitage",
        "6.57",
        chi_square_of_trend,
    )
]
