"""A workspace opened: every table checked once, written as Parquet, and read from there ever after.

A checked table lies in `<output>/.checked/<firm>-<table>-<key>/`. The key is a hash of the source's bytes, of
what the workspace says about it and of the doors' own code, so that a change of any of them is checked anew.
A folder is written under another name and renamed, so that it is there whole or not at all, whoever else is
opening the same workspace. Databases have no bytes to hash: their tables are checked anew by every process.
"""

from __future__ import annotations

import atexit
import datetime as dt
import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import ibis
import ibis.expr.types as ir
import pandas as pd

from crm_analysis.doors.campaigns import read_campaigns
from crm_analysis.doors.churn_reasons import read_churn_reasons
from crm_analysis.doors.contacts import read_contacts
from crm_analysis.doors.costs import count_service, profit_per_customer, read_service, read_spend
from crm_analysis.doors.customers import Customers, read_customers
from crm_analysis.doors.events import Events, read_events
from crm_analysis.doors.framed import Framed
from crm_analysis.doors.owners import read_owners
from crm_analysis.doors.pipeline import Pipeline, read_pipeline
from crm_analysis.doors.schema import Checked
from crm_analysis.doors.scratch import new_folder
from crm_analysis.doors.sources import connect, input_files
from crm_analysis.doors.sources.opened import shown
from crm_analysis.doors.transactions import Transactions, as_date, read_transactions
from crm_analysis.doors.verdict import Defect, Verdict
from crm_analysis.errors import ConfigError, DataError
from crm_analysis.workspace import Firm, Source, Workspace, read_workspace

Table = TypeVar("Table", Transactions, Customers, Pipeline, Checked, Events, Framed)
READING = {"table", "sheet", "delimiter", "encoding", "dates", "source_timezone", "decimal", "header"}
POLICIES = {
    "refunds",
    "cancelled_orders",
    "part_deliveries",
    "bulk_orders",
    "test_customers",
    "drop_duplicates",
    "max_set_aside",
    "burn_in",
    "missing_currency",
}
SHAPE = {
    "shape",
    "stages",
    "lost",
    "renamed_stages",
    "pipeline",
    "only",
    "outcomes",
    "snapshot_at",
    "max_set_aside",
}

OF_EVENTS = {"strict_order", "drop_duplicates", "max_set_aside"}
# Tables whose rows are held against those of others: what is checked anew when one of these changes.
NEEDS = {
    "transactions": ("customers", "rates", "control"),
    "contacts": ("campaigns", "transactions", "customers", "rates", "control"),
}


def open_workspace(name: str | Path) -> OpenWorkspace:
    """Open the workspace called `name`, or at a path; tables are checked when they are first asked for."""
    return OpenWorkspace(read_workspace(name))


