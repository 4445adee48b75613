"""What to see to in the data before numbers of two firms are compared."""

from __future__ import annotations

from typing import Any

import pandas as pd

from crm_analysis.funnel.hygiene.departures import departed_owners
from crm_analysis.funnel.hygiene.duplicates import duplicate_opportunities, several_owners
from crm_analysis.funnel.telling.comparisons import Comparison


def found_first(ws: Any, c: Comparison) -> pd.DataFrame | None:
    """Count each firm's duplicates and the open deals that nobody looks after; None where none can be found.

    Duplicates are looked for where telephone or e-mail is mapped, departures where the workspace has a table
    of owners. Nothing is taken out of the counts.

    Returns
    -------
    DataFrame, index (firm, what); n_found, n_looked_at, share, and amount where amounts are mapped.
    """
    tables = {name: _of_firm(ws, c, i) for i, name in enumerate(c.names)}
    found = {name: pd.concat(parts) for name, parts in tables.items() if parts}
    if not found:
        return None
    named = {"n": "n_found", "of": "n_looked_at", "value": "amount"}
    return pd.concat(found, names=["firm"]).rename(columns=named)


def departed(ws: Any, c: Comparison, i: int) -> list[str] | None:
    """Owners of one firm who had left by the day of the snapshot; None where that is not known."""
    owners = ws.owners(c.firms[i])
    if owners is None:
        return None
    gone = pd.to_datetime(owners["left_at"]) <= pd.Timestamp(c.pipelines[i].snapshot_at)
    return sorted(owners.loc[gone, "owner"].astype(str))


def _of_firm(ws: Any, c: Comparison, i: int) -> list[pd.DataFrame]:
    pipeline, parts = c.pipelines[i], []
    columns = set(pipeline.opportunities.columns)
    if columns & {"phone", "email"}:
        twice = duplicate_opportunities(pipeline)
        parts.append(twice.summary)
        if "owner" in columns:
            parts.append(several_owners(twice).summary)
    owners = ws.owners(c.firms[i])
    if owners is not None and "owner" in columns:
        parts.append(departed_owners(pipeline, owners).summary)
    return parts
