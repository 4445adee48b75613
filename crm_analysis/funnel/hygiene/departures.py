"""Open deals whose sales person is gone, and deals that nobody had for a time or that changed hands."""

from __future__ import annotations

import pandas as pd

from crm_analysis.doors.pipeline import Pipeline
from crm_analysis.errors import ConfigError
from crm_analysis.funnel.hygiene.listing import Listed, deals_of, end_of, stake, summed

DAY = pd.Timedelta(days=1)


def departed_owners(pipeline: Pipeline, owners: pd.DataFrame) -> Listed:
    """Open deals whose owner had left by the day of the snapshot.

    Parameters
    ----------
    owners : owner, left_at (missing while employed), such as `ws.owners(firm)`.

    Returns
    -------
    Listed; table: index opportunity_id; owner, left_at, days_since (from left_at to the snapshot), stage,
    created_on, and value_at_stake where amounts are mapped. In the summary also the open deals without an
    owner, and those whose owner the table does not have.
    """
    deals = _with_owner(pipeline, "departed owners")
    open_deals = deals[deals["outcome"] == "open"]
    left_at = open_deals["owner"].map(owners.set_index("owner")["left_at"])
    gone = left_at <= pd.Timestamp(pipeline.snapshot_at)
    table = _open_table(open_deals, pipeline).assign(left_at=left_at.astype("datetime64[us]"))
    table["days_since"] = (pd.Timestamp(pipeline.snapshot_at) - table["left_at"]).dt.days
    nobody = open_deals["owner"].isna()
    stranger = ~nobody & ~open_deals["owner"].isin(owners["owner"])
    found, unowned, unknown = (stake(table[where], deals) for where in (gone, nobody, stranger))
    found = found[
        ["owner", "left_at", "days_since", *[c for c in found if c not in ("owner", "left_at", "days_since")]]
    ]
    summary = summed(
        ("open deals whose owner has left", found, len(open_deals)),
        ("open deals without an owner", unowned, len(open_deals)),
        ("open deals whose owner is not in the table", unknown, len(open_deals)),
    )
    return Listed(found.astype({"days_since": "int64"}), summary)


def owner_gaps(pipeline: Pipeline) -> Listed:
    """Deals that nobody had at some time, or that changed hands, as far as the snapshot shows.

    Returns
    -------
    Listed; table: index opportunity_id; n_owners (different people), n_handovers (changes from one person to
    another, with or without a gap), days_unassigned (before the first owner, or all days where there was
    none), days_between (later ones without an owner), first_owner, owner (missing where nobody has it now),
    outcome, and value_at_stake where amounts are mapped. Where the stage that the first row left was added
    from `from_stage`, its owner is not known and counts as nobody.

    Raises
    ------
    ConfigError
        No owner is mapped, or the shape of the pipeline knows only the latest one.
    """
    deals = _with_owner(pipeline, "owner gaps")
    spans = _spans(pipeline, deals)
    table = _by_deal(spans, deals)
    unassigned, between, handed = (
        stake(table[table[name] > 0], deals) for name in ("days_unassigned", "days_between", "n_handovers")
    )
    listed = table[(table[["days_unassigned", "days_between", "n_handovers"]] > 0).any(axis="columns")]
    nobody = table[table["owner"].isna() & (table["outcome"] == "open")]
    n_open = int((deals["outcome"] == "open").sum())
    summary = summed(
        ("deals without an owner at first", unassigned, len(deals)),
        ("deals without an owner in between", between, len(deals)),
        ("deals handed over", handed, len(deals)),
        ("open deals that nobody has", stake(nobody, deals), n_open),
    )
    return Listed(stake(listed, deals), summary)


def _with_owner(pipeline: Pipeline, what: str) -> pd.DataFrame:
    deals = deals_of(pipeline)
    if "owner" not in deals:
        raise ConfigError(f"{what}: the pipeline has no owner; map it")
    return deals


def _open_table(deals: pd.DataFrame, pipeline: Pipeline) -> pd.DataFrame:
    return deals[["owner", "current_stage", "created_on"]].rename(columns={"current_stage": "stage"})


def _spans(pipeline: Pipeline, deals: pd.DataFrame) -> pd.DataFrame:
    """Spans with one owner, or nobody: opportunity_id, owner, from_, until; in order."""
    changes = pipeline.changes("owner").to_pandas()
    changes = changes.sort_values(["opportunity_id", "changed_at"], kind="stable", ignore_index=True)
    owner = deals["owner"].copy()
    earliest = changes.drop_duplicates("opportunity_id").set_index("opportunity_id")["before"]
    owner.loc[earliest.index] = earliest
    first = pd.DataFrame(
        {"opportunity_id": deals.index, "owner": owner.to_numpy(), "from_": deals["created_on"].to_numpy()}
    )
    later = changes[["opportunity_id", "after", "changed_at"]].set_axis(first.columns, axis="columns")
    spans = pd.concat([first, later], ignore_index=True)
    spans = spans.sort_values(["opportunity_id", "from_"], kind="stable", ignore_index=True)
    ended = deals["closed_on"].add(DAY).fillna(end_of(pipeline.snapshot_at))
    until = spans.groupby("opportunity_id")["from_"].shift(-1).fillna(spans["opportunity_id"].map(ended))
    # What changed on the closing row changed when it was over.
    return spans.assign(until=until, days=((until - spans["from_"]) / DAY).clip(lower=0.0))


def _by_deal(spans: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    is_nobody = spans["owner"].isna()
    owned = spans[~is_nobody]
    had_one = (~is_nobody).groupby(spans["opportunity_id"]).cummax()
    days = {
        "days_unassigned": spans["days"].where(is_nobody & ~had_one, 0.0),
        "days_between": spans["days"].where(is_nobody & had_one, 0.0),
    }
    people = owned.groupby("opportunity_id")["owner"]
    changed = owned["owner"] != people.shift()
    n_turns = changed.groupby(owned["opportunity_id"]).sum()
    table = pd.DataFrame(
        {"n_owners": people.nunique(), "n_handovers": n_turns - 1, "first_owner": people.first()}
    ).reindex(deals.index)
    table[["n_owners", "n_handovers"]] = table[["n_owners", "n_handovers"]].fillna(0).astype(int)
    sums = pd.DataFrame(days).groupby(spans["opportunity_id"]).sum().reindex(deals.index)
    return table.join(sums).join(deals[["owner", "outcome"]])
