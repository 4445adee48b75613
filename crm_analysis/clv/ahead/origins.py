"""What the models said on days in the past, with what was known then, and what happened since.

Fitted to and tried on customers with complete histories only: the models are fitted to nobody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crm_analysis.clv.ahead.holdout import holdout_horizon
from crm_analysis.clv.ahead.look_back import LookBack
from crm_analysis.clv.ahead.outlook import Models, fit_models
from crm_analysis.clv.ahead.season import NO_SEASON, Season
from crm_analysis.clv.models.purchases import PurchaseModel

if TYPE_CHECKING:
    from crm_analysis.doors.transactions import Transactions


@dataclass(frozen=True)
class Origin:
    """A day in the past: the customers known then, the models fitted to them, and what the customers did.

    known, happened : of `split_holdout`, all customers, on the clock of the season.
    models : fitted to those with complete histories.
    """

    look_back: LookBack
    known: pd.DataFrame
    happened: pd.DataFrame
    models: Models

    @property
    def calibration(self) -> pd.DataFrame:
        """Customers with complete histories as they were known then."""
        return self.known[self.known["history_complete"]]

    @property
    def holdout(self) -> pd.DataFrame:
        """What they did then."""
        return self.happened[self.known["history_complete"]]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Log of the probability that each model gave to what each of them did; customers x models."""
        return pd.DataFrame(
            {name: self._score(fit.model) for name, fit in self.models.purchases.items()},
            index=self.calibration.index,
        )

    def _score(self, model: PurchaseModel) -> np.ndarray:
        happened, horizon = self.holdout["n_holdout"], holdout_horizon(self.holdout)
        said = model.count_probability(self.calibration, happened, horizon=horizon)
        return np.log(np.maximum(said.to_numpy(), np.finfo(float).tiny))


def revisit(
    log: Transactions, *, look_backs: Sequence[LookBack], season: Season = NO_SEASON, k: int = 1
) -> list[Origin]:
    """Fit the models again as of each look back.

    Parameters
    ----------
    season : on whose clock to fit and forecast; it tells months apart and no year from another, so that one
        estimated today may be used for the past.
    k : as for `fit_models`.
    """
    return [_origin(log, back, season, k) for back in look_backs]


def log_scores(origins: Sequence[Origin]) -> pd.DataFrame:
    """Score the models by the log of the probability they gave to what each customer then did.

    Returns
    -------
    DataFrame, index origin (last day known), one column per model that was fitted at any: mean over customers
    of log P(number of purchase days), higher is better; missing where the model was not determined.
    """
    rows = {pd.Timestamp(origin.look_back.at): origin.scores.mean() for origin in origins}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("origin")


def difference(origins: Sequence[Origin], *, better: str, worse: str) -> tuple[float, float]:
    """Difference of the mean log scores of two models over all origins, and its standard error.

    A customer seen from several origins counts once: the error is of the customers' sums.
    """
    gains = pd.concat(
        [
            origin.scores[better] - origin.scores[worse]
            for origin in origins
            if {better, worse} <= set(origin.scores)
        ]
    )
    of_customers = gains.groupby(level=0).sum() - gains.mean() * gains.groupby(level=0).size()
    return float(gains.mean()), float(np.sqrt((of_customers**2).sum()) / len(gains))


def _origin(log: Transactions, back: LookBack, season: Season, k: int) -> Origin:
    known, happened = season.split(log, at=back.at, until=back.until)
    return Origin(back, known, happened, fit_models(known[known["history_complete"]], k=k))
