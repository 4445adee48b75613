"""Random tables in random dialects: what is read is what was written, or it is refused; rows add up."""

import csv
import datetime as dt
import io
import os
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judged import Sale, by_time, judged

from crm_analysis.doors.shapes import MISSING

# How many times as many tables are tried, others each time; by hand.
MORE = int(os.environ.get("CRM_TEST_MORE", "1"))
STABLE = settings(
    deadline=None,
    derandomize=MORE == 1,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
YEARS = ("2001-01-01", "2030-12-31")
DATES = {
    "iso": "%Y-%m-%d",
    "iso with time": "%Y-%m-%d %H:%M:%S",
    "day first": "%d.%m.%Y",
    "month first": "%m/%d/%Y",
    "compact": "%Y%m%d",
    "Chinese": "%Y年%m月%d日",
}
HEADERS = [
    ("customer_id", "order_date", "amount", "order_id"),
    ("Customer ID", "Order Date", "AMOUNT", "Order No."),
    ("客户编号", "下单日期", "金额", "订单号"),
    ("kunde;nr", "datum, uhrzeit", 'betrag "netto"', "auftrag|nr"),
]
NAMES = ("customer_id", "occurred_at", "amount", "order_id")


@dataclass(frozen=True)
class Dialect:
    """One way of writing a table; `stated` says that the reader is told the encoding."""

    delimiter: str
    quoting: int
    end: str
    encoding: str
    decimal: str
    thousands: str
    dates: str
    header: tuple[str, ...]
    sep_line: bool
    titles: int
    trailing: bool
    blank_lines: tuple[int, ...]
    stated: bool

    def written(self, rows: list[Sale]) -> bytes:
        lines = [self._line(self.header), *(self._line(self._cells(row)) for row in rows)]
        for position in self.blank_lines:
            lines.insert(min(position + 1, len(lines)), self.end)
        above = [f"Sales of a shop, page {i + 1}{self.end}" for i in range(self.titles)]
        first = [f"sep={self.delimiter}{self.end}"] if self.sep_line else []
        return "".join([*first, *above, *lines]).encode(self.encoding)

    def _line(self, cells: tuple[str, ...]) -> str:
        out = io.StringIO(newline="")
        writer = csv.writer(out, delimiter=self.delimiter, lineterminator=self.end, quoting=self.quoting)
        writer.writerow([*cells, *([""] if self.trailing else [])])
        return out.getvalue()

    def _cells(self, row: Sale) -> tuple[str, ...]:
        amount = f"{row.amount:,.2f}".replace(",", "\0").replace(".", self.decimal)
        return (
            row.customer,
            row.at.strftime(DATES[self.dates]),
            amount.replace("\0", self.thousands),
            row.order,
        )

    @property
    def is_provable(self) -> bool:
        """Whether the file says everything itself, given rows that prove its dates and decimals."""
        known = self.stated or self.encoding in ("utf-8", "utf-8-sig", "utf-16")
        return known and not self.titles and self.thousands != self.decimal


def is_plain(text: str) -> bool:
    """Whether an id means itself: no blanks around it, no word for nothing, no number a spreadsheet bent."""
    number = text.replace(".", "").replace(",", "").lstrip("+-")
    return text == text.strip() and text not in MISSING and not (number != text and number.isdigit())


LETTERS = st.sampled_from([*"abK079", *"\"',;|#=+@-_ /\\%&<", "é", "ß", "中", "文", "\t", "\n"])
IDS = st.text(LETTERS, min_size=1, max_size=5).filter(is_plain)
TIMES = st.datetimes(dt.datetime(2001, 1, 1), dt.datetime(2030, 12, 31)).map(
    lambda at: at.replace(microsecond=0)
)
AMOUNTS = st.decimals(-(10**6), 10**7, places=2)
ROWS = st.lists(
    st.builds(Sale, IDS, TIMES, AMOUNTS, st.from_regex(r"R[0-9]{1,4}", fullmatch=True)),
    min_size=1,
    max_size=7,
)
# A row that proves which number is the day and which sign marks the decimals.
PROOF = Sale("proof", dt.datetime(2024, 1, 31), Decimal("1234567.89"), "R0")
DIALECTS = st.builds(
    Dialect,
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030", "cp1252"]),
    decimal=st.sampled_from(".,"),
    thousands=st.sampled_from(["", "", ".", ",", "'", "\u00a0"]),
    dates=st.sampled_from(list(DATES)),
    header=st.sampled_from(HEADERS),
    sep_line=st.booleans(),
    titles=st.sampled_from([0, 0, 0, 1, 2]),
    trailing=st.booleans(),
    blank_lines=st.sampled_from([(), (), (0,), (1, 3), (99, 99)]),
    stated=st.booleans(),
)


def meant(rows: list[Sale], dialect: Dialect) -> list[Sale]:
    """Rows as the dialect can say them: most have no time of day."""
    keeps_time = dialect.dates == "iso with time"
    return [r if keeps_time else r._replace(at=dt.datetime.combine(r.at, dt.time())) for r in rows]


def writable(dialect: Dialect, rows: list[Sale]) -> bool:
    """Whether the encoding has all signs, and the amounts can be told from each other."""
    try:
        dialect.written(rows)
    except UnicodeEncodeError:
        return False
    return dialect.thousands != dialect.decimal


def read(folder, content: bytes, dialect: Dialect):
    path = folder / "sales.csv"
    path.write_bytes(content)
    options = {"encoding": dialect.encoding} if dialect.stated else {}
    return judged(path, dict(zip(NAMES, dialect.header, strict=True)), observed=YEARS, **options)


@settings(STABLE, max_examples=50 * MORE)
@given(rows=ROWS, dialect=DIALECTS, proven=st.booleans())
def test_what_is_read_is_what_was_written_or_is_refused(tmp_path_factory, rows, dialect, proven):
    rows = [*rows, PROOF] if proven else rows
    if not writable(dialect, rows):
        return
    found = read(tmp_path_factory.mktemp("dialect"), dialect.written(rows), dialect)
    if found.log is not None:
        assert found.sales() == sorted(meant(rows, dialect), key=by_time), dialect
    else:
        assert not (proven and dialect.is_provable), found.text


def test_every_encoding_meets_every_delimiter_and_line_end(tmp_path):
    rows = [Sale("中文;a,b|c", dt.datetime(2024, 2, 29), Decimal("-1234.50"), "R1"), PROOF]
    n = 0
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "gb18030"):
        for delimiter, end in zip(",;\t|", ("\n", "\r\n", "\r", "\r\n"), strict=True):
            dialect = Dialect(
                delimiter,
                csv.QUOTE_MINIMAL,
                end,
                encoding,
                ",",
                ".",
                "day first",
                HEADERS[2],
                False,
                0,
                False,
                (),
                True,
            )
            assert read(tmp_path, dialect.written(rows), dialect).sales() == sorted(rows, key=by_time)
            n += 1
    assert n == 16