class OpenWorkspace:
    """The checked tables of a workspace, all in one embedded DuckDB."""

    def __init__(self, settings: Workspace) -> None:
        self.settings = settings
        self._folder = settings.output_folder / ".checked"
        self._tables: dict[tuple[str, str], Any] = {}

    @functools.cached_property
    def engine(self) -> ibis.BaseBackend:
        """The DuckDB that holds the tables; beyond its memory limit it spills beside them."""
        engine = self.settings.engine
        # DuckDB makes the last folder of a path, when it needs it, and no other one.
        there = next(folder for folder in (self._folder, *self._folder.parents) if folder.is_dir())
        return connect(
            memory_limit=engine.memory_limit,
            threads=engine.threads,
            temp_directory=there / f".spill-{os.getpid()}",
        )

    @property
    def firms(self) -> tuple[str, ...]:
        """Keys of the firms, in the order of the file."""
        return tuple(self.settings.firms)

    def firm_name(self, key: str) -> str:
        """Name of a firm as people call it."""
        return self.settings.firm(key).name

    def transactions(self, firm: str, *, until: dt.date | str | None = None) -> Transactions:
        """Return the checked purchase log of a firm; with `until` as it was seen at the end of that day.

        Raises
        ------
        DataError
            Carrying the verdict, where it is REFUSE.
        """
        log = self._checked(firm, "transactions", Transactions, self._read_transactions)
        return log if until is None else log.as_of(until)

    def customers(self, firm: str) -> ir.Table | None:
        """Return the customer master of a firm, or None where it has none."""
        master = self._master(firm)
        return None if master is None else master.table

    def pipeline(self, firm: str, *, until: dt.date | str | None = None) -> Pipeline | None:
        """Return the checked sales pipeline of a firm, or None; with `until` as it stood after that day."""
        if self.settings.firm(firm).pipeline is None:
            return None
        pipeline = self._checked(firm, "pipeline", Pipeline, self._read_pipeline)
        return pipeline if until is None else pipeline.as_of(until)

    def spend(self, firm: str) -> pd.DataFrame | None:
        """Money spent to win customers: month (its first day), source where known, spend; or None."""
        if self.settings.firm(firm).spend is None:
            return None
        table = self._checked(firm, "spend", Checked, self._read_spend).kept
        columns = [name for name in ("month", "source") if name in table.columns]
        frame = table.select(*columns, spend=table["spend"].cast("float64")).to_pandas()
        return frame.astype({"month": "datetime64[us]"}).sort_values(columns, ignore_index=True)

    def spent(self, firm: str, *, since: dt.date, until: dt.date) -> float | None:
        """Sum of the spend of the months that begin in that time; None where its spend is not known."""
        table = self.spend(firm)
        if table is None:
            return None
        return float(table.loc[table["month"].between(str(since), str(until)), "spend"].sum())

    def service(
        self, firm: str, *, since: dt.date | str | None = None, until: dt.date | str | None = None
    ) -> pd.DataFrame | None:
        """Units of service per customer (index) and kind (visit, call, return) in that time; or None."""
        table = self._service(firm)
        first, last = self._span(firm, since, until)
        return None if table is None else count_service(table, since=first, until=last)

    def service_log(self, firm: str) -> pd.DataFrame | None:
        """What customers needed: customer_id, occurred_at, kind, and quantity where known; or None."""
        table = self._service(firm)
        if table is None:
            return None
        columns = [
            name for name in ("customer_id", "occurred_at", "kind", "quantity") if name in table.columns
        ]
        return table.select(columns).to_pandas().sort_values(columns, ignore_index=True)

    def contacts(self, firm: str) -> pd.DataFrame | None:
        """Whom campaigns reached or left alone: `contacts.read_contacts` says the columns; or None."""
        return self._frame(firm, "contacts")

    def campaigns(self, firm: str) -> pd.DataFrame | None:
        """Campaigns with the days of their effect and their costs: `campaigns.read_campaigns`; or None."""
        return self._frame(firm, "campaigns")

    def owners(self, firm: str) -> pd.DataFrame | None:
        """Sales people: owner, hired_at, left_at (missing while employed); or None."""
        return self._frame(firm, "owners")

    def churn_reasons(self, firm: str) -> pd.DataFrame | None:
        """Why customers left: customer_id, left_at, reason (missing where not recorded); or None."""
        return self._frame(firm, "churn_reasons")

    def events(self, firm: str, *, until: dt.date | str | None = None) -> Events | None:
        """Return the checked event log of a firm, or None; with `until` as it was seen after that day."""
        if self.settings.firm(firm).events is None:
            return None
        events = self._checked(firm, "events", Events, self._read_events)
        return events if until is None else events.as_of(until)

    def profit(
        self,
        firm: str,
        *,
        since: dt.date | str | None = None,
        until: dt.date | str | None = None,
        margin: float | None = None,
    ) -> pd.DataFrame:
        """Profit per customer in that time, by default all that was observed: `costs.profit_per_customer`.

        Parameters
        ----------
        margin : used where the lines carry no costs; by default the workspace's.
        """
        first, last = self._span(firm, since, until)
        given = self.settings.value.margin if margin is None else margin
        return profit_per_customer(
            self.transactions(firm),
            since=first,
            until=last,
            costs=self.settings.costs,
            service=self._service(firm),
            margin=given if isinstance(given, float) else None,
        )

    def verdicts(self) -> dict[tuple[str, str], Verdict]:
        """Verdict of every table of the workspace: (firm, table) -> verdict; all of them are checked.

        Raises
        ------
        DataError
            With what refuses any of them, all tables at once.
        """
        found = self.judged()
        refused = [verdict for verdict in found.values() if verdict.status == "REFUSE"]
        if refused:
            raise DataError("\n".join(str(verdict.refused()) for verdict in refused), verdict=refused[0])
        return found

    def judged(self) -> dict[tuple[str, str], Verdict]:
        """Return the same verdicts, those of refused tables among them."""
        found: dict[tuple[str, str], Verdict] = {}
        readers: dict[str, Callable[[str], Any]] = {
            "customers": self.customers,
            "transactions": self.transactions,
            "pipeline": self.pipeline,
            "spend": self.spend,
            "service": self._service,
            "campaigns": self.campaigns,
            "contacts": self.contacts,
            "owners": self.owners,
            "churn_reasons": self.churn_reasons,
            "events": self.events,
        }
        for firm, settings in self.settings.firms.items():
            for name, reader in readers.items():
                if getattr(settings, name) is not None:
                    needed = [found[firm, n] for n in NEEDS.get(name, ()) if (firm, n) in found]
                    refused = next((verdict for verdict in needed if verdict.status == "REFUSE"), None)
                    found[firm, name] = self._judge(firm, name, reader, refused)
        return found

    def _judge(self, firm: str, name: str, reader: Callable[[str], Any], refused: Verdict | None) -> Verdict:
        """Verdict of one table; where a table that it needs is refused, it cannot be read."""
        if refused is not None:
            place = Path(getattr(self.settings.firm(firm), name).source).name
            sentence = f"{place}: not checked, because {refused.table} is refused; put that right first"
            return Verdict(place, defects=(Defect("not checked", "refuse", sentence),))
        try:
            reader(firm)
        except DataError as error:
            return error.verdict or Verdict(name, defects=(Defect("refused", "refuse", str(error)),))
        verdict: Verdict = self._tables[firm, name].verdict
        return verdict

    # Reading ----------------------------------------------------------------------------------------------

    def _read_transactions(self, firm: Firm, key: str) -> Transactions:
        source = firm.transactions
        return read_transactions(
            source.source,
            columns=source.columns,
            observed_from=firm.observed_from,
            observed_until=firm.observed_until,
            closed_cohort=firm.closed_cohort,
            customers=self._master(key),
            currency=self.settings.currency,
            rates=firm.rates,
            control=firm.control,
            calendar=self.settings.calendar,
            **source.model_dump(include=POLICIES),
            **self._options(source),
        )

    def _read_pipeline(self, firm: Firm, key: str) -> Pipeline:
        source = firm.pipeline
        assert source is not None
        return read_pipeline(
            source.source, columns=source.columns, **source.model_dump(include=SHAPE), **self._options(source)
        )

    def _read_customers(self, firm: Firm, key: str) -> Customers:
        assert firm.customers is not None
        return read_customers(
            firm.customers.source, columns=firm.customers.columns, **self._options(firm.customers)
        )

    def _read_spend(self, firm: Firm, key: str) -> Checked:
        assert firm.spend is not None
        return read_spend(firm.spend.source, columns=firm.spend.columns, **self._options(firm.spend))

    def _read_service(self, firm: Firm, key: str) -> Checked:
        assert firm.service is not None
        return read_service(firm.service.source, columns=firm.service.columns, **self._options(firm.service))

    def _read_campaigns(self, firm: Firm, key: str) -> Framed:
        assert firm.campaigns is not None
        source = firm.campaigns
        return read_campaigns(source.source, columns=source.columns, **self._options(source))

    def _read_contacts(self, firm: Firm, key: str) -> Framed:
        source = firm.contacts
        assert source is not None
        customers = self.transactions(key).lines.select("customer_id").distinct().to_pyarrow()
        return read_contacts(
            source.source,
            columns=source.columns,
            campaigns=self.campaigns(key),
            known=customers["customer_id"].to_pylist(),
            max_set_aside=source.max_set_aside,
            **self._options(source),
        )

    def _read_owners(self, firm: Firm, key: str) -> Framed:
        assert firm.owners is not None
        return read_owners(firm.owners.source, columns=firm.owners.columns, **self._options(firm.owners))

    def _read_churn_reasons(self, firm: Firm, key: str) -> Framed:
        source = firm.churn_reasons
        assert source is not None
        until = firm.observed_until
        options = self._options(source)
        return read_churn_reasons(source.source, columns=source.columns, observed_until=until, **options)

    def _read_events(self, firm: Firm, key: str) -> Events:
        source = firm.events
        assert source is not None
        return read_events(
            source.source,
            columns=source.columns,
            observed_from=source.observed_from or firm.observed_from,
            observed_until=source.observed_until or firm.observed_until,
            **source.model_dump(include=OF_EVENTS),
            **self._options(source),
        )

    def _frame(self, firm: str, name: str) -> pd.DataFrame | None:
        """Copy of a table that is kept as a frame, or None: what is done to it is done to no other's."""
        if getattr(self.settings.firm(firm), name) is None:
            return None
        readers = {
            "campaigns": self._read_campaigns,
            "contacts": self._read_contacts,
            "owners": self._read_owners,
            "churn_reasons": self._read_churn_reasons,
        }
        return self._checked(firm, name, Framed, readers[name]).frame.copy()

    def _master(self, firm: str) -> Customers | None:
        if self.settings.firm(firm).customers is None:
            return None
        return self._checked(firm, "customers", Customers, self._read_customers)

    def _service(self, firm: str) -> ir.Table | None:
        if self.settings.firm(firm).service is None:
            return None
        return self._checked(firm, "service", Checked, self._read_service).kept

    def _options(self, source: Source) -> dict[str, Any]:
        settings = self.settings
        return source.model_dump(include=READING) | {
            "timezone": settings.timezone,
            "folder": settings.folder,
            "engine": self.engine,
        }

    def _span(
        self, firm: str, since: dt.date | str | None, until: dt.date | str | None
    ) -> tuple[dt.date, dt.date]:
        """First and last day asked for, within what was observed."""
        settings = self.settings.firm(firm)
        first = settings.observed_from if since is None else as_date(since, "since")
        last = settings.observed_until if until is None else as_date(until, "until")
        if not settings.observed_from <= first <= last <= settings.observed_until:
            raise ConfigError(
                f"firm {firm}: since {first} and until {last} must be in order within the observed "
                f"{settings.observed_from} to {settings.observed_until}"
            )
        return first, last

    # Keeping ----------------------------------------------------------------------------------------------

    def _checked(self, firm: str, name: str, kind: type[Table], read: Callable[[Firm, str], Table]) -> Table:
        """Return the table as it was checked before, by any process; else checked now and kept."""
        if (firm, name) not in self._tables:
            settings = self.settings.firm(firm)
            files = self._files(settings, name)
            root = self._folder if files is not None else _until_exit()
            key = self._key(settings, name, files or [])
            folder = root / f"{firm}-{name}-{key}"
            if not folder.is_dir():
                checked = read(settings, firm)

                def write(unfinished: Path) -> None:
                    _save(checked, self.engine, unfinished)
                    # Parquet and DuckDB files are read until here.
                    if files is not None and self._key(settings, name, files) != key:
                        raise _changed(files)

                _publish(folder, write)
            self._tables[firm, name] = _load(kind, folder, self.engine)
        return self._tables[firm, name]

    def _files(self, firm: Firm, name: str) -> list[Path] | None:
        """Files that the table is read from; None where a database is among its sources."""
        names = (name, *NEEDS.get(name, ()))
        sources = [getattr(firm, each) for each in names if getattr(firm, each) is not None]
        if any(source.source.startswith("env:") for source in sources):
            return None
        return [file for source in sources for file in input_files(source.source, self.settings.folder)]

    def _key(self, firm: Firm, name: str, files: list[Path]) -> str:
        """Hash of everything that the checked table depends on."""
        said = [
            firm.model_dump_json(),
            self.settings.calendar.model_dump_json(),
            self.settings.timezone,
            self.settings.currency,
            name,
        ]
        found = hashlib.sha256("\n".join([*said, _code_version()]).encode())
        for file in files:
            found.update(_digest(file))
        return found.hexdigest()[:20]


