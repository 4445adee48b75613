"""What a comparison hints at: rules with thresholds, each with the sentence that it supports.

The words are the report's; here are the keys and what goes in. The rules, in order:

| key | when | says |
|---|---|---|
| "zombies" | over 30% of a firm's open opportunities are older than any that it ever closed | clean the pipeline before comparing |
| "immature" | over 20% of a firm's entrants are not yet known | run again after a day |
| "simpson" | the firm behind in total is ahead within segments, beyond chance (`Mix.reversal`) | read the segments, not the totals |
| "mix_driven" | the mix of segments is more than half of a clear gap, in its direction, and its interval leaves out 0 | different customers, not different selling |
| "slower_not_lower" | same eventual share won, one firm's median time to win longer | same rate, so many days longer |
| "looser_qualification" | a transition better and the next worse, both beyond chance (Holm) in the rates and in the contributions' intervals, the smaller contribution at least a third of the larger | judge both together |
| "one_stage" | the largest contribution's interval leaves out 0, and it is the largest with a probability of at least 80% | act here first |
| "tie_need_more" | the gap is clear, no transition is, and up to 20 times the data would tell the largest two apart | so many more are needed |
| "tie" | the same, and more data would not | judge both |

The first two are about the data: each is said where it holds, beside what follows. Of the others only the first
that holds is said, and none where nothing holds.
"""  # noqa: E501

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pandas as pd

from crm_analysis.funnel.ageing.by_age import Incidence
from crm_analysis.funnel.ageing.speeds import Speed
from crm_analysis.funnel.comparing.gap import Gap
from crm_analysis.funnel.comparing.segments import Mix
from crm_analysis.funnel.counting.counts import StageCounts
from crm_analysis.funnel.telling.findings import finding

MOST_STALLED = 0.3
MOST_IMMATURE = 0.2
# How large a part the opposite neighbour must be before two transitions are one story.
LEAST_OFFSET = 1 / 3
MOSTLY = 0.5
MIX_VALUES = ("gap", "gap_low", "gap_high", "mix", "mix_low", "mix_high", "rate", "rate_low", "rate_high")
_BOTH = ("transition_1", "transition_2")

Values = dict[str, Any]
Hint = tuple[str, Values]


def hints(
    gap: Gap,
    *,
    counts: Sequence[StageCounts] = (),
    incidences: Sequence[Incidence] = (),
    speed: Speed | None = None,
    mix: Mix | None = None,
    names: tuple[str, str] = ("A", "B"),
) -> list[Hint]:
    """What to do about a gap, and what to see to first: keys of sentences with their values.

    The rules, their order and thresholds are the table at the top of this module.

    Parameters
    ----------
    gap : result of `compare`.
    counts : of firms a and b, as the gap rests on; without them nobody is too young.
    incidences : of firms a and b; without them nothing is stalled.
    speed : result of `compare_speed`; without it nobody is slower.
    mix : result of `mix` for the same counts; without it segments play no part.
    names : of firms a and b.

    Returns
    -------
    list of (key, values); values are numbers, names and dates. Every number is also in a table of what was
    given.
    """
    found = [_zombies(incidences, names), _immature(counts, names)]
    return [hint for hint in found if hint] + _reading(gap, speed=speed, mix=mix, names=names)


def _reading(gap: Gap, *, speed: Speed | None, mix: Mix | None, names: tuple[str, str]) -> list[Hint]:
    """The first rule on what lies behind the gap that holds, if any."""
    said = finding(gap, speed=speed, names=names)
    if mix is not None and (by_segment := _segments(mix, names)):
        return [by_segment]
    if said[0] == "slower_not_lower":
        return [said]
    if loose := _looser(gap, names):
        return [loose]
    return [said] if said[0] in ("one_stage", "tie", "tie_need_more") else []


def _segments(mix: Mix, names: tuple[str, str]) -> Hint | None:
    driven = mix.mix_driven and mix.mix * mix.gap > 0 and mix.mix_low * mix.mix_high > 0
    if not mix.reversal and not driven:
        return None
    ahead, behind = names if mix.gap >= 0 else names[::-1]
    values = {name: getattr(mix, name) for name in MIX_VALUES}
    values |= {
        "by": f"{mix.by}s",
        "ahead": ahead,
        "behind": behind,
        "share": mix.mix / mix.gap,
        "unit": mix.unit,
    }
    return ("simpson" if mix.reversal else "mix_driven"), values


