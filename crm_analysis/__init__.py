"""Customer selection, lifetime value, RFM segments and funnel comparison, for notebooks and reports.

Names are found when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_analysis import base, campaigns, clv, errors, figures, funnel, report, rfm, selection, simulate
    from crm_analysis.customers import customer_table, split_holdout, summarise_customers
    from crm_analysis.doors.campaigns import check_campaigns, read_campaigns
    from crm_analysis.doors.contacts import check_contacts, read_contacts
    from crm_analysis.doors.customers import check_customers, read_customers
    from crm_analysis.doors.events import check_events, read_events
    from crm_analysis.doors.pipeline import check_pipeline, read_pipeline
    from crm_analysis.doors.rates import read_rates
    from crm_analysis.doors.store import open_workspace
    from crm_analysis.doors.transactions import check_transactions, read_transactions
    from crm_analysis.workspace import Period

_ROOMS = ("base", "campaigns", "clv", "errors", "figures", "funnel", "report", "rfm", "selection", "simulate")
_HOMES = {
    "check_campaigns": "doors.campaigns",
    "check_contacts": "doors.contacts",
    "check_customers": "doors.customers",
    "check_events": "doors.events",
    "check_pipeline": "doors.pipeline",
    "check_transactions": "doors.transactions",
    "customer_table": "customers",
    "open_workspace": "doors.store",
    "Period": "workspace",
    "read_campaigns": "doors.campaigns",
    "read_contacts": "doors.contacts",
    "read_customers": "doors.customers",
    "read_events": "doors.events",
    "read_pipeline": "doors.pipeline",
    "read_rates": "doors.rates",
    "read_transactions": "doors.transactions",
    "split_holdout": "customers",
    "summarise_customers": "customers",
}

__all__ = [
    "Period",
    "base",
    "campaigns",
    "check_campaigns",
    "check_contacts",
    "check_customers",
    "check_events",
    "check_pipeline",
    "check_transactions",
    "clv",
    "customer_table",
    "errors",
    "figures",
    "funnel",
    "open_workspace",
    "read_campaigns",
    "read_contacts",
    "read_customers",
    "read_events",
    "read_pipeline",
    "read_rates",
    "read_transactions",
    "report",
    "rfm",
    "selection",
    "simulate",
    "split_holdout",
    "summarise_customers",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {__all__}")


def __dir__() -> list[str]:
    return __all__
