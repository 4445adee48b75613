"""Time the tables of `crm_analysis.funnel.pipeline` on a million deals in DuckDB, seconds of processor time.

OMP_NUM_THREADS=1 .venv/bin/python benchmarks/pipeline_tables.py [deals]
"""

# ruff: noqa: E501

from __future__ import annotations

import datetime as dt
import sys
import time
from types import SimpleNamespace

import ibis
import pandas as pd

from crm_analysis import funnel

SOURCES = ("Web", "Fair", "Post", "Referral")
STAGES = ("Lead", "Qualified", "Proposal", "Negotiation", "Won")
SNAPSHOT = dt.date(2025, 12, 31)
# Deals of 1 to 6 entries, a few of which go back; u decides pace, outcome and reason.
TABLES = """
select setseed(0.5);
create table deals as select printf('%07d', i) as opportunity_id, 1 + cast(floor(random() * 6) as int) as k,
    date '2023-01-01' + cast(random() * 900 as int) as created_on, random() as u,
    'Owner ' || cast(random() * 60 as int) as owner, round(exp(7 + random() * 2), 2) as amount,
    ['Web', 'Fair', 'Post', 'Referral'][1 + cast(floor(random() * 4) as int)] as source
from range({n}) t(i);
create table entries as select opportunity_id, cast(j as bigint) as sequence,
    created_on + cast(j * (3 + u * 20) as int) as entered_on,
    case when j < k - 1 or u > 0.97 then (case when j = 2 and u between 0.5 and 0.6 then 0 else least(j, 3) end)
        when u < 0.3 then 4 end as stage_number
from deals, unnest(range(k)) r(j);
create table history as select opportunity_id, sequence, cast(stage_number as bigint) as stage_number, entered_on,
    coalesce(['Lead', 'Qualified', 'Proposal', 'Negotiation', 'Won'][cast(stage_number as int) + 1], 'Lost') as stage
from entries where entered_on <= date '2025-12-31' order by 1, 2;
create table opportunities as select d.opportunity_id, created_on, owner, amount, source, stage as current_stage,
    case stage when 'Won' then 'won' when 'Lost' then 'lost' else 'open' end as outcome,
    case when stage in ('Won', 'Lost') then entered_on end as closed_on,
    case when stage = 'Lost' and u < 0.8 then ['Price', 'Time', 'Budget'][1 + cast(floor(u * 3.7) as int)] end
        as lost_reason
from deals d join (select opportunity_id, arg_max(stage, sequence) as stage, max(entered_on) as entered_on
    from history group by 1) l using (opportunity_id) order by 1;
"""


def pipeline(n: int) -> SimpleNamespace:
    """`n` deals as a door would hand them over."""
    engine = ibis.duckdb.connect()
    engine.raw_sql(TABLES.format(n=n))
    tables = {name: engine.table(name) for name in ("history", "opportunities")}
    fixed = {"stages": STAGES, "lost": ("Lost",), "snapshot_at": SNAPSHOT}
    return SimpleNamespace(**tables, **fixed, shape="history", furthest_known=True)


def main(n: int) -> None:
    """Print the processor seconds of each table."""
    deals = pipeline(n)
    months = pd.date_range("2023-01-01", "2025-06-01", freq="MS")
    spend = pd.DataFrame([(m, s, 1e5) for m in months for s in SOURCES], columns=["month", "source", "spend"])
    nobody = SimpleNamespace(**vars(deals) | {"opportunities": deals.opportunities.drop("owner")})
    asked = {
        "velocity": lambda: funnel.velocity(deals),
        "win_rates": lambda: funnel.win_rates(deals),
        "win_rates by source": lambda: funnel.win_rates(deals, by="source"),
        "time_in_stages": lambda: funnel.time_in_stages(deals),
        "aged": lambda: funnel.aged(deals),
        "flow_check": lambda: funnel.flow_check(deals, since="2025-01-01", until="2025-12-31"),
        "stage_chain by owner": lambda: funnel.stage_chain(deals),
        "stage_chain by deal": lambda: funnel.stage_chain(nobody),
        "lost_reasons": lambda: funnel.lost_reasons(deals),
        "source_returns": lambda: funnel.source_returns(deals, spend, margin=0.3),
        "nurture": lambda: funnel.nurture(deals, lost_if_neglected=0.2),
    }
    print(f"{n:,} deals, {deals.history.count().to_pyarrow().as_py():,} entries")
    for name, ask in asked.items():
        cpu, wall = time.process_time(), time.perf_counter()
        ask()
        print(
            f"{name:22}{time.process_time() - cpu:7.2f} s cpu {time.perf_counter() - wall:7.2f} s", flush=True
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