# Every row is counted ----------------------------------------------------------------------------------

DEFECTS = {
    "customer missing": lambda cells: ["", *cells[1:]],
    "time missing": lambda cells: [cells[0], "NULL", *cells[2:]],
    "amount missing": lambda cells: [*cells[:2], "", cells[3]],
    "before observed_from": lambda cells: [cells[0], "1999-05-05", *cells[2:]],
    "after observed_until": lambda cells: [cells[0], "2031-01-01", *cells[2:]],
}
DAMAGE = st.one_of(st.none(), st.none(), st.sampled_from(list(DEFECTS)))


@settings(STABLE, max_examples=25 * MORE)
@given(rows=st.lists(st.tuples(IDS, AMOUNTS, DAMAGE), min_size=1, max_size=12), copies=st.integers(0, 2))
def test_rows_in_are_rows_kept_and_rows_set_aside(tmp_path_factory, rows, copies):
    sales = [Sale(c, dt.datetime(2024, 1, 1 + i), a, f"R{i}") for i, (c, a, _) in enumerate(rows)]
    damages = [damage for *_, damage in rows]
    lines = [[s.customer, f"{s.at:%Y-%m-%d}", f"{s.amount:.2f}", s.order] for s in sales]
    lines = [DEFECTS[d](line) if d else line for line, d in zip(lines, damages, strict=True)]
    lines += [lines[0]] * copies
    kept = [s for s, d in zip(sales, damages, strict=True) if d is None]
    kept += [sales[0]] * copies if damages[0] is None else []
    aside = Counter(d for d in [*damages, *[damages[0]] * copies] if d)
    path = tmp_path_factory.mktemp("rows") / "sales.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADERS[0], *lines])
    columns = dict(zip(NAMES, HEADERS[0], strict=True))
    found = judged(path, columns, observed=YEARS, max_set_aside=1.0)
    if not kept:
        assert found.outcome == "refused", found.text
        return
    assert found.log is not None, found.text
    assert found.log.n_rows_in == len(lines)
    assert found.log.set_aside == aside
    assert found.sales() == sorted(kept, key=by_time)
    assert found.log.set_aside_rows.count().to_pyarrow().as_py() == sum(aside.values())


@settings(STABLE, max_examples=25 * MORE)
@given(
    value=st.text(st.sampled_from("0123456789.,-+ eEkKmM%$€¥()'/年x"), min_size=1, max_size=9),
    rows=st.integers(1, 3),
)
def test_an_amount_is_exactly_itself_or_refused(tmp_path_factory, value, rows):
    """Whatever stands in an amount: read, it is the one number that its signs can mean."""
    lines = [f"K{i};2024-01-0{i + 1};1234.50;R{i}" for i in range(rows)]
    path = tmp_path_factory.mktemp("amount") / "sales.csv"
    path.write_text("\n".join(["a;b;c;d", *lines, f'KX;2024-01-09;"{value}";RX']), encoding="utf-8")
    found = judged(path, dict(zip(NAMES, "abcd", strict=True)), observed=YEARS, max_set_aside=1.0)
    if found.log is None or "amount missing" in found.log.set_aside:
        return
    read_as = next(s.amount for s in found.sales() if s.customer == "KX")
    assert read_as in readings(value), value


def readings(value: str) -> set[Decimal]:
    """Every number a person could take the text for, where the decimal sign is a point."""
    text = value.strip()
    negative = text.startswith("(") and text.endswith(")")
    for sign in "$€¥ '()":
        text = text.replace(sign, "")
    scale = {"k": 10**3, "m": 10**6}.get(text[-1:].lower(), 1)
    text = text[:-1] if scale > 1 else text
    text = f"-{text[:-1]}" if text.endswith("-") else text
    try:
        number = Decimal(text.replace(",", "")) * scale
    except ArithmeticError:
        return set()
    return {-number if negative else number}
