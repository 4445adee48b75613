"""What hangs on one sales person: accounts that nobody else knows, and what each departure would touch."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from crm_analysis.doors.pipeline import Pipeline
from crm_analysis.errors import ConfigError
from crm_analysis.funnel.hygiene.listing import Listed, deals_of, summed


@dataclass(frozen=True)
class OwnerRisk(Listed):
    """Accounts that hang on one person.

    table : index customer_id (the account); owner (of the latest opportunity that has one), has_left,
        n_owners (people who ever had one of its opportunities), n_opportunities, n_open, and where amounts
        are known revenue, open_amount and value_at_stake, their sum. Only accounts with one owner, or whose
        last one has left.
    by_owner : index owner; has_left, n_accounts, n_alone (accounts that only this one knows), n_open (open
        opportunities, of accounts or not); where amounts are known revenue, revenue_alone, open_amount and
        share_of_revenue. What the departure of each would touch; largest first.
    concentration : measure -> value: share_of_largest (owner, of revenue), share_of_top_5, effective_owners
        (1 / sum of squared shares: so many equal owners would be as concentrated).
    """

    by_owner: pd.DataFrame
    concentration: pd.Series


def owner_risk(
    pipeline: Pipeline, *, owners: pd.DataFrame | None = None, revenue: pd.Series | None = None
) -> OwnerRisk:
    """List accounts with a single owner, by what hangs on them.

    Parameters
    ----------
    owners : owner, left_at, such as `ws.owners(firm)`; without it nobody is known to have left.
    revenue : revenue per account, index customer_id, such as of the last 12 months; accounts that are not
        there had none. Without it the amounts of won opportunities count.

    Raises
    ------
    ConfigError
        The pipeline has no owner or no account_id.
    """
    deals = deals_of(pipeline)
    if missing := [name for name in ("owner", "account_id") if name not in deals]:
        raise ConfigError(f"owner risk: the pipeline has no {' and no '.join(missing)}; map it")
    gone = _gone(pipeline, owners)
    accounts = _accounts(pipeline, deals, revenue)
    accounts.insert(1, "has_left", accounts["owner"].isin(gone))
    by_owner = _by_owner(accounts, deals, gone)
    alone, left = accounts["n_owners"] == 1, accounts["has_left"]
    summary = summed(
        ("accounts that one owner alone knows", accounts[alone], len(accounts)),
        ("accounts whose owner has left", accounts[left], len(accounts)),
        ("accounts that only somebody who has left knew", accounts[alone & left], len(accounts)),
    )
    return OwnerRisk(_sorted(accounts[alone | left]), summary, by_owner, _concentration(by_owner))


def _gone(pipeline: Pipeline, owners: pd.DataFrame | None) -> set[str]:
    if owners is None:
        return set()
    return set(owners.loc[owners["left_at"] <= pd.Timestamp(pipeline.snapshot_at), "owner"])


def _accounts(pipeline: Pipeline, deals: pd.DataFrame, revenue: pd.Series | None) -> pd.DataFrame:
    """One row per account: who knows it, and what it brings."""
    named = deals[deals["account_id"].notna()].sort_values("created_on", kind="stable")
    groups = named.groupby("account_id")
    table = pd.DataFrame(
        {
            "owner": groups["owner"].last(),
            "n_owners": _everybody(pipeline, named).reindex(groups.size().index, fill_value=0),
            "n_opportunities": groups.size(),
            "n_open": (named["outcome"] == "open").groupby(named["account_id"]).sum(),
        }
    ).rename_axis("customer_id")
    if "amount" in named:
        amounts = {name: named["amount"].where(named["outcome"] == name, 0.0) for name in ("won", "open")}
        won, open_ = (amounts[name].groupby(named["account_id"]).sum() for name in ("won", "open"))
        table = table.assign(revenue=won, open_amount=open_)
    if revenue is not None:
        table["revenue"] = revenue.reindex(table.index).fillna(0.0).astype(float)
    there = [name for name in ("revenue", "open_amount") if name in table]
    return table.assign(value_at_stake=table[there].sum(axis="columns")) if there else table


def _everybody(pipeline: Pipeline, named: pd.DataFrame) -> pd.Series:
    """Number of people who ever had an opportunity of each account."""
    ever = pipeline.history.select("opportunity_id", "owner").distinct().to_pandas()
    ever = pd.concat([ever, named.reset_index()[["opportunity_id", "owner"]]])
    account = ever["opportunity_id"].map(named["account_id"])
    return ever["owner"].groupby(account).nunique()


def _by_owner(accounts: pd.DataFrame, deals: pd.DataFrame, gone: set[str]) -> pd.DataFrame:
    """What each owner has in hand."""
    groups = accounts.groupby("owner")
    alone = accounts[accounts["n_owners"] == 1].groupby("owner")
    open_deals = deals[deals["outcome"] == "open"].groupby("owner")
    columns = {"n_accounts": groups.size(), "n_alone": alone.size(), "n_open": open_deals.size()}
    if "revenue" in accounts:
        columns |= {"revenue": groups["revenue"].sum(), "revenue_alone": alone["revenue"].sum()}
    if "amount" in deals:
        columns |= {"open_amount": open_deals["amount"].sum()}
    table = pd.DataFrame(columns).fillna(0.0).rename_axis("owner")
    counts = ["n_accounts", "n_alone", "n_open"]
    table = table.astype(dict.fromkeys(counts, "int64"))
    table.insert(0, "has_left", table.index.isin(gone))
    if "revenue" not in table:
        return table.sort_values(counts, ascending=False, kind="stable")
    total = table["revenue"].sum()
    table["share_of_revenue"] = table["revenue"] / total if total else float("nan")
    return table.sort_values("revenue", ascending=False, kind="stable")


def _concentration(by_owner: pd.DataFrame) -> pd.Series:
    of = "revenue" if "revenue" in by_owner else "n_accounts"
    values = by_owner[of].astype(float).clip(lower=0.0).sort_values(ascending=False)
    shares = values / values.sum() if values.sum() else values * float("nan")
    found = {
        "share_of_largest": shares.iloc[:1].sum(min_count=1),
        "share_of_top_5": shares.iloc[:5].sum(min_count=1),
        "effective_owners": 1 / (shares**2).sum(min_count=1),
    }
    return pd.Series(found, name=of, dtype=float)


def _sorted(accounts: pd.DataFrame) -> pd.DataFrame:
    order = "value_at_stake" if "value_at_stake" in accounts else "n_opportunities"
    return accounts.sort_values(order, ascending=False, kind="stable")
