"""How often intervals of a comparison hold the planted truth, in pairs of simulated firms.

By hand: OMP_NUM_THREADS=1 .venv/bin/python tests/slow/gap_coverage.py [pairs] [setting ...]; the setting
"deal values" is about amounts alone. Each pair has owners of its own: the truth is the planted rate, the mean
over owners as such, not over those drawn.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

import crm_analysis as crm
from crm_analysis.funnel.counting.counts import assemble
from crm_analysis.simulate import pipeline, plan
from crm_analysis.simulate.clock import LOG_END, LOG_FROM

WAYS = {
    "independent": {"cluster": None},
    "by owner": {"cluster": "auto"},
    "by owner, drawn": {"cluster": "auto", "intervals": "bootstrap"},
}


@dataclass(frozen=True)
class Setting:
    """A kind of pair: what is planted, for how many days leads come, and how many owners there are;

    window : days given to each lead, duplicates included; infinite: all the time, and no duplicates.
    """

    variant: str = "second stage"
    days: int = LOG_END - LOG_FROM
    owners: int = pipeline.N_OWNERS
    window: float = np.inf


SETTINGS = {
    "sample firms": Setting(),
    "first stage": Setting("first stage"),
    "last stage": Setting("last stage"),
    "mix": Setting("mix"),
    "same": Setting("same"),
    "one year": Setting(days=365),
    "12 owners": Setting(owners=12),
    "6 owners": Setting(owners=6),
    "one year, 6 owners": Setting(days=365, owners=6),
    "one quarter, 6 owners": Setting(days=91, owners=6),
    "3 owners": Setting(owners=3),
    "one quarter, 3 owners": Setting(days=91, owners=3),
    "duplicates, 180 days": Setting(window=180.0),
}


def draw_counts(name: str, setting: Setting, rng: np.random.Generator) -> crm.funnel.StageCounts:
    """Draw a firm's leads of the last days of the log, each with all that it ever reached."""
    firm_plan = plan.plan(name, variant=setting.variant)
    place = np.arange(pipeline.N_OWNERS) % setting.owners
    drawn = pipeline.draw_owners(rng)
    owners = replace(drawn, effect=drawn.effect[place])
    draw = draw_reached if np.isfinite(setting.window) else draw_furthest
    furthest, owner, segment = draw(firm_plan, owners, setting, rng)
    members = pd.DataFrame(
        {
            "judged": True,
            "furthest": furthest,
            "last": furthest,
            "created_on": pd.Timestamp("2025-01-01"),
            "amount": np.nan,
            "owner": pd.Categorical.from_codes(place[owner], range(setting.owners)),
            "segment": pd.Categorical.from_codes(segment, plan.SEGMENTS),
        }
    )
    return assemble(members, plan.STAGES, days=None, learnt=False, level=0.95)


def draw_furthest(firm_plan, owners, setting, rng):
    """Furthest stage, owner and segment of each lead: the simulator's own draws, without what takes time."""
    created, source = pipeline._draw_leads(firm_plan, rng)
    kept = (created >= LOG_END - setting.days) & (created < LOG_END)
    created, source = created[kept], source[kept]
    owner = pipeline.assign_owners(created, owners, rng)
    segment = rng.choice(len(plan.SEGMENTS), len(created), p=firm_plan.mix)
    chances = pipeline.stage_chances(firm_plan, owners)[:, segment, source, owner].T
    furthest = np.cumprod(rng.random(chances.shape) < chances, axis=1).sum(axis=1)
    return furthest, owner, segment


def draw_reached(firm_plan, owners, setting, rng):
    """Return the same within a window of days, duplicates included, from whole deals."""
    deals = pipeline.draw_deals(firm_plan, owners, rng)
    deals = deals.take((deals.created >= LOG_END - setting.days) & (deals.created < LOG_END))
    furthest = (deals.reached <= deals.created[:, None] + setting.window).sum(axis=1) - 1
    return furthest, deals.owner, deals.segment