def _zombies(incidences: Sequence[Incidence], names: tuple[str, str]) -> Hint | None:
    shares = [len(i.stalled) / i.n_open if i.n_open else 0.0 for i in incidences]
    if not any(share > MOST_STALLED for share in shares):
        return None
    return "zombies", _of_firms(
        names,
        n_stalled=[len(i.stalled) for i in incidences],
        n_open=[i.n_open for i in incidences],
        stalled_share=shares,
    )


def _immature(counts: Sequence[StageCounts], names: tuple[str, str]) -> Hint | None:
    shares = [c.n_not_yet_known / c.n_entrants for c in counts]
    if not any(share > MOST_IMMATURE for share in shares):
        return None
    values = _of_firms(
        names,
        n_young=[c.n_not_yet_known for c in counts],
        n_entrants=[c.n_entrants for c in counts],
        young_share=shares,
    )
    return "immature", values | {"day": max(all_known_on(c) for c in counts)}


def all_known_on(counts: StageCounts) -> dt.date:
    """Day on which the youngest opportunity counted is as old as the window."""
    created = pd.to_datetime(counts.known_members()["created_on"])
    return (created.max() + pd.Timedelta(days=counts.window_days or 0)).date()


def _of_firms(names: tuple[str, str], **values: list[float]) -> Values:
    """Values of both firms under names that end in _a and _b."""
    said = {f"{name}_{firm}": v for name, pair in values.items() for firm, v in zip("ab", pair, strict=True)}
    return {"name_a": names[0], "name_b": names[1]} | said


def opposed(gap: Gap) -> pd.DataFrame:
    """Neighbouring transitions whose contributions have opposite signs, each two taken as one.

    Columns as `Gap.pairs`, with transition_1 and transition_2 (the names of the two) before them and offset
    (the smaller contribution over the larger, in size) behind.
    """
    names = list(map(str, gap.stages.index))
    both = gap.pairs[["first", "second"]].abs()
    named = gap.pairs.assign(offset=both.min(axis=1) / both.max(axis=1))
    named.insert(0, "transition_1", names[:-1])
    named.insert(1, "transition_2", names[1:])
    return named[named["opposite"].astype(bool)].drop(columns="opposite")


def _looser(gap: Gap, names: tuple[str, str]) -> Hint | None:
    """Two neighbouring transitions, one better and the next worse, that nearly make up for each other."""
    pairs = opposed(gap)
    close = [
        name
        for name, pair in pairs.iterrows()
        if pair["offset"] >= LEAST_OFFSET and all(_beyond_chance(gap, pair[k]) for k in _BOTH)
    ]
    if not close:
        return None
    pair = pairs.loc[close].sort_values("offset", ascending=False, kind="stable").iloc[0]
    first, second = gap.stages.loc[pair["transition_1"]], gap.stages.loc[pair["transition_2"]]
    loose, strict = ("a", "b") if first["difference"] > 0 else ("b", "a")
    called = {"a": names[0], "b": names[1]}
    return "looser_qualification", {
        "looser": called[loose],
        "stricter": called[strict],
        "transition_1": pair["transition_1"],
        "transition_2": pair["transition_2"],
        "both": pair.name,
        **{f"rate_{k}_looser": row[f"rate_{loose}"] for k, row in ((1, first), (2, second), ("both", pair))},
        **{
            f"rate_{k}_stricter": row[f"rate_{strict}"]
            for k, row in ((1, first), (2, second), ("both", pair))
        },
        **{name: pair[name] for name in ("contribution", "low", "high", "p")},
        "unit": gap.unit,
    }


def _beyond_chance(gap: Gap, transition: str) -> bool:
    part = gap.contributions.loc[transition]
    return bool(gap.stages["p_holm"][transition] < 1 - gap.level and part["low"] * part["high"] > 0)
