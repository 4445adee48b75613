"""By which rules stage histories are counted, checked before anything is counted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from crm_analysis.errors import ConfigError
from crm_analysis.funnel.counting.counts import Skipped
from crm_analysis.workspace import parse_length

Reentry = Literal["latest viable", "first entry"]
Back = Literal["counted", "undone"]
Exclusion = Literal["entity leaves", "chain ends"]
StepWindows = Mapping[str, str] | Sequence[str | None]
Exclude = Collection[str] | Mapping[str, str | Collection[str]]


@dataclass(frozen=True)
class Rules:
    """Rules of `count_stages` for stage histories, in terms of the stages that are counted.

    stages : those counted, in their order: the pipeline's, without excluded ones.
    step_days : days allowed into each stage from the one before; None where there is no limit, as for the
        first.
    excluded_stages : names of stages, counted or lost ones, that exclude who enters them.
    attributes : values of each attribute that leave an opportunity out.
    """

    stages: tuple[str, ...]
    skipped: Skipped = "imputed"
    step_days: tuple[int | None, ...] = ()
    reentry: Reentry = "latest viable"
    back: Back = "counted"
    exclusion: Exclusion = "entity leaves"
    excluded_stages: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] | None = None

    @property
    def in_steps(self) -> bool:
        """Whether a stage counts only after the one before, in order or in time."""
        return self.skipped == "strict" or any(days is not None for days in self.step_days)

    @property
    def time_of_all_steps(self) -> str | None:
        """Window within which every step has had its time, where each is limited."""
        days = [limit for limit in self.step_days[1:] if limit is not None]
        return f"{sum(days)} days" if len(days) == len(self.stages) - 1 else None

    def stated(self) -> dict[str, Any]:
        """Rules that differ from the default ones, by the name of their argument."""
        steps = {
            stage: days for stage, days in zip(self.stages, self.step_days, strict=True) if days is not None
        }
        exclude = {
            **({"stage": self.excluded_stages} if self.excluded_stages else {}),
            **(self.attributes or {}),
        }
        found = {
            "step_windows": steps,
            "reentry": self.reentry if self.reentry != "latest viable" else None,
            "back": self.back if self.back != "counted" else None,
            "exclude": exclude,
            "exclusion": self.exclusion if self.excluded_stages else None,
        }
        return {name: value for name, value in found.items() if value}


def rules_of(
    stages: Sequence[str],
    lost: Sequence[str],
    *,
    skipped: str,
    step_windows: StepWindows | None,
    reentry: str,
    back: str,
    exclude: Exclude,
    exclusion: str,
) -> Rules:
    """Check the rules against each other and against the stages of a pipeline."""
    _check_words(
        skipped=(skipped, Skipped),
        reentry=(reentry, Reentry),
        back=(back, Back),
        exclusion=(exclusion, Exclusion),
    )
    values = _excluded_values(exclude)
    gone = values.pop("stage", ())
    known = [*stages[1:-1], *lost]
    if unknown := [name for name in gone if name not in known]:
        raise ConfigError(f"funnel: exclude names the stage {unknown[0]!r}; these can be excluded: {known}")
    kept = tuple(stage for stage in stages if stage not in gone)
    return Rules(
        stages=kept,
        skipped=skipped,  # type: ignore[arg-type]
        step_days=_step_days(kept, step_windows),
        reentry=reentry,  # type: ignore[arg-type]
        back=back,  # type: ignore[arg-type]
        exclusion=exclusion,  # type: ignore[arg-type]
        excluded_stages=gone,
        attributes=values or None,
    )


def whole_days(length: str, what: str) -> int:
    """Return a length in whole days, at least one."""
    days = int(parse_length(length))
    if days < 1:
        raise ConfigError(f"funnel: {what} {length!r}; expected at least one day")
    return days


def _check_words(**given: tuple[str, Any]) -> None:
    wrong = [
        f"{name} {value!r}; expected one of {list(get_args(kind))}"
        for name, (value, kind) in given.items()
        if value not in get_args(kind)
    ]
    if wrong:
        raise ConfigError(f"funnel: {'; '.join(wrong)}")


def _excluded_values(exclude: Exclude) -> dict[str, tuple[str, ...]]:
    if isinstance(exclude, str):
        raise ConfigError(f"funnel: exclude {exclude!r}; expected a list of stages, or {{attribute: values}}")
    given = exclude if isinstance(exclude, Mapping) else {"stage": exclude} if exclude else {}
    return {
        name: (found,) if isinstance(found, str) else tuple(str(value) for value in found)
        for name, found in given.items()
    }


def _step_days(stages: tuple[str, ...], windows: StepWindows | None) -> tuple[int | None, ...]:
    if windows is None:
        return (None,) * len(stages)
    if not isinstance(windows, Mapping):
        if isinstance(windows, str) or len(windows) != len(stages) - 1:
            raise ConfigError(
                f"funnel: step_windows {windows!r}; expected {len(stages) - 1} lengths, one per stage after "
                "the first (None for no limit), or {stage: length}"
            )
        windows = {
            stage: given for stage, given in zip(stages[1:], windows, strict=True) if given is not None
        }
    if unknown := [stage for stage in windows if stage not in stages[1:]]:
        raise ConfigError(
            f"funnel: step_windows names {unknown[0]!r}; a window is the time allowed into one of "
            f"{list(stages[1:])} from the stage before"
        )
    days = {stage: whole_days(length, f"window into {stage}") for stage, length in windows.items()}
    return tuple(days.get(stage) for stage in stages)