def judge(name: str, setting: Setting, n_pairs: int) -> pd.DataFrame:
    """Share of pairs whose intervals hold the truth: a row per way, a column per quantity."""
    split = plan.stage_split(setting.variant).set_index("transition")
    mixed = plan.mix_split(setting.variant).set_index("part")["contribution"]
    clear = bool(abs(split["contribution"].sum()) > 1)
    found: dict[str, dict[str, list[float]]] = {way: defaultdict(list) for way in WAYS}
    for i in range(n_pairs):
        rng = np.random.default_rng([i, *name.encode()])
        a, b = (draw_counts(firm, setting, rng) for firm in plan.FIRMS)
        for way, how in WAYS.items():
            gap = crm.funnel.compare(a, b, per="1000 entrants", rng=rng, **how)
            note(found[way], gap, split, clear)
            if "intervals" not in how:
                parts = crm.funnel.mix(a, b, cluster=how["cluster"])
                for part in ("mix", "rate"):
                    held = getattr(parts, f"{part}_low") <= mixed[part] <= getattr(parts, f"{part}_high")
                    found[way][part].append(held)
    rows = {way: {what: np.mean(values) for what, values in held.items()} for way, held in found.items()}
    return pd.DataFrame(rows).T


def note(held: dict[str, list[float]], gap: crm.funnel.Gap, split: pd.DataFrame, clear: bool) -> None:
    """Whether each interval of one gap holds its truth; stars are those of stages that do not differ."""
    rows = gap.contributions.iloc[1:]
    truth = split["contribution"]
    for k, name in enumerate(rows.index):
        held[f"stage {k + 1}"].append(rows["low"][name] <= truth[name] <= rows["high"][name])
    total = float(truth.sum())
    held["gap"].append(gap.gap_low <= total <= gap.gap_high)
    difference = split["rate_a"] - split["rate_b"]
    tested = gap.stages
    inside = (tested["low"] <= difference) & (difference <= tested["high"])
    held["rates' differences"].append(float(inside.mean()))
    equal = difference.abs() < 1e-12
    if equal.any():
        held["starred though equal"].append(bool((tested["p_holm"][equal] < 0.05).any()))
    if clear and gap.is_clear:
        largest = truth.abs().idxmax()
        share = truth[largest] / total
        held["largest share"].append(rows["share_low"][largest] <= share <= rows["share_high"][largest])
        held["largest named"].append(gap.largest == largest)
    held["width of the gap's interval"].append(gap.gap_high - gap.gap_low)


def judge_deal_values(n_firms: int) -> pd.DataFrame:
    """How often the interval of a mean deal value holds it, and how often the truth lies above it.

    Amounts are lognormal, a few of them twenty times as large, as the sample firms': 16 giants in some 2,500
    wins. Firm b's mean is known, so that the row of the split is 0 in truth.
    """
    rows = {}
    for wins in (240, 1000, 2400):
        for giants in (0.0, 16 / 2500):
            truth = np.exp(0.7**2 / 2) * (1 + 19 * giants)
            held = defaultdict(list)
            for i in range(n_firms):
                rng = np.random.default_rng([i, wins])
                size = np.where(rng.random(wins) < giants, 20.0, 1.0)
                amounts = rng.lognormal(0, 0.7, wins) * size
                for kind in ("delta", "bootstrap"):
                    row = _deal_value_row(amounts, truth, wins, kind, rng)
                    held[kind].append(row["low"] <= 0 <= row["high"])
                    held[f"{kind}, truth above"].append(row["high"] < 0)
            rows[f"{wins:,} wins, {'giants' if giants else 'no giants'}"] = {
                k: np.mean(v) for k, v in held.items()
            }
    return 100 * pd.DataFrame(rows).T


def _deal_value_row(amounts, truth, wins, kind, rng):
    deals = {"per": "revenue", "deal_value_a": amounts, "deal_value_b": truth}
    gap = crm.funnel.compare([10 * wins, wins], [10 * wins, wins], intervals=kind, rng=rng, **deals)
    return gap.contributions.loc["Deal value"]


def main(n_pairs: int, names: list[str]) -> None:
    """Print a table for each setting."""
    if "deal values" in names:
        sys.stdout.write(
            f"deal values, {n_pairs} firms\n{judge_deal_values(n_pairs).round(1).to_string()}\n\n"
        )
    for name in [name for name in names if name != "deal values"] or ([] if names else list(SETTINGS)):
        table = judge(name, SETTINGS[name], n_pairs)
        width = "width of the gap's interval"
        table = (100 * table.drop(columns=width)).round(1).join(table[width].round(1))
        sys.stdout.write(f"{name}, {n_pairs} pairs\n{table.T.to_string()}\n\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, sys.argv[2:])
