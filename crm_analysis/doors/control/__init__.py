"""Control totals: revenue and orders per period as we have them, beside those of the ledger."""

from crm_analysis.doors.control.clocks import Clocks
from crm_analysis.doors.control.door import Comparison, compare

__all__ = ["Clocks", "Comparison", "compare"]
