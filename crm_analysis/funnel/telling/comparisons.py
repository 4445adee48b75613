"""Two firms of a workspace: their pipelines read, counted and compared once, for everything a page says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.ageing.by_age import Incidence, incidence
from crm_analysis.funnel.ageing.maturity import maturity_window
from crm_analysis.funnel.ageing.speeds import Speed, compare_speed
from crm_analysis.funnel.comparing.gap import Gap
from crm_analysis.funnel.comparing.two_firms import compare
from crm_analysis.funnel.counting.counts import StageCounts
from crm_analysis.funnel.counting.stage_history import count_stages, count_wins

if TYPE_CHECKING:
    from crm_analysis.doors.pipeline import Pipeline


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two firms, a and b, side by side.

    firms, names : their keys in the workspace, and what they are called.
    pipelines, counts, incidences : of each, as seen at the same day, with the same window.
    gap : in wins per 1,000 entrants.
    speed : who takes longer.
    since, until : first and last creation date asked for.
    """

    firms: tuple[str, str]
    names: tuple[str, str]
    pipelines: tuple[Pipeline, Pipeline]
    counts: tuple[StageCounts, StageCounts]
    incidences: tuple[Incidence, Incidence]
    gap: Gap
    speed: Speed
    since: dt.date
    until: dt.date

    @property
    def stages_known(self) -> bool:
        """Whether both pipelines show how far lost opportunities came; if not, only wins are counted."""
        return all(pipeline.furthest_known for pipeline in self.pipelines)

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
        since=since,
        until=until,
    )


def _two(ws: Any, firms: Sequence[str]) -> tuple[str, str]:
    keys = list(firms) or [key for key in ws.firms if ws.settings.firm(key).pipeline]
    if len(keys) < 2 or any(ws.settings.firm(key).pipeline is None for key in keys[:2]):
        raise ConfigError(f"funnel: firms {keys}; expected two firms of the workspace that have a pipeline")
    return keys[0], keys[1]


def _open_share(counts: StageCounts) -> float:
    """Share of those judged that are open when their time is up."""
    return float(counts.table["n_open"].sum() / counts.counts[0])
