"""Sales pipelines of four shapes become one stage history and one row per opportunity."""

from __future__ import annotations

from crm_analysis.doors.pipeline.door import Pipeline, check_pipeline, read_pipeline
from crm_analysis.doors.pipeline.stages import Stages

__all__ = ["Pipeline", "Stages", "check_pipeline", "read_pipeline"]
