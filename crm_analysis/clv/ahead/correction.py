"""How wrong forecasts were before, and what is left of a forecast when that is taken off."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import ndtri

from crm_analysis.clv.ahead.forecast import TotalForecast, reaching


@dataclass(frozen=True)
class PastBias:
    """How far forecasts made before were off.

    ratios : forecast / actual at each origin, earliest first; above 1 they were too high.
    spread : standard deviation by chance of the last one's logarithm: that which the forecast gave itself.
    """

    ratios: tuple[float, ...]
    spread: float

    @property
    def ratio(self) -> float:
        """That of the last origin: the nearest to today, and a year back on the same day of the season."""
        return self.ratios[-1]

    def correct(self, forecast: TotalForecast) -> TotalForecast:
        """Divide a forecast by the last ratio.

        The range grows by the chance in that ratio, and reaches as far as each other origin's would put it.
        """
        if not forecast.expected > 0:
            return forecast
        expected, reach = forecast.expected / self.ratio, ndtri(0.975) * self.spread
        below, above = (
            np.log(forecast.expected / forecast.forecast_low),
            np.log(forecast.forecast_high / forecast.expected),
        )
        corrected = replace(
            forecast,
            expected=expected,
            forecast_low=expected * np.exp(-np.hypot(below, reach)),
            forecast_high=expected * np.exp(np.hypot(above, reach)),
        )
        return reaching(corrected, [forecast.expected / ratio for ratio in self.ratios])


def past_bias(past: pd.DataFrame, *, quantity: str = "purchases") -> PastBias | None:
    """Return the errors of forecasts made before; None where none was made.

    Parameters
    ----------
    past : `forecast_origins` or `past_forecasts`: forecasts of the same length as the one to correct, on the
        season's clock, with the models' own ranges, earliest first. The last one should be a year old.
    """
    rows = past[past.index.get_level_values("quantity") == quantity]
    rows = rows[["expected", "actual", "forecast_low", "forecast_high"]].astype(float).dropna()
    rows = rows[(rows["expected"] > 0) & (rows["actual"] > 0)]
    if rows.empty:
        return None
    last = rows.iloc[-1]
    width = np.log(last["forecast_high"] / last["forecast_low"]) / (2 * ndtri(0.975))
    return PastBias(tuple((rows["expected"] / rows["actual"]).tolist()), float(width))
