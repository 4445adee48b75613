"""A workspace proposed from an export: its columns by names and values, everything else to be confirmed.

A name proposes a column, its values have to fit, and two columns that fit are a question. Nothing proposed
is used before somebody has read it: the currency, the time zone and the days observed stay comments.
"""

from crm_analysis.doors.proposal.show import show
from crm_analysis.doors.proposal.workspace import (
    Proposed,
    check_name,
    propose_file,
    propose_workspace,
    write_workspace,
)

__all__ = ["Proposed", "check_name", "propose_file", "propose_workspace", "show", "write_workspace"]
