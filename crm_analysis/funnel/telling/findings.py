"""Which sentence a comparison supports. The words are the report's; here is the key and what goes in."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

from crm_analysis.funnel.ageing.speeds import Speed
from crm_analysis.funnel.comparing.gap import Gap
from crm_analysis.rates import newcombe, normal_quantile, sample_size

CLEARLY_LARGEST = 0.8
WANTED_POWER = 0.8
# Differences in the share won that nobody would act on: in points, and of the larger share.
DELTA = 0.02
SMALL_PART = 0.1
# Beyond so many times the data at hand, "collect more" is no advice.
MOST_TIMES_MORE = 20


def finding(
    gap: Gap, *, speed: Speed | None = None, names: tuple[str, str] = ("A", "B"), delta: float = DELTA
) -> tuple[str, dict[str, float | str]]:
    """Key of the sentence to say about a gap, and its values.

    Parameters
    ----------
    gap : result of `compare`.
    speed : result of `compare_speed` for the same two firms, where times are known.
    names : of firms a and b.
    delta : a difference in the share won, 0.02 for two points, within which firms are about the same.

    Returns
    -------
    key, values. The rules, in order; intervals are those of the gap's and the speed's `level`:

    "slower_not_lower" : the interval of the difference in eventual conversion holds 0 and one firm's median
        time to win is longer, its interval leaving out 0; and either the gap's interval holds 0, or the
        row that accounts for most of it is a transition (a window too short for the slower firm).
    "about_the_same" : the interval of the difference in the share won lies within plus and minus `delta`,
        and either holds 0 or lies within a tenth of the larger share as well (1.2% is not about the same as
        2.4%). Asked only where the number of leads plays no part, of counts or per 1,000 entrants.
    "no_gap" : the gap's interval holds 0.
    "lead" : the gap is clear, and there is only one row that could account for it.
    "one_stage" : one row has a contribution in the direction of the gap whose interval leaves out 0, and is
        the largest with a probability of at least 80%.
    "tie_need_more" : no row is; the largest two could be told apart (power 80%) with up to 20 times the
        entrants at hand.
    "tie" : no row is, and more entrants would not help.

    All values hold: unit, level, n_a, n_b (entrants judged), value_a, value_b, gap, gap_low, gap_high
    (a - b), ahead, behind (names by the sign of the gap), lead, lead_low, lead_high (the gap's size, ahead -
    behind), value_ahead, value_behind.
    "one_stage" adds transition, contribution, contribution_low, contribution_high (in the direction of the
    lead), share, share_low, share_high (of the gap), p_largest.
    "tie", "tie_need_more" add transition_1, transition_2, share_1, share_2, share_both, p_largest (of the
    first); "tie_need_more" adds n_more (entrants a firm, beyond the mean of those at hand).
    "about_the_same" and "no_gap" add won_a, won_b (shares won), difference, difference_low, difference_high
    (a - b, Newcombe), delta, smallest_visible (the gap that would have been seen with a probability of 80%),
    and target and n_needed: opportunities a firm to see a difference of `target` in the share won, which is
    `delta`, or the difference at hand where those at hand were enough for `delta`; delta_points and
    target_points are the same in points.
    "slower_not_lower" adds slower, faster (names), days_slower, days_faster (medians), days_later,
    days_later_low, days_later_high, eventual_slower, eventual_faster, eventual_difference,
    eventual_difference_low, eventual_difference_high (slower - faster), smallest_visible.
    """
    values = _common(gap, names)
    first, second = _largest_two(gap)
    if speed is not None and _slower_not_lower(gap, speed, first):
        return "slower_not_lower", values | _visible(gap) | _speed_values(speed, names)
    won = _share_won(gap)
    if _about_the_same(gap, won, delta):
        return "about_the_same", values | _visible(gap) | won | _needed(gap, won, delta)
    if not gap.is_clear:
        return "no_gap", values | _visible(gap) | won | _needed(gap, won, delta)
    if _n_rows(gap) == 1:
        return "lead", values
    if _stands_out(gap, first):
        return "one_stage", values | _one_stage(gap, first)
    n_more = _entrants_to_tell_apart(gap, first, second)
    if n_more is None:
        return "tie", values | _tie(gap, first, second)
    return "tie_need_more", values | _tie(gap, first, second) | {"n_more": n_more}


def _share_won(gap: Gap) -> dict[str, float]:
    """Shares won of both firms, from first stage to wins, and their difference with its interval."""
    first, last = gap.stages.iloc[0], gap.stages.iloc[-1]
    (n_a, n_b), (k_a, k_b) = (first["n_a"], first["n_b"]), (last["k_a"], last["k_b"])
    # Opportunities of one owner resemble each other: so many say no more than so many fewer would.
    fewer = _as_many_fewer(gap)
    low, high = newcombe(k_a / fewer, n_a / fewer, k_b=k_b / fewer, n_b=n_b / fewer, level=gap.level)
    won_a, won_b = float(k_a / n_a), float(k_b / n_b)
    return {
        "won_a": won_a,
        "won_b": won_b,
        "difference": won_a - won_b,
        "difference_low": low,
        "difference_high": high,
    }


def _as_many_fewer(gap: Gap) -> float:
    return max(gap.design_effect, 1.0)


def _about_the_same(gap: Gap, won: dict[str, float], delta: float) -> bool:
    if (gap.contributions.iloc[0][["contribution", "low", "high"]] != 0).any():
        return False
    furthest = max(-won["difference_low"], won["difference_high"])
    small = max(won["won_a"], won["won_b"]) * SMALL_PART
    return furthest <= (min(delta, small) if gap.is_clear else delta)


def _needed(gap: Gap, won: dict[str, float], delta: float) -> dict[str, float | str]:
    """Opportunities a firm, owners in proportion, that would show the smallest difference worth seeing."""
    rate = (won["won_a"] + won["won_b"]) / 2
    targets = [delta, abs(won["difference"])] if won["difference"] else [delta]
    enough = [(t, _as_many_fewer(gap) * _to_see(rate, t, gap.level)) for t in targets]
    more = [pair for pair in enough if pair[1] > min(gap.n_entrants)]
    target, n_needed = (more or enough)[0]
    points = {"delta_points": 100 * delta, "target_points": 100 * target}
    return {"delta": delta, "target": target, "n_needed": n_needed, **points}


def _to_see(rate: float, difference: float, level: float) -> float:
    ends = (min(rate + difference / 2, 1.0), max(rate - difference / 2, 0.0))
    return sample_size(*ends, wanted_power=WANTED_POWER, level=level)


def _largest_two(gap: Gap) -> tuple[str, str]:
    """Rows with the largest contributions in the direction of the gap; one that is fixed at 0 is none."""
    direction = -1.0 if gap.gap < 0 else 1.0
    ranked = (gap.contributions["contribution"] * direction).sort_values(ascending=False, kind="stable")
    fixed = (gap.contributions[["contribution", "low", "high"]] == 0).all(axis=1)
    names = [str(name) for name in ranked.index if not fixed[name]]
    names += [str(name) for name in ranked.index if fixed[name]]
    return names[0], names[1]


def _n_rows(gap: Gap) -> int:
    """Rows that are not fixed at 0."""
    return int((gap.contributions[["contribution", "low", "high"]] != 0).any(axis=1).sum())


def _stands_out(gap: Gap, transition: str) -> bool:
    direction = math.copysign(1.0, gap.gap)
    row = _floats(gap.contributions.loc[transition])
    return (
        min(row["low"] * direction, row["high"] * direction) > 0
        and float(gap.p_largest[transition]) >= CLEARLY_LARGEST
    )


def _common(gap: Gap, names: tuple[str, str]) -> dict[str, float | str]:
    ahead, behind = names if gap.gap >= 0 else names[::-1]
    ends = (gap.gap_low, gap.gap_high) if gap.gap >= 0 else (-gap.gap_high, -gap.gap_low)
    return {
        "unit": gap.unit,
        "level": gap.level,
        "n_a": gap.n_entrants[0],
        "n_b": gap.n_entrants[1],
        "value_a": gap.value_a,
        "value_b": gap.value_b,
        "gap": gap.gap,
        "gap_low": gap.gap_low,
        "gap_high": gap.gap_high,
        "ahead": ahead,
        "behind": behind,
        "lead": abs(gap.gap),
        "lead_low": ends[0],
        "lead_high": ends[1],
        "value_ahead": max(gap.value_a, gap.value_b),
        "value_behind": min(gap.value_a, gap.value_b),
    }


def _one_stage(gap: Gap, transition: str) -> dict[str, float | str]:
    row = _floats(gap.contributions.loc[transition])
    ends = sorted(abs(row[end]) for end in ("low", "high"))
    return {
        "transition": transition,
        "contribution": abs(row["contribution"]),
        "contribution_low": ends[0],
        "contribution_high": ends[1],
        "share": row["share"],
        "share_low": row["share_low"],
        "share_high": row["share_high"],
        "p_largest": float(gap.p_largest[transition]),
    }


def _tie(gap: Gap, first: str, second: str) -> dict[str, float | str]:
    share = gap.contributions["share"]
    return {
        "transition_1": first,
        "transition_2": second,
        "share_1": float(share[first]),
        "share_2": float(share[second]),
        "share_both": float(share[first] + share[second]),
        "p_largest": float(gap.p_largest[first]),
    }


def _entrants_to_tell_apart(gap: Gap, first: str, second: str) -> float | None:
    """Entrants a firm beyond the mean of those at hand; None where no sensible number would do."""
    contrast = gap.contributions.index.to_numpy() == first
    weights = contrast.astype(float) - (gap.contributions.index.to_numpy() == second)
    difference = float(weights @ gap.contributions["contribution"].to_numpy())
    needed = float(weights @ gap.covariance.to_numpy() @ weights) * _wanted(gap.level) ** 2
    if needed > MOST_TIMES_MORE * difference**2:
        return None
    return max(needed / difference**2 - 1, 0.0) * sum(gap.n_entrants) / 2


def _visible(gap: Gap) -> dict[str, float | str]:
    se = math.sqrt(max(float(gap.covariance.to_numpy().sum()), 0.0))
    return {"smallest_visible": _wanted(gap.level) * se}


def _wanted(level: float) -> float:
    """How many standard errors an effect must measure to be seen with the wanted power."""
    return normal_quantile(level) + NormalDist().inv_cdf(WANTED_POWER)


def _slower_not_lower(gap: Gap, speed: Speed, largest: str) -> bool:
    if not speed.same_conversion or speed.slower is None:
        return False
    return not gap.is_clear or largest in gap.stages.index


def _speed_values(speed: Speed, names: tuple[str, str]) -> dict[str, float | str]:
    slow, fast = ("a", "b") if speed.slower == "a" else ("b", "a")
    sign = 1.0 if slow == "a" else -1.0
    eventual, median = _floats(speed.table.loc["eventual"]), _floats(speed.table.loc["median_days"])
    later = sorted(sign * median[end] for end in ("low", "high"))
    difference = sorted(sign * eventual[end] for end in ("low", "high"))
    return {
        "slower": names["ab".index(slow)],
        "faster": names["ab".index(fast)],
        "days_slower": median[slow],
        "days_faster": median[fast],
        "days_later": sign * median["difference"],
        "days_later_low": later[0],
        "days_later_high": later[1],
        "eventual_slower": eventual[slow],
        "eventual_faster": eventual[fast],
        "eventual_difference": sign * eventual["difference"],
        "eventual_difference_low": difference[0],
        "eventual_difference_high": difference[1],
    }


def _floats(row: Any) -> dict[str, float]:
    return {str(name): float(value) for name, value in row.items()}
