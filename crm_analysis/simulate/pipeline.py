"""Opportunities: who comes, how far each one gets, when, and the stage history a CRM would have kept."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from crm_analysis.simulate.clock import LOG_END, LOG_FROM, Array, dates, day_number, timestamps, year_of
from crm_analysis.simulate.plan import (
    OWNER_SPREAD,
    SEGMENTS,
    SOURCE_EFFECT,
    SOURCE_MIX,
    SOURCES,
    STAGE_DAYS,
    STAGES,
    Plan,
    planned_leads,
)

WON, LOST = 4, 5
N_OWNERS, N_LEAVERS = 24, 6
SHARE_DUPLICATED, SHARE_BACK, SHARE_SKIPPED = 0.015, 0.04, 0.02
SHARE_REPRICED, SHARE_REDATED, SHARE_STALLED = 0.15, 0.10, 0.02
N_GIANT, GIANT = 16, 20.0
SHARE_REASON_RECORDED = 0.65
LOST_REASONS = ("Price", "Competitor", "No budget", "No answer", "Requirements not met", "Postponed")
# Chance of each reason by the stage at which the deal was lost.
REASON_CHANCE = np.array(
    [
        [0.05, 0.05, 0.20, 0.45, 0.05, 0.20],
        [0.15, 0.15, 0.20, 0.20, 0.15, 0.15],
        [0.35, 0.25, 0.10, 0.08, 0.12, 0.10],
        [0.45, 0.30, 0.08, 0.02, 0.05, 0.10],
    ]
)


@dataclass(frozen=True)
class Owners:
    """Sales people: names, first and last day (infinite: still there), weight, effects (log odds)."""

    name: Array
    hired: Array
    left: Array
    weight: Array
    effect: Array


@dataclass(frozen=True)
class Deals:
    """Opportunities as arrays of one length, in order of creation; times are day numbers.

    reached : moment of each stage, NaN where never; shape (n, 5).    lost_at : NaN where won.
    spend_z, rate_z : how large and how frequent a customer it would make (standard normal, correlated).
    duplicate_of : position of the original, -1 for originals.   new_owner : -1 where never handed over.
    """

    created: Array
    segment: Array
    source: Array
    owner: Array
    by_discount: Array
    spend_z: Array
    rate_z: Array
    size: Array
    phone: Array
    furthest: Array
    reached: Array
    lost_at: Array
    reason: Array
    duplicate_of: Array
    new_owner: Array
    stalled: Array

    def take(self, rows: Array) -> Deals:
        """Return the deals at positions `rows`."""
        return Deals(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @property
    def won(self) -> Array:
        """True where the deal is won, eventually."""
        return self.furthest == WON

    @property
    def closed_at(self) -> Array:
        """Moment at which the deal is won or lost, eventually."""
        return np.where(self.won, self.reached[:, WON], self.lost_at)


def draw_owners(rng: np.random.Generator) -> Owners:
    """24 sales people, ten of them hired later, six of them gone before the snapshot."""
    hired = np.zeros(N_OWNERS)
    hired[14:] = np.sort(rng.integers(200, 1600, N_OWNERS - 14))
    left = np.full(N_OWNERS, np.inf)
    first, last = day_number("2022-06-01"), day_number("2025-11-01")
    left[rng.choice(14, N_LEAVERS, replace=False)] = rng.integers(first, last, N_LEAVERS)
    return Owners(
        name=np.array([f"Owner {n:02d}" for n in range(1, N_OWNERS + 1)]),
        hired=hired,
        left=left,
        weight=rng.uniform(0.5, 1.5, N_OWNERS),
        effect=rng.normal(0.0, OWNER_SPREAD, (N_OWNERS, len(STAGE_DAYS))),
    )


def owner_table(owners: Owners) -> pd.DataFrame:
    """Firm's owner table: owner, hired_at, left_at."""
    return pd.DataFrame(
        {"owner": owners.name, "hired_at": dates(owners.hired), "left_at": dates(owners.left)}
    )


