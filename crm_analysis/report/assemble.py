"""The pack: a page per notebook, the summary as index, decision lists, tables, notebooks and the record."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from crm_analysis.errors import ReportError
from crm_analysis.report.metric import Metric, Setting, band
from crm_analysis.report.plan import PageRun, Plan
from crm_analysis.report.publish import RECORD
from crm_analysis.report.record import make_record, write_json
from crm_analysis.report.render import Body, render_template
from crm_analysis.report.text import Catalogue, read_catalogue
from crm_analysis.report.workbook import DecisionList, write_decisions
from crm_analysis.workspace import Period, Workspace

SUMMARY = "management_summary"
DECISIONS = "decisions.xlsx"
KEY_NUMBERS_PER_PAGE = 4
ORDER = ("PASS", "FLAG", "REFUSE")


@dataclass(frozen=True)
class Finished:
    """A page that was run and rendered."""

    run: PageRun
    body: Body
    seconds: float


@dataclass(frozen=True)
class Leaf:
    """A page as the pack shows it: where it is, what it is called, what it handed over."""

    key: str
    name: str
    file: str
    short: str
    title: str
    firm: str
    headline: str
    body: Body
    parameters: dict[str, Any]
    handed_over: dict[str, Any]


class Pack:
    """Everything that the pages of one pack share."""

    def __init__(self, plan: Plan, opened: Any, finished: Sequence[Finished], folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.settings = plan.settings
        self.text = read_catalogue(plan.settings.language)
        self.period = period_in_words(plan.period, self.text)
        self.defects = list(_defects(opened, self.settings, self.text))
        self.readings = _readings(opened, self.settings)
        self.status = worst_status(opened)
        self.leaves = [self._leaf(page) for page in finished]
        self.summary = next((leaf for leaf in self.leaves if leaf.name == SUMMARY), None)

    @property
    def headline(self) -> str:
        """What the pack says first: the summary's headline, else that of its only page."""
        if self.summary:
            return self.summary.headline
        return self.leaves[0].headline if len(self.leaves) == 1 else ""

    def _leaf(self, page: Finished) -> Leaf:
        run = page.run
        path = self.folder / "pages" / run.key / "metrics.json"
        if not path.is_file():
            raise ReportError(f"{run.key}: handed nothing over; end the notebook with page.close()")
        key = run.parameters.get("firm")
        firm = self.settings.firm(key).name if key else ""
        short = self.text.page_name(run.name)
        handed_over = json.loads(path.read_text(encoding="utf-8"))
        return Leaf(
            key=run.key,
            name=run.name,
            file="index.html" if run.name == SUMMARY else f"{run.key}.html",
            short=f"{short} · {firm}" if firm else short,
            title=page.body.title,
            firm=firm,
            headline=handed_over["headline"],
            body=page.body,
            parameters=run.parameters,
            handed_over=handed_over,
        )

    def common(self) -> dict[str, Any]:
        """Values that every page of the pack needs."""
        home = {"key": "index", "file": "index.html", "short": self.text.page_name(SUMMARY)}
        others = [leaf for leaf in self.leaves if leaf is not self.summary]
        first = {"key": self.summary.key if self.summary else "index"}
        return {
            "masthead": self.settings.name,
            "home": "index.html",
            "context": f"{self.text.say('report')} · {self.period}",
            "pages": [home | first, *({"key": p.key, "file": p.file, "short": p.short} for p in others)],
            "facts": self._facts(),
        }

    def _facts(self) -> list[str]:
        until = max(firm.observed_until for firm in self.settings.firms.values())
        return [
            self.text.say("data_until", day=until.isoformat()),
            self.text.say("amounts_in", currency=self.settings.currency),
            f"crm_analysis {version('crm-analysis')}",
        ]


