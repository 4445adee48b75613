"""What the caller decides about rows that can be treated in more than one way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

import ibis.expr.types as ir

from crm_analysis.doors.customers import Customers
from crm_analysis.errors import ConfigError
from crm_analysis.workspace import Calendar, Control


@dataclass(frozen=True, kw_only=True)
class Policies:
    """What is done with rows that can be treated in more than one way.

    refunds : "net in order" takes refunds off the order they belong to, "net in period" off the customer's
        money on their own day, "set aside" leaves them out.
    cancelled_orders : orders whose id begins with this are cancellations, treated as refunds; netted in
        order, each is matched to the sale that it undoes.
    part_deliveries : lines of one order on several days are a purchase on "each day", or all on its
        "first day".
    bulk_orders : orders so large that they carry totals are flagged; "set aside" leaves them out.
    test_customers : ids, or patterns such as "TEST*", of customers who are none; set aside.
    drop_duplicates : exact duplicates are always counted; True sets all but one of each aside.
    max_set_aside : share of rows, above which the log is refused.
    closed_cohort : the customers are a fixed group, all acquired within the log.
    burn_in : customers first seen within this length of `observed_from` may be older than the log. By
        default "6 months" where the log shows that it begins in the middle of customers' lives, else none.
        A customer's `acquired_at` from the master goes before it.
    customers : a customer master, read by `read_customers`.
    currency : what all amounts are in, or converted to; a column currency that says otherwise is refused.
    rates : rates of exchange into it: read by `read_rates`, or a source with its columns called date,
        currency and rate. `missing_currency` = "own" takes rows without a currency to be in it.
    control, calendar : the ledger's totals and their tolerance; the calendar of its periods.
    """

    refunds: Literal["net in order", "net in period", "set aside"] = "net in order"
    cancelled_orders: str | None = None
    part_deliveries: Literal["each day", "first day"] = "each day"
    bulk_orders: Literal["keep", "set aside"] = "keep"
    test_customers: Sequence[str] = ()
    drop_duplicates: bool = False
    max_set_aside: float = 0.05
    closed_cohort: bool = False
    burn_in: str | None = None
    customers: Customers | ir.Table | None = None
    currency: str | None = None
    rates: Any = None
    missing_currency: Literal["set aside", "own"] = "set aside"
    control: Control | None = None
    calendar: Calendar | None = None

    def __post_init__(self) -> None:
        for name in ("refunds", "part_deliveries", "bulk_orders"):
            allowed = get_args(get_type_hints(Policies)[name])
            if getattr(self, name) not in allowed:
                raise ConfigError(
                    f"transactions: {name} = {getattr(self, name)!r}: {' or '.join(map(repr, allowed))} "
                    "was expected"
                )
        if isinstance(self.test_customers, str):
            raise ConfigError("transactions: test_customers is a list, such as ['TEST*', '4711']")
