"""Where tables come from: files, packages, databases, frames; the only room that knows formats.

Files are read by DuckDB: text as text, with a dialect that the file proves or the caller states (`text`),
then typed column by column (`typed`, and `values` beside this folder). Database and Ibis tables stay where
they are, in their own engine. What can be understood in two ways is refused with the option that settles it.
"""

from crm_analysis.doors.sources.engine import connect, default_engine
from crm_analysis.doors.sources.opened import Options
from crm_analysis.doors.sources.paths import find_file, input_files
from crm_analysis.doors.sources.typed import SourceTable, read_table

__all__ = ["Options", "SourceTable", "connect", "default_engine", "find_file", "input_files", "read_table"]
