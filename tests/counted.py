"""Counts of opportunities made by hand, with the opportunities behind them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crm_analysis.funnel import StageCounts
from crm_analysis.funnel.counting.counts import assemble

STAGES = ("Lead", "Qualified", "Proposal", "Won")


def counted(furthest, *, stages=STAGES, amount=np.nan, **attributes) -> StageCounts:
    """Counts of opportunities that came as far as `furthest`, with attributes such as owner."""
    furthest = np.asarray(furthest)
    members = pd.DataFrame(
        {
            "judged": True,
            "furthest": furthest,
            "last": furthest,
            "created_on": pd.Timestamp("2025-01-01"),
            "amount": amount,
            **attributes,
        },
        index=[f"{i:05}" for i in range(len(furthest))],
    )
    return assemble(members, tuple(stages), days=None, learnt=False, level=0.95)


def draw_firm(rng, *, owners, per_owner, rates, spread=0.0, stages=STAGES, **attributes) -> StageCounts:
    """Draw a firm whose owners differ: each one's log odds at every transition scatter by `spread`."""
    owner = np.repeat(np.arange(owners), per_owner)
    effect = spread * rng.standard_normal((owners, len(rates)))
    odds = np.log(np.array(rates) / (1 - np.array(rates)))
    chances = 1 / (1 + np.exp(-(odds + effect)[owner]))
    furthest = np.cumprod(rng.random(chances.shape) < chances, axis=1).sum(axis=1)
    return counted(furthest, stages=stages, owner=np.char.add("Owner ", owner.astype(str)), **attributes)
