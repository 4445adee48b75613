"""Dated deals of Maven's sales pipeline, where it lies beside the project."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
from pipelines import HandMade, pipeline_of_ends

FOLDER = Path(__file__).parents[1] / ".." / "shared" / "data" / "maven_crm"
OFFICES = ("Central", "East", "West")
needs_maven = pytest.mark.skipif(not FOLDER.is_dir(), reason="../shared/data/maven_crm is absent")


def maven(office: str | None = None) -> HandMade:
    """Deals of one regional office (that of the sales agent's team), or of all; Engaging is still open."""
    deals = pd.read_csv(FOLDER / "sales_pipeline.csv")
    teams = pd.read_csv(FOLDER / "sales_teams.csv").set_index("sales_agent")["regional_office"]
    deals = deals[
        deals["engage_date"].notna()
        & (deals["sales_agent"].map(teams) == (office or deals["sales_agent"].map(teams)))
    ]
    outcome = deals["deal_stage"].map({"Won": "won", "Lost": "lost", "Engaging": "open"})
    ends = deals.assign(outcome=outcome, created_on=deals["engage_date"], closed_on=deals["close_date"])
    return pipeline_of_ends(ends.assign(owner=deals["sales_agent"]), snapshot_at=dt.date(2017, 12, 31))
