"""Delimited text: encoding, line ends and dialect are proven by the file or stated; nothing is sniffed.

`scan` looks at the bytes, `encoding` finds what they mean (`evidence` where no mark says it), `lines` mends
mixed line ends, `dialect` finds delimiter and header, `load` lets DuckDB read, and `ragged` says which lines
it could not; `swallowed` looks for rows that stray quotes hide. `door` calls them in turn.
"""

from crm_analysis.doors.sources.text.door import Prepared, open_text, prepared

__all__ = ["Prepared", "open_text", "prepared"]