def assign_owners(at: Array, owners: Owners, rng: np.random.Generator) -> Array:
    """For each moment one owner employed then, drawn by weight."""
    employed = (owners.hired <= at[:, None]) & (at[:, None] < owners.left)
    score = np.where(employed, np.log(owners.weight) + rng.gumbel(size=employed.shape), -np.inf)
    return score.argmax(axis=1)


def stage_chances(plan: Plan, owners: Owners) -> Array:
    """P(goes on) by transition, segment, source and owner, shape (4, 3, 4, 24).

    Over the distribution of sources and of owners the mean of each transition and segment is the
    plan's rate exactly; the 24 owners drawn scatter around it, as real ones would.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    chances = np.empty((len(STAGE_DAYS), len(SEGMENTS), len(SOURCES), N_OWNERS))
    for k, rates in enumerate(plan.rates):
        source = SOURCE_EFFECT if k == 0 else np.zeros(len(SOURCES))
        spread = source[:, None] + OWNER_SPREAD * nodes
        chance = SOURCE_MIX[:, None] * weights / weights.sum()
        for s, rate in enumerate(rates):
            level = _level(rate, spread, chance)
            chances[k, s] = _expit(level + source[:, None] + owners.effect[:, k])
    return chances


def _level(rate: float, spread: Array, chance: Array) -> float:
    """Find the log odds at which the mean of expit(level + spread) is `rate`, by bisection."""
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        too_low = (chance * _expit(middle + spread)).sum() < rate
        low, high = (middle, high) if too_low else (low, middle)
    return (low + high) / 2


def _expit(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def draw_deals(plan: Plan, owners: Owners, rng: np.random.Generator) -> Deals:
    """Every opportunity created in the 72 months, with its whole future, duplicates included."""
    created, source = _draw_leads(plan, rng)
    n = len(created)
    owner = assign_owners(created, owners, rng)
    segment = rng.choice(len(SEGMENTS), n, p=plan.mix)
    chances = stage_chances(plan, owners)[:, segment, source, owner].T
    furthest = np.cumprod(rng.random(chances.shape) < chances, axis=1).sum(axis=1)
    reached, lost_at = _draw_times(created, furthest, plan.pace, rng)
    spend_z = rng.normal(size=n)
    reason_chance = np.cumsum(REASON_CHANCE, axis=1)[np.minimum(furthest, 3)]
    deals = Deals(
        created=created,
        segment=segment,
        source=source,
        owner=owner,
        by_discount=rng.random(n) < 0.15 + 0.04 * year_of(created),
        spend_z=spend_z,
        rate_z=0.4 * spend_z + np.sqrt(1 - 0.4**2) * rng.normal(size=n),
        size=_sizes(created, furthest, rng),
        phone=_phones(n, rng),
        furthest=furthest,
        reached=reached,
        lost_at=lost_at,
        reason=(rng.random(n)[:, None] > reason_chance).sum(axis=1),
        duplicate_of=np.full(n, -1),
        new_owner=np.full(n, -1),
        stalled=np.zeros(n, dtype=bool),
    )
    return _leave_behind(_stall(_with_duplicates(deals, owners, rng), rng), owners, rng)


def _draw_leads(plan: Plan, rng: np.random.Generator) -> tuple[Array, Array]:
    planned = planned_leads()
    counts = rng.poisson(planned["leads"].to_numpy() * plan.leads_per_spend)
    start = planned["month"].to_numpy()
    length = np.diff(np.append(start[:: len(SOURCES)], LOG_END)).repeat(len(SOURCES))
    created = np.repeat(start, counts) + rng.random(counts.sum()) * np.repeat(length, counts)
    source = np.repeat(np.arange(len(planned)) % len(SOURCES), counts)
    order = np.argsort(created)
    return created[order], source[order]


def _sizes(created: Array, furthest: Array, rng: np.random.Generator) -> Array:
    """1, and for a few of the deals that got as far as a proposal inside the log, GIANT."""
    candidates = np.flatnonzero((created >= LOG_FROM) & (furthest >= 2))
    size = np.ones(len(created))
    size[rng.choice(candidates, N_GIANT, replace=False)] = GIANT
    return size


def _draw_times(
    created: Array, furthest: Array, pace: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Moments of the stages and of the loss; lognormal gaps of at least half an hour's work."""
    n, spread = len(created), 0.7
    noise = rng.lognormal(-(spread**2) / 2, spread, (n, len(STAGE_DAYS) + 1))
    gaps = np.maximum(STAGE_DAYS * pace * noise[:, :4], 0.06)
    reached = created[:, None] + np.cumsum(np.column_stack([np.zeros(n), gaps]), axis=1)
    reached[np.arange(5) > furthest[:, None]] = np.nan
    last = reached[np.arange(n), furthest]
    wait = np.maximum(1.3 * pace * STAGE_DAYS[np.minimum(furthest, 3)] * noise[:, 4], 0.06)
    return reached, np.where(furthest == WON, np.nan, last + wait)


