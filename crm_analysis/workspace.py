"""One TOML file is one workspace: firms, sources, columns, calendar, currency, costs, rules.

`data/README.md` documents every key. An unknown key is refused with the list of the known ones.
"""

from __future__ import annotations

import calendar as months_of_the_year
import datetime as dt
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from crm_analysis.errors import ConfigError

DAYS_PER_MONTH = 30.4375
DAYS_PER_YEAR = 365.25
PAGES = (
    "management_summary",
    "rfm_segmentation",
    "customer_value",
    "customer_selection",
    "funnel_comparison",
    "campaigns",
)
Columns = dict[str, str | dict[str, str]]
Share = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseModel):
    """A part of the workspace; frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Engine(Settings):
    """What DuckDB may use."""

    memory_limit: str = "1500MB"
    threads: int = Field(default=2, ge=1)


class Calendar(Settings):
    """How periods are cut: calendar months, with years and quarters that may start in another month."""

    fiscal_year_starts: int = Field(default=1, ge=1, le=12)


class Source(Settings):
    """Where a table comes from, and how its columns are called there.

    `source` is a file, a glob, `package:NAME/path/inside` or `env:VARIABLE` naming a database URL.
    """

    source: str
    columns: Columns = {}
    table: str | None = None
    sheet: str | tuple[str, ...] | None = None
    delimiter: Literal[",", ";", "\t", "|", "whitespace"] | None = None
    encoding: str | None = None
    dates: str | None = None
    source_timezone: str | None = None
    decimal: Literal[".", ","] | None = None
    header: bool = True


class TransactionsSource(Source):
    """The purchase log."""

    refunds: Literal["net in order", "net in period", "set aside"] = "net in order"
    cancelled_orders: str | None = None
    part_deliveries: Literal["each day", "first day"] = "each day"
    bulk_orders: Literal["keep", "set aside"] = "keep"
    test_customers: tuple[str, ...] = ()
    drop_duplicates: bool = False
    max_set_aside: Share = 0.05
    burn_in: str | None = None
    missing_currency: Literal["set aside", "own"] = "set aside"


class PipelineSource(Source):
    """The sales pipeline, in one of four shapes; `only` says which rows are meant, by column."""

    shape: Literal["history", "stage dates", "current stage", "snapshots"] = "history"
    stages: tuple[str, ...]
    lost: tuple[str, ...] = ("Lost",)
    renamed_stages: dict[str, str] = {}
    pipeline: str | None = None
    only: dict[str, str | list[str]] = {}
    outcomes: dict[str, Literal["won", "lost", "open"]] = {}
    snapshot_at: dt.date
    max_set_aside: Share = 0.05


class EventsSource(Source):
    """The event log; it may cover other days than the purchase log."""

    observed_from: dt.date | None = None
    observed_until: dt.date | None = None
    strict_order: bool = False
    drop_duplicates: bool = False
    max_set_aside: Share = 0.05


class ContactsSource(Source):
    """Whom the campaigns reached, or left alone for comparison."""

    max_set_aside: Share = 0.05


class RatesSource(Source):
    """Rates of exchange into the workspace's currency."""

    quoted: Literal["own per foreign", "foreign per own"] = "own per foreign"
    max_age_days: int = Field(default=7, ge=0)


class Control(Source):
    """Revenue and orders per period as the ledger has them, and the difference that is tolerated."""

    tolerance: Share = 0.005


class PurchaseModelKept(Settings):
    """The model of purchases that a firm's pages use until it is chosen again."""

    name: str = Field(pattern=r"^(NBD|BG/NBD|MBG/NBD|Pareto/NBD|MBG/CNBD-[2-9])$")
    chosen_at: dt.date


class Firm(Settings):
    """One firm: what was observed of it, and where its tables are."""

    name: str
    observed_from: dt.date
    observed_until: dt.date
    closed_cohort: bool = False
    transactions: TransactionsSource
    customers: Source | None = None
    pipeline: PipelineSource | None = None
    spend: Source | None = None
    service: Source | None = None
    campaigns: Source | None = None
    contacts: ContactsSource | None = None
    owners: Source | None = None
    churn_reasons: Source | None = None
    events: EventsSource | None = None
    rates: RatesSource | None = None
    control: Control | None = None
    season: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] | None = Field(
        default=None, min_length=12, max_length=12
    )
    purchase_model: PurchaseModelKept | None = None

    @model_validator(mode="after")
    def _dates_in_order(self) -> Firm:
        if self.observed_until < self.observed_from:
            raise ValueError(
                f"observed_until {self.observed_until} lies before observed_from {self.observed_from}"
            )
        return self


