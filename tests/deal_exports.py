"""Exports of deals as CRMs write them, made from one pipeline whose steps are known."""

from __future__ import annotations

import datetime as dt

import pandas as pd

STAGES = ("Discovery", "Qualified", "Proposal", "Closed Won")
LOST = "Closed Lost"
AT = dt.date(2025, 6, 30)
START = dt.date(2025, 1, 2)


def steps(n: int = 24) -> pd.DataFrame:
    """Stage entries of `n` deals: id, stage, at, amount; won, lost in each stage, open, one that skips."""
    rows = []
    for k in range(n):
        path = [*STAGES[: 1 + k % 4]]
        if k % 8 == 7:
            path.remove("Qualified")
        if k % 4 != 3 and k % 3:
            path.append(LOST)
        day = START + dt.timedelta(days=k)
        for i, stage in enumerate(path):
            rows.append((f"006{k:012d}", stage, day + dt.timedelta(days=7 * i + k % 3), 100.0 * (k + 1)))
    table = pd.DataFrame(rows, columns=["id", "stage", "at", "amount"])
    return table.assign(at=pd.to_datetime(table["at"]))


def ends(table: pd.DataFrame) -> pd.DataFrame:
    """One row per deal: created, stage now, furthest stage that is not an end, closed where it is."""
    by_id = table.groupby("id")
    found = by_id.agg(
        created=("at", "min"), stage=("stage", "last"), closed=("at", "max"), amount=("amount", "last")
    )
    is_end = found["stage"].isin([STAGES[-1], LOST])
    found["closed"] = found["closed"].where(is_end)
    inside = table[~table["stage"].isin([STAGES[-1], LOST])].groupby("id")["stage"].last()
    found["last"] = inside
    return found.reset_index()


def salesforce_history(table: pd.DataFrame) -> pd.DataFrame:
    """The report Opportunity History: a row per change of stage, and of the amount."""
    before = table.groupby("id")["stage"].shift()
    out = pd.DataFrame(
        {
            "Opportunity ID": table["id"],
            "Opportunity Name": "Deal " + table["id"].str[-3:],
            "From Stage": before,
            "To Stage": table["stage"],
            "Stage Duration": 7,
            "Edit Date": table["at"].dt.strftime("%m/%d/%Y"),
            "Amount": table["amount"].map("${:,.2f}".format),
            "Close Date": "12/31/2025",
            "Probability (%)": 50,
            "Created Date": table.groupby("id")["at"].transform("min").dt.strftime("%m/%d/%Y"),
        }
    )
    again = out.iloc[[0]].assign(
        **{"From Stage": "Discovery", "Edit Date": "01/03/2025", "Amount": "$999.00"}
    )
    return pd.concat([out, again], ignore_index=True)


def salesforce_object(table: pd.DataFrame) -> pd.DataFrame:
    """OpportunityHistory: times in UTC, no stage before."""
    return pd.DataFrame(
        {
            "Id": [f"008{i:012d}" for i in range(len(table))],
            "OpportunityId": table["id"],
            "StageName": table["stage"],
            "Amount": table["amount"],
            "CloseDate": "2025-12-31",
            "CreatedDate": table["at"].dt.strftime("%Y-%m-%dT18:30:00.000Z"),
        }
    )


def salesforce_fields(table: pd.DataFrame) -> pd.DataFrame:
    """OpportunityFieldHistory: changes of any field, none at creation."""
    before = table.groupby("id")["stage"].shift()
    changes = pd.DataFrame(
        {
            "OpportunityId": table["id"],
            "Field": "StageName",
            "OldValue": before,
            "NewValue": table["stage"],
            "CreatedDate": table["at"].dt.strftime("%Y-%m-%d 09:00:00"),
        }
    )[before.notna()]
    first = table.drop_duplicates("id")
    others = pd.DataFrame(
        {
            "OpportunityId": first["id"],
            "Field": "Amount",
            "OldValue": None,
            "NewValue": first["amount"].astype(str),
            "CreatedDate": first["at"].dt.strftime("%Y-%m-%d 10:00:00"),
        }
    )
    return pd.concat([changes, others], ignore_index=True)


def salesforce_now(table: pd.DataFrame) -> pd.DataFrame:
    """Opportunities: the stage of today, and a close date that is a plan while they are open."""
    now = ends(table)
    return pd.DataFrame(
        {
            "Id": now["id"],
            "Name": "Deal " + now["id"].str[-3:],
            "StageName": now["stage"],
            "Probability": now["stage"].map(
                {"Discovery": 10, "Qualified": 30, "Proposal": 60, "Closed Won": 100, LOST: 0}
            ),
            "CreatedDate": now["created"].dt.strftime("%Y-%m-%d 09:00:00"),
            "CloseDate": now["closed"].fillna(pd.Timestamp("2025-12-31")).dt.strftime("%Y-%m-%d"),
            "IsClosed": now["closed"].notna().map({True: "true", False: "false"}),
            "IsWon": (now["stage"] == STAGES[-1]).map({True: "true", False: "false"}),
            "Amount": now["amount"],
        }
    )


