"""Two firms of a workspace: their pipelines read, counted and compared once, for everything a page says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.ageing.by_age import Incidence, incidence
from crm_analysis.funnel.ageing.maturity import maturity_window
from crm_analysis.funnel.ageing.speeds import Speed, compare_speed
from crm_analysis.funnel.comparing.gap import Gap
from crm_analysis.funnel.comparing.robustness import leave_out
from crm_analysis.funnel.comparing.segments import Mix, mix
from crm_analysis.funnel.comparing.two_firms import compare
from crm_analysis.funnel.counting.counts import StageCounts, side_by_side
from crm_analysis.funnel.counting.stage_history import count_stages, count_wins
from crm_analysis.funnel.telling.findings import finding
from crm_analysis.funnel.telling.hinting import MIX_VALUES, Hint, hints

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two firms, a and b, side by side.

    firms, names : their keys in the workspace, and what they are called.
    pipelines, counts, incidences : of each, as seen at the same day, with the same window.
    gap : in wins per 1,000 entrants.
    speed : who takes longer.
    mix : the same gap by segment, or by source where no segments are mapped; None without both.
    since, until : first and last creation date asked for.
    """

    firms: tuple[str, str]
    names: tuple[str, str]
    pipelines: tuple[Pipeline, Pipeline]
    counts: tuple[StageCounts, StageCounts]
    incidences: tuple[Incidence, Incidence]
    gap: Gap
    speed: Speed
    mix: Mix | None
    since: dt.date
    until: dt.date

    @property
    def stages_known(self) -> bool:
        """Whether both pipelines show how far lost opportunities came; if not, only wins are counted."""
        return all(pipeline.furthest_known for pipeline in self.pipelines)

    @property
    def finding(self) -> tuple[str, dict[str, Any]]:
        """Key of the headline and its values."""
        return finding(self.gap, speed=self.speed, names=self.names)

    @property
    def hints(self) -> list[Hint]:
        """What to do, and what to see to first: keys and values, as `hints` gives them."""
        return hints(
            self.gap,
            counts=self.counts,
            incidences=self.incidences,
            speed=self.speed,
            mix=self.mix,
            names=self.names,
        )

    def mix_facts(self) -> dict[str, Any]:
        """Values of the sentence about mix and rates; none without segments and sources."""
        if self.mix is None:
            return {}
        return {name: getattr(self.mix, name) for name in MIX_VALUES} | {
            "by": f"{self.mix.by}s",
            "unit": self.mix.unit,
        }

    @cached_property
    def robustness(self) -> dict[str, Any]:
        """Values of the sentence on leaving out any one owner; none where no owners are mapped."""
        if not all("owner" in counts.known_members() for counts in self.counts):
            return {}
        found = leave_out(*self.counts)
        return {
            "transition": found.largest,
            "n": len(found.table),
            "n_same": int(found.table["same"].sum()),
            "low": found.table["contribution"].min(),
            "high": found.table["contribution"].max(),
            "p_largest": float(self.gap.p_largest[found.largest]),
            "unit": self.gap.unit,
        }

    @property
    def robustness_table(self) -> pd.DataFrame:
        """Return the values of `robustness` as a table of one row; no rows where no owners are mapped."""
        found = self.robustness
        return pd.DataFrame([found] if found else []).drop(columns="unit", errors="ignore")

    @property
    def funnels(self) -> pd.DataFrame:
        """Both funnels as one tidy table."""
        return side_by_side(dict(zip(self.names, self.counts, strict=True)))

    @property
    def curves(self) -> pd.DataFrame:
        """Shares won and lost by age of both firms as one tidy table."""
        of = dict(zip(self.names, (found.curve for found in self.incidences), strict=True))
        return pd.concat(of, names=["firm"]).reset_index()

    def figure_facts(self) -> dict[str, Any]:
        """Values of the sentences under figures: the largest part, the rates furthest apart, and times."""
        parts = self.gap.contributions.loc[self.gap.stages.index]
        largest = str((parts["contribution"] * (1 if self.gap.gap >= 0 else -1)).idxmax())
        apart = str(self.gap.stages["difference"].abs().fillna(0).idxmax())
        wins, days = self.speed.table.loc["eventual"], self.speed.table.loc["median_days"]
        return {
            "largest": largest,
            "part": parts["contribution"][largest],
            "part_low": parts["low"][largest],
            "part_high": parts["high"][largest],
            "apart": apart,
            "apart_a": self.gap.stages["rate_a"][apart],
            "apart_b": self.gap.stages["rate_b"][apart],
            "days_a": days["a"],
            "days_b": days["b"],
            "ever_a": wins["a"],
            "ever_b": wins["b"],
            "p_won": self.speed.gray["p"]["won"],
            "p_lost": self.speed.gray["p"]["lost"],
        }

    def bars(self, gap: Gap) -> dict[str, Any]:
        """What a waterfall of a gap between the two firms starts and ends with."""
        return {"start": gap.value_b, "end": gap.value_a, "names": self.names, "unit": gap.unit}

    def connected(self) -> list[tuple[str, str, str]]:
        """Names of transitions, each with the stage before and after, of the single ones and of pairs."""
        stages, n = self.counts[0].stages, len(self.counts[0].stages)
        steps = [(i, i + k) for k in (1, 2) for i in range(n - k)]
        return [(f"{stages[i]} to {stages[j]}", stages[i], stages[j]) for i, j in steps]

    def facts(self) -> dict[str, Any]:
        """Values of the sentence that says what the comparison rests on."""
        a, b = self.counts
        return {
            "name_a": self.names[0],
            "name_b": self.names[1],
            "n_a": a.counts[0],
            "n_b": b.counts[0],
            "days": a.window_days,
            "since": min(d for c in self.counts if (d := c.entered_from)),
            "until": max(d for c in self.counts if (d := c.entered_until)),
            "snapshot": max(pipeline.snapshot_at for pipeline in self.pipelines),
            "n_young_a": a.n_not_yet_known,
            "n_young_b": b.n_not_yet_known,
            "open_share_a": _open_share(a),
            "open_share_b": _open_share(b),
        }


