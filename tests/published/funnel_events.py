"""Counts of events that other tools give: reach, counts and times, by hand-made logs."""

from __future__ import annotations

import re
from functools import cache, partial

import pandas as pd

from crm_analysis.funnel import StageCounts, count_events, step_times
from published import Published

START = pd.Timestamp("2024-01-01")
CLICKHOUSE = "ClickHouse 26.9, windowFunnel(100)"
POSTHOG = "PostHog, test case conversion_time_cases.py"
FUNNELJOIN = "robinsones/funneljoin, README"
MIXPANEL = "Mixpanel, Funnels: Advanced, re-entry"

# Events with their second; reach by windowFunnel and its modes, and by Mixpanel's first entry.
ORDERS = ("ordered", "nothing between", "no repeats", "strictly later")
HAND = {
    "A1 B2 C3 D4": (4, 4, 4, 4, 4),
    "A1 B2 D3 C4": (3, 2, 3, 3, 3),
    "A1 B2 C3 B4 D5": (4, 4, 3, 4, 4),
    "A1 X2 B3 C4 D5": (4, 1, 4, 4, 4),
    "A1 B1 C1 D1": (4, 4, 4, 1, 4),
    "D1 C1 B1 A1": (4, 4, 4, 1, 4),
    "A0 A50 B55 C60 D150": (4, 4, 4, 4, 3),
    "A0 A50 B55 C60 D151": (3, 3, 3, 3, 3),
    "A1 B101": (2, 2, 2, 2, 2),
    "A1 B102": (1, 1, 1, 1, 1),
    "A1 A2 B3 C4 D5": (4, 4, 4, 4, 4),
    "A1 C2 B3 C4": (3, 1, 3, 3, 3),
    "B1 A2 C3": (1, 1, 1, 1, 1),
    "A1 B2 A3 B4 C5 D6": (4, 4, 2, 4, 4),
    "A0 B10 A20 A200 B210 C220": (3, 3, 2, 3, 2),
}


def events_of(sequences: dict[str, str]) -> pd.DataFrame:
    """A log of entities, each with its events and the seconds at which they happen: "A1 B2"."""
    rows = [
        (name, found[1], START + pd.Timedelta(int(found[2]), unit="s"))
        for name, text in sequences.items()
        for found in re.finditer(r"([A-Z])(\d+)", text)
    ]
    return pd.DataFrame(rows, columns=["entity_id", "event", "occurred_at"]).astype(
        {"occurred_at": "datetime64[us]"}
    )


def reach_of(text: str, rules: dict[str, str]) -> float:
    counts = count_events(
        events_of({"one": text}), steps=list("ABCD"), window="100 seconds", known=list("ABCD"), **rules
    )
    return float(counts.members["furthest"].max() + 1)


def hand_rows() -> list[Published]:
    rows = []
    for text, printed in HAND.items():
        for order, reach in zip(ORDERS, printed, strict=False):
            rows.append(
                Published(
                    CLICKHOUSE, f"{text}, {order}", str(reach), partial(reach_of, text, {"order": order})
                )
            )
        first = partial(reach_of, text, {"reentry": "first entry"})
        rows.append(Published(MIXPANEL, f"{text}, first entry", str(printed[-1]), first))
    return rows


@cache
def three_people() -> StageCounts:
    """Sign up, play a movie, buy: an hour and two; two, never; two and one."""
    log = events_of({"a": "A0 B3600 C10800", "b": "A0 B7200", "c": "A0 B7200 C10800"})
    return count_events(log, steps=list("ABC"), window="14 days")


@cache
def within(window: str) -> StageCounts:
    """Three people, of whom two go on after 5 and 15 minutes."""
    return count_events(
        events_of({"a": "A0 B300", "b": "A0", "c": "A0 B900"}), steps=list("AB"), window=window
    )


@cache
def landing() -> StageCounts:
    """Activity of four users: when each landed, registered and bought."""
    days = {
        "1": {"landing": ["07-01"], "registration": ["07-02"], "purchase": ["07-07", "07-10"]},
        "2": {"landing": ["08-01"], "registration": ["08-15"]},
        "3": {"landing": ["05-01"], "registration": ["06-01"], "purchase": ["06-04"]},
        "4": {"landing": ["06-13"]},
    }
    rows = [
        (user, event, pd.Timestamp(f"2019-{day}"))
        for user, events in days.items()
        for event, found in events.items()
        for day in found
    ]
    log = pd.DataFrame(rows, columns=["entity_id", "event", "occurred_at"])
    return count_events(log, steps=["landing", "registration", "purchase"], reentry="first entry")


def time_of(counts: StageCounts, stage: str, what: str) -> float:
    return float(step_times(counts).loc[stage, what])


ROWS = [
    *hand_rows(),
    Published(POSTHOG, "mean seconds to step 2", "6000", lambda: time_of(three_people(), "B", "mean")),
    Published(POSTHOG, "median seconds to step 2", "7200", lambda: time_of(three_people(), "B", "median")),
    Published(POSTHOG, "mean seconds to step 3", "5400", lambda: time_of(three_people(), "C", "mean")),
    Published(POSTHOG, "median seconds to step 3", "5400", lambda: time_of(three_people(), "C", "median")),
    Published(POSTHOG, "converted within 14 days", "2", lambda: within("14 days").counts[1]),
    Published(POSTHOG, "mean seconds within 14 days", "600", lambda: time_of(within("14 days"), "B", "mean")),
    Published(POSTHOG, "converted within 5 minutes", "1", lambda: within("5 minutes").counts[1]),
    Published(
        POSTHOG, "mean seconds within 5 minutes", "300", lambda: time_of(within("5 minutes"), "B", "mean")
    ),
    Published(FUNNELJOIN, "landing", "4", lambda: landing().counts[0]),
    Published(FUNNELJOIN, "registration", "3", lambda: landing().counts[1]),
    Published(FUNNELJOIN, "purchase", "2", lambda: landing().counts[2]),
    Published(
        FUNNELJOIN,
        "purchase of registration",
        ".667",
        lambda: float(landing().table.loc["purchase", "share_of_previous"]),
    ),
]