class Costs(Settings):
    """Cost to serve, in the workspace's currency per unit."""

    order: float = Field(default=0.0, ge=0)
    visit: float = Field(default=0.0, ge=0)
    call: float = Field(default=0.0, ge=0)
    # `return` is a word of Python.
    return_: float = Field(default=0.0, ge=0, alias="return")

    def of_kind(self, kind: str) -> float:
        """Cost of one order, visit, call or return."""
        return float(getattr(self, "return_" if kind == "return" else kind))


class Value(Settings):
    """How customer value is computed."""

    annual_discount_rate: float = Field(default=0.10, ge=0, lt=1)
    margin: Share | Literal["from costs"] = "from costs"


class Rfm(Settings):
    """How customers are scored; cut points are fitted once, at `cut_points_at`, and kept."""

    bins: int = Field(default=5, ge=2, le=9)
    cut_points_at: dt.date | None = None


class Decisions(Settings):
    """How decision lists are cut: capacity per action, and the share held back at random."""

    hold_back: Share = 0.10
    seed: int = 1
    capacity: dict[str, int] = {}


class Report(Settings):
    """Which notebooks make the report, in which order."""

    pages: tuple[str, ...] = PAGES


class Workspace(Settings):
    """A workspace as its TOML file states it; `folder` is where relative sources start."""

    schema_version: Literal[1] = 1
    name: str
    language: Literal["en", "zh"] = "en"
    currency: str
    timezone: str
    customer: str = "customer"
    contracts: bool = False
    output: str = "../reports"
    engine: Engine = Engine()
    calendar: Calendar = Calendar()
    firms: dict[str, Firm] = Field(min_length=1)
    costs: Costs = Costs()
    value: Value = Value()
    rfm: Rfm = Rfm()
    decisions: Decisions = Decisions()
    report: Report = Report()
    _path: Path = PrivateAttr(default=Path("workspace.toml"))

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{value!r} is no time zone; write one such as 'Asia/Shanghai'") from None
        return value

    @property
    def path(self) -> Path:
        """The TOML file."""
        return self._path

    @property
    def folder(self) -> Path:
        """Where relative sources start: the folder of the TOML file."""
        return self._path.parent

    @property
    def key(self) -> str:
        """The name of the TOML file, which names the report's folder too."""
        return self._path.stem

    @property
    def output_folder(self) -> Path:
        """Where reports are published."""
        return (self.folder / self.output).resolve()

    def firm(self, key: str) -> Firm:
        """Return the firm called `key` in the file."""
        if key not in self.firms:
            raise ConfigError(f"{self.path}: no firm {key!r}; firms: {sorted(self.firms)}")
        return self.firms[key]


def find_workspace(name: str | Path) -> Path:
    """Path of a workspace's TOML file, given as a path or a name.

    A name is looked for upward from the working directory, as `NAME.toml` in `data/` and `work/`.
    """
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise ConfigError(f"workspace: no file {path}; `crm-analysis init` writes one from an export")
        return path.resolve()
    folders = [
        folder for base in (Path.cwd(), *Path.cwd().parents) for folder in (base / "data", base / "work")
    ]
    for folder in folders:
        if (found := folder / f"{name}.toml").is_file():
            return found
    known = sorted({p.stem for folder in folders if folder.is_dir() for p in folder.glob("*.toml")})
    raise ConfigError(
        f"workspace: no data/{name}.toml or work/{name}.toml from {Path.cwd()} upward; found: {known}"
    )


def read_workspace(name: str | Path) -> Workspace:
    """Read and check a workspace, given by name or path; every problem of the file is named at once.

    Raises
    ------
    ConfigError
        The file is missing, is no TOML, or has a key or a value that is not understood.
    """
    path = find_workspace(name)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: not readable as TOML: {error}") from None
    try:
        workspace = Workspace.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_sentence(problem, content) for problem in error.errors())
        raise ConfigError(f"{path.name}: {problems}") from None
    workspace._path = path
    return workspace


def _sentence(problem: Any, content: dict[str, Any]) -> str:
    """One pydantic problem as a sentence that names the key, the value and what was expected."""
    *parents, last = [str(part) for part in problem["loc"]]
    where = ".".join([*parents, last])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {where!r}; known keys here: {_known_keys(parents)}"
    if problem["type"] == "missing":
        return f"key {where!r} is missing"
    return f"{where} = {problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}"