def assemble(
    plan: Plan,
    opened: Any,
    finished: Sequence[Finished],
    folder: Path,
    *,
    seconds: Mapping[str, float],
) -> str:
    """Write the pack into `folder`; returns the status of the data, PASS or FLAG."""
    pack = Pack(plan, opened, finished, folder)
    lists = _decision_lists(pack)
    if lists:
        write_decisions(
            lists,
            folder / DECISIONS,
            text=pack.text,
            currency=pack.settings.currency,
            about=_about_decisions(pack),
        )
    for leaf in pack.leaves:
        if leaf is not pack.summary:
            _write(folder / leaf.file, "page.html.j2", pack.common() | _of_leaf(pack, leaf), pack.text)
    _write(folder / "index.html", "index.html.j2", pack.common() | _index(pack, bool(lists)), pack.text)
    durations = dict(seconds) | {page.run.key: page.seconds for page in finished}
    record = make_record(plan, status=pack.status, headline=pack.headline, seconds=durations)
    write_json(record, folder / RECORD)
    return pack.status


def _write(path: Path, template: str, values: Mapping[str, Any], text: Catalogue) -> None:
    path.write_text(render_template(template, values, text=text), encoding="utf-8")


def _of_leaf(pack: Pack, leaf: Leaf) -> dict[str, Any]:
    chosen = {k: v for k, v in leaf.parameters.items() if k not in ("workspace", "period", "firm")}
    return {
        "key": leaf.key,
        "title": leaf.title,
        "kicker": " · ".join(filter(None, [leaf.firm, pack.period])),
        "headline": leaf.headline,
        "sections": leaf.body.sections,
        "body": leaf.body.markup,
        "parameters": ", ".join(f"{name} = {value}" for name, value in chosen.items()),
    }


def _index(pack: Pack, has_decisions: bool) -> dict[str, Any]:
    text = pack.text
    others = [leaf for leaf in pack.leaves if leaf is not pack.summary]
    own = [("pages", "in_this_report"), ("downloads", "downloads"), ("definitions", "definitions")]
    own = [("data", "defects"), *own] if pack.defects else own
    sections = [{"id": s.id, "title": s.title} for s in (pack.summary.body.sections if pack.summary else ())]
    return {
        "key": pack.summary.key if pack.summary else "index",
        "title": pack.summary.title if pack.summary else text.say("report"),
        "kicker": f"{pack.settings.name} · {pack.period}",
        "headline": pack.headline,
        "status": pack.status,
        "verdict": _verdict_sentence(pack),
        "defects": pack.defects,
        "readings": pack.readings,
        "bands": [] if pack.summary else list(_bands(pack)),
        "body": pack.summary.body.markup if pack.summary else "",
        "sections": [*sections, *({"id": i, "title": text.say(words)} for i, words in own)],
        "listed": others,
        "left_out": [(text.page_name(name), reason) for name, reason in pack.plan.left_out.items()],
        "downloads": _downloads(text, has_decisions),
        "tables": [table for leaf in pack.leaves for table in _tables(leaf)],
        "notebooks": [f"notebooks/{leaf.key}.ipynb" for leaf in pack.leaves],
        "definitions": text.definitions(),
    }


def _verdict_sentence(pack: Pack) -> str:
    if pack.status == "PASS":
        return pack.text.say("passed")
    return pack.text.say("flagged", n=len(pack.defects))


def _bands(pack: Pack) -> list[dict[str, str]]:
    """Key numbers of every page, for a pack without a summary."""
    bands = []
    for leaf in pack.leaves:
        metrics = [Metric(**m) for m in leaf.handed_over["metrics"].values()][:KEY_NUMBERS_PER_PAGE]
        if metrics:
            markup = band(metrics, Setting(pack.text, pack.settings.currency, pack.plan.period))[1]
            bands.append({"title": leaf.short, "markup": markup})
    return bands


def _downloads(text: Catalogue, has_decisions: bool) -> list[dict[str, str]]:
    decisions = [{"file": DECISIONS, "words": text.say("decisions_words")}] if has_decisions else []
    return [*decisions, {"file": RECORD, "words": text.say("record_words")}]


