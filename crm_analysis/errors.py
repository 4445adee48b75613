"""What can go wrong, each as one sentence: where, which value, what was expected, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm_analysis.doors.verdict import Verdict


class CrmError(Exception):
    """Any refusal or failure that the package words itself."""


class DataError(CrmError):
    """The data cannot be used as they are; `verdict` lists every defect found, where a door found them."""

    def __init__(self, message: str, *, verdict: Verdict | None = None) -> None:
        super().__init__(message)
        self.verdict = verdict


class FitError(CrmError):
    """The data do not determine the model."""


class ConfigError(CrmError):
    """A workspace, a parameter or an argument is wrong: nothing was run."""


class ReportError(CrmError):
    """A report was started and did not come out."""