def _changed(files: list[Path]) -> Exception:
    places = ", ".join(shown(file.name) for file in files)
    sentence = f"{places}: changed while it was read; wait until it is written, and read it again"
    return Verdict(places, defects=(Defect("unreadable", "refuse", sentence),)).refused()


def _digest(file: Path) -> bytes:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


@functools.cache
def _code_version() -> str:
    """Hash of the doors' own code: what another version has checked is checked again."""
    code = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in code)).hexdigest()


@functools.cache
def _until_exit() -> Path:
    """Make a folder for this process alone, for tables whose source cannot be hashed."""
    folder = new_folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _publish(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a folder, which appears in one step; if another process was first, its one stays."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
    try:
        write(unfinished)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _save(checked: Any, engine: ibis.BaseBackend, folder: Path) -> None:
    """Tables as Parquet, everything else as JSON."""
    if isinstance(checked, Transactions):
        checked = _with_lines_saved(checked, engine, folder)
    content: dict[str, Any] = {}
    for field in fields(checked):
        value, file = getattr(checked, field.name), folder / f"{field.name}.parquet"
        if isinstance(value, ir.Table):
            if not file.exists():
                value.to_parquet(file)
            content[field.name] = {"table": file.name}
        elif isinstance(value, pd.DataFrame):
            value.to_parquet(file)
            content[field.name] = {"frame": file.name}
        else:
            content[field.name] = value
    text = json.dumps(content, default=_plain, indent=1, ensure_ascii=False)
    (folder / "content.json").write_text(text, encoding="utf-8")


def _with_lines_saved(log: Transactions, engine: ibis.BaseBackend, folder: Path) -> Transactions:
    """Build the log on its saved lines: what is merged from them need not read the source again."""
    log.lines.to_parquet(folder / "lines.parquet")
    lines = engine.read_parquet(folder / "lines.parquet", table_name=ibis.util.gen_name("lines"))
    return log.on_lines(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, dt.date):
        return {"date": value.isoformat()}
    if isinstance(value, Verdict):
        return {"verdict": value.to_dict()}
    raise TypeError(f"{type(value).__name__} cannot be kept")


def _load(kind: type[Table], folder: Path, engine: ibis.BaseBackend) -> Table:
    content = json.loads((folder / "content.json").read_text(encoding="utf-8"))
    return kind(**{name: _value(value, folder, engine) for name, value in content.items()})


def _value(value: Any, folder: Path, engine: ibis.BaseBackend) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, dict) or len(value) != 1:
        return value
    kind, content = next(iter(value.items()))
    if kind == "table":
        return engine.read_parquet(folder / content, table_name=ibis.util.gen_name("checked"))
    readers: dict[str, Callable[[Any], Any]] = {
        "frame": lambda name: pd.read_parquet(folder / name),
        "date": dt.date.fromisoformat,
        "verdict": Verdict.from_dict,
    }
    return readers[kind](content) if kind in readers else value