def _tables(leaf: Leaf) -> list[dict[str, str]]:
    return [
        {
            "file": f"pages/{leaf.key}/tables/{table['name']}.csv",
            "name": f"{leaf.key}/{table['name']}.csv",
            "caption": table["caption"],
        }
        for table in leaf.handed_over["tables"]
    ]


def _decision_lists(pack: Pack) -> list[DecisionList]:
    lists = []
    for leaf in pack.leaves:
        for given in leaf.handed_over["decisions"]:
            table = pd.read_parquet(
                pack.folder / "pages" / leaf.key / "decisions" / f"{given['name']}.parquet"
            )
            title = " ".join(filter(None, [pack.text.label(given["name"], page=leaf.name), leaf.firm]))
            lists.append(DecisionList(title, leaf.name, table))
    return lists


def _about_decisions(pack: Pack) -> list[str]:
    rule = pack.settings.decisions
    text = pack.text
    return [
        f"{pack.settings.name} · {pack.period}",
        text.say("about_hold_back", share=rule.hold_back, seed=rule.seed),
        text.say("about_blank"),
        text.say("about_value"),
    ]


def worst_status(opened: Any) -> str:
    """Status of the data: the worst of all verdicts."""
    return max((verdict.status for _, verdict in verdicts_of(opened)), key=ORDER.index, default="PASS")


def verdicts_of(opened: Any) -> list[tuple[str, Any]]:
    """Firm and verdict of every table that was checked."""
    return [(firm, verdict) for (firm, _), verdict in opened.verdicts().items()]


def _defects(opened: Any, settings: Workspace, text: Catalogue) -> list[dict[str, str]]:
    return [
        {
            "where": settings.firm(firm).name,
            "found": defect.found,
            "money": ""
            if defect.share_of_revenue is None
            else text.say("of_revenue", share=defect.share_of_revenue),
            "bias": defect.bias,
        }
        for firm, verdict in verdicts_of(opened)
        for defect in verdict.defects
    ]


def _readings(opened: Any, settings: Workspace) -> list[dict[str, str]]:
    """How the tables were read, where their files settled it."""
    return [
        {"where": settings.firm(firm).name, "found": f"{verdict.table}: {'; '.join(verdict.reading)}"}
        for firm, verdict in verdicts_of(opened)
        if verdict.reading
    ]


def period_in_words(period: Period, text: Catalogue) -> str:
    """`December 2025`, `fourth quarter of 2025` or `2025`, in the language of the report."""
    if period.n_months == 1:
        return text.say(
            "month", month=text.month(period.start.month), n=period.start.month, year=period.label[:4]
        )
    if period.n_months == 3:
        return text.say("quarter", quarter=period.label[-1], year=period.label[:4])
    return text.say("year", year=period.label)


def write_reports_index(output: Path) -> Path:
    """List all workspaces and periods that are published under `output`, the latest period first."""
    packs = [_published(path) for path in output.glob(f"*/*/{RECORD}") if path.parent.is_symlink()]
    packs.sort(key=lambda pack: pack["period"], reverse=True)
    packs.sort(key=lambda pack: pack["workspace"])
    text = read_catalogue(packs[0]["language"] if packs else "en")
    coming = output / f".index-{os.getpid()}.html"
    values = {
        "title": text.say("reports"),
        "masthead": text.say("reports"),
        "home": "index.html",
        "context": "crm_analysis",
        "sections": [],
        "pages": [],
        "key": "",
        "facts": [f"crm_analysis {version('crm-analysis')}"],
        "workspaces": [(key, list(group)) for key, group in groupby(packs, key=lambda p: p["workspace"])],
    }
    _write(coming, "reports.html.j2", values, text)
    return coming.replace(output / "index.html")


def _published(path: Path) -> dict[str, Any]:
    record = json.loads(path.read_text(encoding="utf-8"))
    return record | {
        "period": path.parent.name,
        "file": f"{path.parent.parent.name}/{path.parent.name}/index.html",
    }