def hubspot(table: pd.DataFrame, pipeline: str = "Sales Pipeline") -> pd.DataFrame:
    """A row per deal with the day it entered and left every stage, of two pipelines."""
    now = ends(table).set_index("id")
    wide = table.pivot_table(index="id", columns="stage", values="at")
    out = pd.DataFrame(
        {
            "Record ID": now.index.str[-4:],
            "Deal Name": "Deal " + now.index.str[-3:],
            "Deal Stage": now["stage"],
            "Pipeline": pipeline,
            "Create Date": now["created"].dt.strftime("%Y-%m-%d %H:%M"),
            "Close Date": now["closed"].fillna(pd.Timestamp("2025-12-31")).dt.strftime("%Y-%m-%d %H:%M"),
            "Deal owner": "Ann Example (ann@example.com)",
            "Amount": now["amount"],
        },
        index=now.index,
    )
    for stage in ["Proposal", "Closed Won", "Discovery", LOST, "Qualified"]:
        out[f"Date entered '{stage}' ({pipeline})"] = wide[stage].dt.strftime("%Y-%m-%d %H:%M")
        out[f"Date exited '{stage}' ({pipeline})"] = None
    return out.reset_index(drop=True)


def hubspot_two(table: pd.DataFrame) -> pd.DataFrame:
    """Deals of two pipelines in one file, the columns of both."""
    renewals = hubspot(table[table["id"] < "006000000000004"], "Renewals")
    renewals["Record ID"] = "9" + renewals["Record ID"]
    return pd.concat([hubspot(table), renewals], ignore_index=True)


def pipedrive(table: pd.DataFrame) -> pd.DataFrame:
    """The stage stays where the deal ended; a status says how."""
    now = ends(table)
    won, lost = now["stage"] == STAGES[-1], now["stage"] == LOST
    status = pd.Series("Open", now.index).mask(won, "Won").mask(lost, "Lost")
    closed = now["closed"].dt.strftime("%Y-%m-%d %H:%M:%S")
    return pd.DataFrame(
        {
            "Deal - ID": range(1, len(now) + 1),
            "Deal - Title": "Deal " + now["id"].str[-3:],
            "Deal - Stage": now["last"],
            "Deal - Status": status,
            "Deal - Value": now["amount"],
            "Deal - Currency": "USD",
            "Deal - Deal created": now["created"].dt.strftime("%Y-%m-%d 08:00:00"),
            "Deal - Won time": closed.where(won),
            "Deal - Lost time": closed.where(lost),
            "Deal - Lost reason": pd.Series("Price", now.index).where(lost),
            "Deal - Owner": "Ann Example",
            "Deal - Pipeline": "Pipeline",
        }
    )


def zoho(table: pd.DataFrame) -> pd.DataFrame:
    """The related list Stage History."""
    return pd.DataFrame(
        {
            "Deal Id": "zcrm_" + table["id"],
            "Stage": table["stage"],
            "Amount": table["amount"],
            "Probability": 40,
            "Modified Time": table["at"].dt.strftime("%d/%m/%Y 09:15"),
            "Closing Date": "31/12/2025",
            "Duration": 7,
        }
    )


def dynamics(table: pd.DataFrame) -> pd.DataFrame:
    """Opportunities of today, numbered phases and a status beside them."""
    now = ends(table)
    phase = now["last"].map(
        {"Discovery": "1-Discovery", "Qualified": "2-Qualified", "Proposal": "3-Proposal"}
    )
    status = now["stage"].map({STAGES[-1]: "Won", LOST: "Lost"}).fillna("Open")
    return pd.DataFrame(
        {
            "Opportunity Number": "OPP-" + now["id"].str[-5:],
            "Topic": "Topic",
            "Pipeline Phase": phase,
            "Status": status,
            "Created On": now["created"].dt.strftime("%Y-%m-%d %H:%M"),
            "Actual Close Date": now["closed"].dt.strftime("%Y-%m-%d"),
            "Est. Close Date": "2025-12-31",
            "Est. Revenue": now["amount"],
            "Owner": "Ann Example",
        }
    )


CHINESE = {
    "Discovery": "初步接洽",
    "Qualified": "需求确认",
    "Proposal": "方案报价",
    "Closed Won": "赢单",
    LOST: "输单",
}


def chinese_history(table: pd.DataFrame) -> pd.DataFrame:
    """A log of changes of the stage, in Chinese."""
    return pd.DataFrame(
        {
            "商机编号": "SJ" + table["id"].str[-6:],
            "商机名称": "商机",
            "销售阶段": table["stage"].map(CHINESE),
            "阶段变更时间": table["at"].dt.strftime("%Y/%m/%d"),
            "商机金额（元）": table["amount"],
            "预计成交日期": "2025/12/31",
            "负责人": "张三",
        }
    )


def chinese_now(table: pd.DataFrame) -> pd.DataFrame:
    """Opportunities of today, in Chinese."""
    now = ends(table)
    return pd.DataFrame(
        {
            "商机编号": "SJ" + now["id"].str[-6:],
            "销售阶段": now["stage"].map(CHINESE),
            "创建时间": now["created"].dt.strftime("%Y-%m-%d"),
            "实际成交日期": now["closed"].dt.strftime("%Y-%m-%d"),
            "预计成交日期": "2025-12-31",
            "输单原因": pd.Series("价格", now.index).where(now["stage"] == LOST),
            "负责人": "张三",
        }
    )


def snapshots(table: pd.DataFrame) -> pd.DataFrame:
    """All deals on every Sunday, in one table."""
    days = pd.date_range("2025-01-05", "2025-02-23", freq="7D")
    states = [table[table["at"] <= day].groupby("id").tail(1).assign(day=day) for day in days]
    rows = pd.concat(states, ignore_index=True)
    return pd.DataFrame(
        {
            "Snapshot Date": rows["day"].dt.strftime("%Y-%m-%d"),
            "Deal ID": rows["id"],
            "Stage": rows["stage"],
            "Amount": rows["amount"],
        }
    )