def _known_keys(parents: list[str]) -> list[str]:
    """Keys that a table of the TOML file may have."""
    model: Any = Workspace
    for part in parents:
        if not hasattr(model, "model_fields"):
            break
        model = _inner_model(model.model_fields[part].annotation) if part in model.model_fields else model
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _inner_model(annotation: Any) -> Any:
    """Return the model inside `Model | None` or `dict[str, Model]`."""
    arguments = [annotation, *getattr(annotation, "__args__", ())]
    return next((a for a in arguments if hasattr(a, "model_fields")), annotation)


_PERIOD = re.compile(r"(?P<year>\d{4})(?:-(?P<month>\d{2})|Q(?P<quarter>[1-4]))?")
_LENGTH = re.compile(r"(?P<count>\d+(?:\.\d+)?)\s*(?P<unit>day|week|month|year)s?")
_DAYS = {"day": 1.0, "week": 7.0, "month": DAYS_PER_MONTH, "year": DAYS_PER_YEAR}


class Period(Settings):
    """A month, quarter or year of the workspace's calendar; `start` and `end` are its first and last day."""

    label: str
    start: dt.date
    end: dt.date
    n_months: int
    fiscal_year_starts: int = 1

    @classmethod
    def parse(cls, label: str, calendar: Calendar | None = None) -> Period:
        """Period called `2025-12`, `2025Q4` or `2025`; a fiscal year is named for the year it ends in."""
        match = _PERIOD.fullmatch(label.strip())
        if not match or (match["month"] and not 1 <= int(match["month"]) <= 12):
            raise ConfigError(
                f"period {label!r}: expected a month '2025-12', a quarter '2025Q4' or a year '2025'"
            )
        first = (calendar or Calendar()).fiscal_year_starts
        year = int(match["year"])
        if match["month"]:
            start, n_months = dt.date(year, int(match["month"]), 1), 1
        else:
            start = dt.date(year - (first > 1), first, 1)
            n_months = 3 if match["quarter"] else 12
            start = add_months(start, 3 * (int(match["quarter"] or 1) - 1))
        end = add_months(start, n_months) - dt.timedelta(days=1)
        return cls(label=label.strip(), start=start, end=end, n_months=n_months, fiscal_year_starts=first)

    @property
    def previous(self) -> Period:
        """The period of the same length just before."""
        return self._starting(add_months(self.start, -self.n_months))

    @property
    def year_before(self) -> Period:
        """The same period of the year before."""
        return self._starting(add_months(self.start, -12))

    def months_up_to_end(self, n_months: int) -> dt.date:
        """First day of the last `n_months` months that end with this period."""
        return add_months(self.end + dt.timedelta(days=1), -n_months)

    @property
    def grain(self) -> Literal["month", "quarter", "year"]:
        """What kind of period it is."""
        return {1: "month", 3: "quarter"}.get(self.n_months, "year")  # type: ignore[return-value]

    @property
    def n_days(self) -> int:
        """Number of days, both ends included."""
        return (self.end - self.start).days + 1

    def _starting(self, start: dt.date) -> Period:
        if self.n_months == 1:
            label = f"{start:%Y-%m}"
        else:
            moved = (
                add_months(start, 12 - self.fiscal_year_starts + 1) if self.fiscal_year_starts > 1 else start
            )
            months_in = (start.month - self.fiscal_year_starts) % 12
            label = f"{moved.year}" if self.n_months == 12 else f"{moved.year}Q{months_in // 3 + 1}"
        end = add_months(start, self.n_months) - dt.timedelta(days=1)
        return self.model_copy(update={"label": label, "start": start, "end": end})


def add_months(day: dt.date, n_months: int) -> dt.date:
    """Return the same day of the month `n_months` later (or earlier), cut to the month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + n_months, 12)
    last = months_of_the_year.monthrange(year, month + 1)[1]
    return dt.date(year, month + 1, min(day.day, last))


def parse_length(length: str) -> float:
    """Days in a length with its unit: "30 days", "39 weeks", "12 months" (of 30.4375 days), "2 years".

    Raises
    ------
    ConfigError
        A bare number, or a unit that is not known.
    """
    match = _LENGTH.fullmatch(length.strip()) if isinstance(length, str) else None
    if not match:
        raise ConfigError(
            f"length {length!r}: expected a number with its unit, such as '39 weeks' or '12 months'"
        )
    return float(match["count"]) * _DAYS[match["unit"]]