def _phones(n: int, rng: np.random.Generator) -> Array:
    """Telephone numbers as text, of exchanges that do not exist; land lines begin with zeros."""
    mobile = np.char.add("10", np.char.zfill(rng.integers(0, 10**9, n).astype(str), 9))
    city = np.array(["0001", "0002", "0003", "0004", "0005"])[rng.integers(0, 5, n)]
    land = np.char.add(city, np.char.zfill(rng.integers(20_000_000, 90_000_000, n).astype(str), 8))
    return np.where(rng.random(n) < 0.7, mobile, land)


def _with_duplicates(deals: Deals, owners: Owners, rng: np.random.Generator) -> Deals:
    """Add second records of the same prospect, made days later by whoever answered; none is won."""
    inside = deals.created >= LOG_FROM
    original = np.flatnonzero(inside & (rng.random(len(inside)) < SHARE_DUPLICATED))
    created = deals.created[original] + rng.uniform(1, 20, len(original))
    original, created = original[created < LOG_END], created[created < LOG_END]
    copies = deals.take(original)
    furthest = (rng.random(len(original)) < 0.25).astype(int)
    reached, lost_at = _draw_times(created, furthest, 1.0, rng)
    copies = replace(
        copies,
        created=created,
        owner=assign_owners(created, owners, rng),
        furthest=furthest,
        reached=reached,
        lost_at=lost_at,
        size=np.ones(len(original)),
        duplicate_of=original,
    )
    return _sorted(deals, copies)


def _sorted(deals: Deals, copies: Deals) -> Deals:
    """Both in one order of creation, with duplicate_of pointing to the new positions."""
    parts = {f.name: np.concatenate([getattr(deals, f.name), getattr(copies, f.name)]) for f in fields(Deals)}
    order = np.argsort(parts["created"], kind="stable")
    position = np.argsort(order)
    copied = parts["duplicate_of"] >= 0
    parts["duplicate_of"][copied] = position[parts["duplicate_of"][copied]]
    return Deals(**parts).take(order)


def _stall(deals: Deals, rng: np.random.Generator) -> Deals:
    """Close some lost deals a year or more late: nobody admits the loss."""
    stalled = (rng.random(len(deals.created)) < SHARE_STALLED) & ~deals.won
    delay = rng.uniform(400, 1200, len(stalled))
    return replace(deals, stalled=stalled, lost_at=deals.lost_at + np.where(stalled, delay, 0.0))


def _leave_behind(deals: Deals, owners: Owners, rng: np.random.Generator) -> Deals:
    """Hand over, or leave lying, the open deals of owners who leave.

    Deals that will go on are handed over; of those whose next event is the loss, most are left lying.
    Neither changes how a deal ends.
    """
    left = owners.left[deals.owner]
    affected = (deals.created < left) & (left < deals.closed_at)
    last = np.nanmax(deals.reached, axis=1)
    forgotten = affected & ~deals.won & (last < left) & (rng.random(len(left)) < 0.7)
    successor = assign_owners(np.where(affected, left, deals.created) + 0.01, owners, rng)
    return replace(
        deals,
        lost_at=deals.lost_at + np.where(forgotten, rng.uniform(300, 900, len(left)), 0.0),
        new_owner=np.where(affected & ~forgotten, successor, -1),
        stalled=deals.stalled | forgotten,
    )