def compare_firms(
    ws: Any,
    *,
    firms: Sequence[str] = (),
    since: dt.date,
    until: dt.date,
    window: str = "",
) -> Comparison:
    """Compare two firms of a workspace: opportunities created in a period, each given the same time.

    Parameters
    ----------
    ws : an opened workspace.
    firms : keys of two firms; the first two that have a pipeline where none are given.
    since, until : first and last creation date; the pipelines are seen as they stood at `until`.
    window : time given to each opportunity, such as "180 days"; where empty, the time until 95% of the wins
        that happen have happened, of the slower firm.

    Raises
    ------
    ConfigError
        There are not two firms with a pipeline.
    """
    keys = _two(ws, firms)
    pipelines = [ws.pipeline(key, until=until) for key in keys]
    given = window or maturity_window(*pipelines)
    count = count_stages if all(p.furthest_known for p in pipelines) else count_wins
    a, b = (count(pipeline, window=given, entered_from=since) for pipeline in pipelines)
    ages = ["30 days", "90 days", "180 days"]
    incidences = (incidence(pipelines[0], at=ages), incidence(pipelines[1], at=ages))
    return Comparison(
        firms=keys,
        names=(ws.firm_name(keys[0]), ws.firm_name(keys[1])),
        pipelines=(pipelines[0], pipelines[1]),
        counts=(a, b),
        incidences=incidences,
        gap=compare(a, b, per="1000 entrants"),
        speed=compare_speed(*incidences),
        mix=_mix(a, b),
        since=since,
        until=until,
    )


def _two(ws: Any, firms: Sequence[str]) -> tuple[str, str]:
    keys = list(firms) or [key for key in ws.firms if ws.settings.firm(key).pipeline]
    if len(set(keys[:2])) < 2 or any(ws.settings.firm(key).pipeline is None for key in keys[:2]):
        raise ConfigError(f"funnel: firms {keys}; expected two firms of the workspace that have a pipeline")
    return keys[0], keys[1]


def _mix(a: StageCounts, b: StageCounts) -> Mix | None:
    known = [set(counts.known_members()) for counts in (a, b)]
    by = next((name for name in ("segment", "source") if all(name in columns for columns in known)), None)
    return mix(a, b, by=by) if by else None


def _open_share(counts: StageCounts) -> float:
    """Share of those judged that are open when their time is up."""
    return float(counts.table["n_open"].sum() / counts.counts[0])
