"""Purchase logs: every row kept, or set aside under a counted reason; then merged per order and day."""

from __future__ import annotations

from crm_analysis.doors.transactions.door import check_transactions, read_transactions
from crm_analysis.doors.transactions.log import Transactions, as_date
from crm_analysis.doors.transactions.merge import merge
from crm_analysis.doors.transactions.policies import Policies

__all__ = ["Policies", "Transactions", "as_date", "check_transactions", "merge", "read_transactions"]