def stage_history(
    deals: Deals, amount: Array, account: Array, owners: Owners, pace: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Return what the CRM kept: a row per stage entry, and one where only amount or expected close changed.

    Parameters
    ----------
    amount : value of each deal, CNY: what was ordered where won.
    account : customer_id where won before the snapshot, else "".

    Returns
    -------
    Sorted by id and time: id, stage, entered_at, owner, amount, expected_close, source, segment, phone,
    account_id (on the Won row), lost_reason (on the Lost row), and two columns that are not for the
    file: deal (position) and planted (which defect the row is, or "").
    """
    skipped = _choose_skips(deals, rng)
    rows = _with_extra_rows(_stage_rows(deals, skipped), deals, skipped, rng)
    rows = rows[(rows["at"] < LOG_END) & (deals.created[rows["deal"]] >= LOG_FROM)]
    rows = rows.sort_values(["deal", "at"], kind="stable", ignore_index=True)
    return _dress(rows, deals, amount, account, owners, pace, rng)


def _choose_skips(deals: Deals, rng: np.random.Generator) -> Array:
    """Mark stages that the deal passed but that were never entered in the CRM, shape (n, 5)."""
    n = len(deals.created)
    chosen = (rng.random(n) < SHARE_SKIPPED) & (deals.furthest >= 2)
    stage = 1 + np.floor(rng.random(n) * np.maximum(deals.furthest - 1, 1)).astype(int)
    skipped = np.zeros((n, 5), dtype=bool)
    skipped[chosen, stage[chosen]] = True
    return skipped


def _stage_rows(deals: Deals, skipped: Array) -> pd.DataFrame:
    deal, stage = np.nonzero(~np.isnan(deals.reached) & ~skipped)
    lost = np.flatnonzero(~deals.won)
    after_skip = np.zeros_like(skipped)
    after_skip[:, 1:] = skipped[:, :-1]
    return pd.DataFrame(
        {
            "deal": np.concatenate([deal, lost]),
            "stage": np.concatenate([stage, np.full(len(lost), LOST)]),
            "at": np.concatenate([deals.reached[deal, stage], deals.lost_at[lost]]),
            "planted": np.concatenate(
                [np.where(after_skip[deal, stage], "skipped stage", ""), [""] * len(lost)]
            ),
        }
    )


def _with_extra_rows(
    rows: pd.DataFrame, deals: Deals, skipped: Array, rng: np.random.Generator
) -> pd.DataFrame:
    n = len(deals.created)
    stage = np.floor(rng.random(n) * np.minimum(deals.furthest + 1, 4)).astype(int)
    here = ~skipped[np.arange(n), stage]
    back = here & (rng.random(n) < SHARE_BACK) & (stage >= 1) & ~skipped.any(axis=1)
    parts = [
        rows,
        _within(deals, stage, back, 0.30, shift=-1, planted="back-move"),
        _within(deals, stage, back, 0.55, shift=0, planted=""),
        _within(deals, stage, here & (rng.random(n) < SHARE_REPRICED), 0.75, shift=0, planted="re-priced"),
        _within(deals, stage, here & (rng.random(n) < SHARE_REDATED), 0.90, shift=0, planted="re-dated"),
    ]
    return pd.concat(parts, ignore_index=True)


def _within(
    deals: Deals, stage: Array, chosen: Array, part: float, *, shift: int, planted: str
) -> pd.DataFrame:
    """Rows written when `part` of the stay in `stage` had passed."""
    deal = np.flatnonzero(chosen)
    here = stage[deal]
    entered = deals.reached[deal, here]
    left = np.where(deals.furthest[deal] > here, deals.reached[deal, here + 1], deals.lost_at[deal])
    return pd.DataFrame(
        {"deal": deal, "stage": here + shift, "at": entered + part * (left - entered), "planted": planted}
    )


def _dress(
    rows: pd.DataFrame,
    deals: Deals,
    amount: Array,
    account: Array,
    owners: Owners,
    pace: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    deal, stage, at = (rows[c].to_numpy() for c in ("deal", "stage", "at"))
    handed_over = (deals.new_owner[deal] >= 0) & (at >= owners.left[deals.owner[deal]])
    owner = np.where(handed_over, deals.new_owner[deal], deals.owner[deal])
    recorded = (rng.random(len(deals.created)) < SHARE_REASON_RECORDED)[deal] & (stage == LOST)
    unrecorded = (stage == LOST) & ~recorded
    return pd.DataFrame(
        {
            "id": opportunity_ids(deals)[deal],
            "stage": np.array((*STAGES, "Lost"))[stage],
            "entered_at": timestamps(at),
            "owner": owners.name[owner],
            "amount": _quotes(rows, amount, rng),
            "expected_close": _expected_close(rows, deals, pace, rng),
            "source": np.array(SOURCES)[deals.source[deal]],
            "segment": np.array(SEGMENTS)[deals.segment[deal]],
            "phone": deals.phone[deal],
            "account_id": text_where(stage == WON, account[deal]),
            "lost_reason": text_where(recorded, lost_reasons(deals)[deal]),
            "deal": deal,
            "planted": np.where(unrecorded, "lost reason not recorded", rows["planted"]),
        }
    )


def opportunity_ids(deals: Deals) -> Array:
    """Six-digit text for the opportunities created inside the log, "" for older ones."""
    inside = deals.created >= LOG_FROM
    return np.where(inside, np.char.zfill(np.cumsum(inside).astype(str), 6), "")


def lost_reasons(deals: Deals) -> Array:
    """Return why each deal would be lost, whether recorded or not."""
    return np.where(deals.duplicate_of >= 0, "Duplicate", np.array(LOST_REASONS)[deals.reason])


def text_where(known: Array, values: Array) -> pd.Series:
    """Return `values` as text, missing where not known."""
    return pd.Series(values, dtype="str").where(known)


def _quotes(rows: pd.DataFrame, amount: Array, rng: np.random.Generator) -> Array:
    """Amount on each row: a round quote until the deal is won; it changes by stage and when re-priced."""
    deal, stage = rows["deal"].to_numpy(), rows["stage"].to_numpy()
    size = len(amount)
    spread = np.array([0.30, 0.20, 0.12, 0.06, 0.0])
    noise = np.exp(spread * rng.normal(size=(size, 5)))
    offered = np.maximum(np.round(amount[:, None] * noise, -2), 100.0)
    offered[:, WON] = amount
    last = np.minimum(stage, WON)
    last = np.where(stage == LOST, _stage_before(rows), last)
    quote = offered[deal, last]
    cut = np.where(rng.random(size) < 0.8, rng.uniform(0.80, 0.97, size), rng.uniform(1.03, 1.15, size))
    repriced = _since(rows, "re-priced") & (stage != WON)
    return np.where(repriced, np.maximum(np.round(quote * cut[deal], -1), 100.0), quote)


def _stage_before(rows: pd.DataFrame) -> Array:
    return rows["stage"].shift(fill_value=0).clip(upper=WON).to_numpy()


def _since(rows: pd.DataFrame, planted: str) -> Array:
    """Mark the row so planted and all later rows of the same deal."""
    return (rows["planted"] == planted).groupby(rows["deal"]).cummax().to_numpy()


def _expected_close(rows: pd.DataFrame, deals: Deals, pace: float, rng: np.random.Generator) -> Array:
    n = len(deals.created)
    first = deals.created + pace * STAGE_DAYS.sum() * rng.uniform(0.7, 1.5, n)
    delay = rng.uniform(20, 70, n)
    deal = rows["deal"].to_numpy()
    return dates(first[deal] + np.where(_since(rows, "re-dated"), delay[deal], 0.0))
