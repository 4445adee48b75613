"""Exports as people send them, text and what claims to be: each with what a careful reader makes of it.

The sales are invented and always the same; an export is one way of writing them down, damaged or not. What
`expect` says was settled before any reader saw the file: a wrong total is worse than a refusal, and what
cannot be known is asked for.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from judged import Judged, Sale, by_time, judged

HEADER = ("client", "sold_on", "amount", "order_no")
COLUMNS = {"customer_id": "client", "occurred_at": "sold_on", "amount": "amount", "order_id": "order_no"}
YEAR = ("2023-01-01", "2023-12-31")
CLIENTS = ("K001", "K002", "K003", "K004", "K005", "K006", "K007")


def sales(clients: Sequence[str] = CLIENTS, *, hours: bool = False) -> tuple[Sale, ...]:
    """Twenty-four sales of a year, fifteen days apart, to seven clients."""
    start = dt.datetime(2023, 1, 9)
    return tuple(
        Sale(
            clients[i * 5 % len(clients)],
            start + dt.timedelta(days=15 * i, minutes=(i * 397 % 1440 if hours else 0)),
            Decimal((i * i * 3571 + 917 * i + 1250) % 250_000) / 100,
            f"R{2001 + i}",
        )
        for i in range(24)
    )


SALES = sales()
TIMED = sales(hours=True)


@dataclass(frozen=True)
class Export:
    """A file, and what may become of it.

    content : its bytes, or what writes it (a file or a folder) at a path.
    expect : what may become of it: "accepted", "flagged", "asked", "refused", several joined by " or ".
    words : what must be said; each holds alternatives separated by "|".
    sales : exactly the rows that are kept wherever it is read.
    settles : options with which it is read once it was asked for; the first one must be named.
    stated : options given from the start.
    """

    name: str
    content: bytes | Callable[[Path], Any]
    expect: str
    words: tuple[str, ...] = ()
    sales: Sequence[Sale] = SALES
    settles: dict[str, Any] = field(default_factory=dict)
    stated: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=lambda: COLUMNS)
    observed: Sequence[str] = YEAR

    def written(self, folder: Path) -> Path:
        """Path of the file, written into a folder."""
        path = folder / self.name
        if isinstance(self.content, bytes):
            path.write_bytes(self.content)
        else:
            self.content(path)
        return path


# Writing -----------------------------------------------------------------------------------------------


def plain(amount: Decimal) -> str:
    return f"{amount:.2f}"


def comma(amount: Decimal) -> str:
    return f"{amount:.2f}".replace(".", ",")


def grouped(sign: str, point: str = ".") -> Callable[[Decimal], str]:
    return lambda amount: f"{amount:,.2f}".replace(".", "\0").replace(",", sign).replace("\0", point)


def indian(amount: Decimal) -> str:
    whole, cents = f"{amount:.2f}".split(".")
    last, rest = whole[-3:], whole[:-3]
    groups = [rest[max(0, i - 2) : i] for i in range(len(rest), 0, -2)][::-1]
    return ",".join([*groups, last]) + f".{cents}"


def table(
    rows: Iterable[Sale] = SALES,
    *,
    header: Sequence[str] | None = HEADER,
    delimiter: str = ",",
    end: str = "\n",
    day: str = "%Y-%m-%d",
    amount: Callable[[Decimal], str] = plain,
    quoting: int = csv.QUOTE_MINIMAL,
) -> str:
    """Sales as delimited text."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    if header:
        writer.writerow(header)
    writer.writerows([s.customer, s.at.strftime(day), amount(s.amount), s.order] for s in rows)
    return out.getvalue()


def changed(number: int, **values: Any) -> tuple[Sale, ...]:
    """Sales, one of them otherwise; `number` counts from 0."""
    return tuple(s._replace(**values) if i == number else s for i, s in enumerate(SALES))


def line(text: str, number: int, new: str) -> str:
    """Text with another line `number`, which counts from 1."""
    lines = text.splitlines(keepends=True)
    lines[number - 1] = new + "\n"
    return "".join(lines)


def inserted(text: str, number: int, new: str) -> str:
    """Text with a line put in, which then is line `number`."""
    lines = text.splitlines(keepends=True)
    return "".join([*lines[: number - 1], new + "\n", *lines[number - 1 :]])


def with_field(number: int, column: str, value: str, **style: Any) -> str:
    """Text of the sales with one field of line `number` as it is given."""
    text = table(**style)
    lines = text.splitlines()
    fields = lines[number - 1].split(style.get("delimiter", ","))
    fields[HEADER.index(column)] = value
    return line(text, number, style.get("delimiter", ",").join(fields))


def sum_of(rows: Iterable[Sale]) -> str:
    return plain(sum((s.amount for s in rows), Decimal(0)))


REFUNDED = tuple(s._replace(amount=-s.amount) if i in (6, 15) else s for i, s in enumerate(SALES))


def refund_as(before: str, after: str) -> Callable[[Decimal], str]:
    return lambda amount: plain(amount) if amount >= 0 else f"{before}{-amount:.2f}{after}"


# Encodings ---------------------------------------------------------------------------------------------

JAPANESE = ("さくら商店", "山田太郎", "日本橋ストア", "カフェ・ミドリ", "東京ﾃﾞﾝｷ", "表参道ソフト", "能登屋")
TAIWANESE = ("臺北書局", "陳美玲", "許功蓋", "高雄餐廳", "綠茶專賣店", "黃金海岸", "龍門客棧")
POLISH = ("Łukasz Żak", "Świeży Chleb", "Jędrzej Wójcik", "Gąska", "Źródło Sp. z o.o.", "Miś", "Kółko")
RUSSIAN = ("Иван Петров", "ООО Ромашка", "Чайная", "Ёлка", "Мастерская", "Ольга Щукина", "Юг")
FRENCH = ("Crème Brûlée", "Zoë", "Garçon", "Façade & Fils", "Hôtel du Nord", "L’Été", "Œuvre")
CHINESE = ("北京茶庄", "王小明", "上海书店", "㐀㐁堂", "广州餐厅", "龙门客栈", "李𠮷")
CHINESE_HEADER = ("客户编号", "下单日期", "金额", "订单号")
CHINESE_COLUMNS = dict(zip(COLUMNS, CHINESE_HEADER, strict=True))


def encoded(name: str, clients: Sequence[str], encoding: str, expect: str, **more: Any) -> Export:
    rows = sales(clients)
    settles = {"encoding": encoding} if "asked" in expect else {}
    return Export(name, table(rows).encode(encoding), expect, sales=rows, settles=settles, **more)


def broken_byte() -> bytes:
    """Five thousand lines of UTF-8, of which line 4711 has one byte of another encoding."""
    lines = [",".join(HEADER)]
    lines += [f"Käthe {i % 90},2023-0{1 + i % 9}-15,{i % 70}.25,R{i}" for i in range(5000)]
    text = [row.encode() for row in lines]
    text[4710] = text[4710].replace("ä".encode(), b"\xe4")
    return b"\n".join(text) + b"\n"


def half_and_half() -> bytes:
    """Two exports in one file, the second of them in another encoding."""
    rows = sales(CHINESE)
    return table(rows[:12]).encode() + table(rows[12:], header=None).encode("gb18030")


ENCODINGS = [
    Export("plain.csv", table().encode(), "accepted"),
    encoded("shift_jis.csv", JAPANESE, "shift_jis", "asked", words=("encoding",)),
    encoded("big5.csv", TAIWANESE, "big5", "asked", words=("encoding",)),
    encoded("polish_cp1250.csv", POLISH, "cp1250", "asked", words=("encoding",)),
    encoded("russian_cp1251.csv", RUSSIAN, "cp1251", "asked", words=("encoding",)),
    encoded("french_cp1252.csv", FRENCH, "cp1252", "accepted or asked"),
    encoded("utf16_without_mark.csv", CHINESE, "utf-16-le", "accepted or asked"),
    encoded("utf16_big_endian_without_mark.csv", FRENCH, "utf-16-be", "accepted or asked"),
    encoded("utf32.csv", FRENCH, "utf-32", "accepted or asked or refused"),
    encoded("utf8_mark.csv", CHINESE, "utf-8-sig", "accepted"),
    encoded(
        "plus_signs_as_in_utf7.csv",
        ("M+APw-ller", "+AOk-", "a+b", "1+1", "+-", "C+-", "D"),
        "ascii",
        "accepted",
    ),
    Export(
        "gb18030_with_four_bytes.csv",
        table(
            sales(CHINESE), header=CHINESE_HEADER, day="%Y年%m月%d日", amount=lambda a: f"￥{a:,.2f}"
        ).encode("gb18030"),
        "accepted",
        sales=sales(CHINESE),
        columns=CHINESE_COLUMNS,
    ),
    Export("broken_byte_in_line_4711.csv", broken_byte(), "refused", ("4711|4,711",)),
    Export("half_utf8_half_gb18030.csv", half_and_half(), "refused", ("line 14|byte",)),
    Export("nul_in_line_7.csv", with_field(7, "client", "K0\x0003").encode(), "refused", ("NUL",)),
    Export("all_nul.csv", bytes(4096), "refused", ("NUL|empty",)),
]

# Layout ------------------------------------------------------------------------------------------------


def mixed_line_ends() -> str:
    lines = table().splitlines()
    return "".join(row + ("\r\n" if i % 3 else "\n") for i, row in enumerate(lines))


def named(name: str, i: int = 4) -> tuple[Sale, ...]:
    return changed(i, customer=name)


WITH_NOTES = [["client", "sold_on", "amount", "order_no", "note"]]
WITH_NOTES += [[s.customer, f"{s.at:%Y-%m-%d}", plain(s.amount), s.order, "ok"] for s in SALES]


def notes(first: str, last: str, *, at: int = 4, to: int = 8) -> str:
    """Table with a note per row, that of lines `at` and `to` (counted from 1) as they are given."""
    rows = [list(row) for row in WITH_NOTES]
    rows[at - 1][4], rows[to - 1][4] = first, last
    return "\n".join(",".join(row) for row in rows) + "\n"


def quote_over_lines() -> str:
    """A quote that opens in line 5 and happens to close in line 9, so that every record has its fields."""
    rows = [["name", *HEADER]] + [
        ["Bo", s.customer, f"{s.at:%Y-%m-%d}", plain(s.amount), s.order] for s in SALES
    ]
    rows[4][0], rows[8][0] = '"Bo', 'Bo"'
    return "\n".join(",".join(row) for row in rows) + "\n"


def wide(n: int) -> str:
    more = [f"field_{i}" for i in range(n - 4)]
    rows = [[*HEADER, *more]]
    rows += [
        [s.customer, f"{s.at:%Y-%m-%d}", plain(s.amount), s.order, *(str(i % 10) for i in range(n - 4))]
        for s in SALES
    ]
    return "\n".join(",".join(row) for row in rows) + "\n"


def two_of_case() -> str:
    rows = [[*HEADER, "Amount"]]
    rows += [[s.customer, f"{s.at:%Y-%m-%d}", plain(s.amount), s.order, "1.00"] for s in SALES]
    return "\n".join(",".join(row) for row in rows) + "\n"


TITLES = 'Sales of the Nordwind shop\n"As of 31 December 2023, all amounts in euro"\n\n'
MULTI = "Line one\nline two, with a comma"
LAYOUT = [
    Export("mixed_line_ends.csv", mixed_line_ends().encode(), "accepted or flagged or refused"),
    Export("old_mac_line_ends.csv", table(end="\r").encode(), "accepted"),
    Export("no_line_end_at_the_end.csv", table().rstrip("\n").encode(), "accepted"),
    Export(
        "sep_line_tab.csv", ("sep=\t\r\n" + table(delimiter="\t", end="\r\n")).encode("utf-16"), "accepted"
    ),
    Export("all_quoted.csv", ("\ufeff" + table(quoting=csv.QUOTE_ALL)).encode(), "accepted"),
    Export(
        "quotes_inside.csv",
        table(named('The "Blue" Bar, Ltd')).encode(),
        "accepted",
        sales=named('The "Blue" Bar, Ltd'),
    ),
    Export(
        "quote_in_the_middle.csv",
        with_field(6, "client", 'pipe 12" long').encode(),
        "accepted or refused",
        sales=named('pipe 12" long'),
    ),
    Export(
        "backslash_quotes.csv",
        with_field(6, "client", r'"a\"b"').encode(),
        "accepted or refused",
        sales=named('a"b'),
    ),
    Export("line_ends_in_values.csv", table(named(MULTI)).encode(), "accepted", sales=named(MULTI)),
    Export("unclosed_quote.csv", with_field(12, "client", '"K003').encode(), "refused", ("quote", "line 12")),
    Export(
        "quote_closed_five_lines_on.csv",
        quote_over_lines().encode(),
        "refused",
        ("quote|line end", "line 5|row 4"),
    ),
    Export(
        "quote_closed_in_a_note.csv", notes('"late', 'paid" twice').encode(), "refused", ("line 4|line 8",)
    ),
    Export("delimiter_at_every_end.csv", table().replace("\n", ",\n").encode(), "accepted"),
    Export(
        "delimiter_at_the_end_of_rows.csv",
        line(table().replace("\n", ",\n"), 1, ",".join(HEADER)).encode(),
        "accepted or refused",
    ),
    Export(
        "delimiter_at_some_ends.csv",
        line(table(), 9, table().splitlines()[8] + ",").encode(),
        "refused or accepted",
    ),
    Export(
        "long_line_of_chinese.csv",
        line(table(), 8, "K001,2023-04-09,1.00,R1," + "茶" * 7000).encode(),
        "refused",
        ("line 8",),
    ),
    Export("short_line.csv", line(table(), 8, "K001,2023-05-05").encode(), "refused", ("line 8",)),
    Export("header_twice_but_for_case.csv", two_of_case().encode(), "refused or accepted"),
    Export(
        "two_header_rows.csv",
        ("Customer,,Sale,\n" + table()).encode(),
        "accepted or flagged or refused",
        ("header|row|line",),
    ),
    Export(
        "titles_above.csv", (TITLES + table()).encode(), "accepted or flagged or refused", ("header|line 4",)
    ),
    Export(
        "header_in_the_middle.csv",
        inserted(table(), 14, ",".join(HEADER)).encode(),
        "flagged or refused",
        ("line 14|row 13",),
    ),
    Export(
        "footer.csv",
        (table() + "Exported 2023-12-31 23:59 by mk\n").encode(),
        "flagged or refused",
        ("line 26|row 25",),
    ),
    Export(
        "comment_above.csv",
        ("# exported by shop 4.2\n" + table()).encode(),
        "accepted or flagged or refused",
        ("header|line 2|comment|line 1",),
    ),
    Export(
        "comment_in_the_middle.csv",
        inserted(table(), 10, "# page 2").encode(),
        "flagged or refused",
        ("line 10|row 9",),
    ),
    Export("blank_lines.csv", inserted(inserted(table(), 9, ""), 2, "").encode() + b"\n\n", "accepted"),
    Export(
        "lines_of_delimiters.csv",
        (inserted(table(), 9, ",,,") + ",,,\n,,,\n").encode(),
        "accepted or flagged or refused",
        stated={"max_set_aside": 0.2},
    ),
    Export(
        "blanks_in_the_header.csv",
        line(table(), 1, " client , sold_on,amount ,order_no").encode(),
        "accepted",
    ),
    Export("columns_200.csv", wide(200).encode(), "accepted"),
    Export("columns_5000.csv", wide(5000).encode(), "refused", ("columns",)),
    Export("a_note_of_a_megabyte.csv", notes("x" * 1_000_000, "ok").encode(), "accepted or refused"),
    Export(
        "mapped_column_absent.csv",
        line(table(), 1, "Client,sold_on,total,order_no").encode(),
        "refused",
        ("client", "amount", "order_no"),
    ),
    Export("header_absent.csv", table(header=None).encode(), "refused", ("client",)),
    Export("one_column.csv", b"client\nK001\nK002\n", "refused", ("sold_on", "amount")),
]

# What is no text ---------------------------------------------------------------------------------------

LOGIN = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form><input></form></body></html>\n"
)
NO_TEXT = [
    Export(
        "gzipped.csv.gz", gzip.compress(table().encode(), mtime=0), "accepted or refused", ("gz|compress",)
    ),
    Export(
        "a_pdf.csv",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj <</Type /Catalog>> endobj\n%%EOF\n",
        "refused",
        ("PDF",),
    ),
    Export("a_picture.csv", b"\x89PNG\r\n\x1a\n" + zlib.compress(bytes(500)), "refused"),
    Export("a_login_page.csv", LOGIN, "refused", ("HTML|table|web page",)),
    Export(
        "json_lines.csv",
        "".join(json.dumps({"client": s.customer, "amount": float(s.amount)}) + "\n" for s in SALES).encode(),
        "refused",
        ("JSON",),
    ),
    Export("an_error_message.csv", b"ERROR 500: query timed out\n", "refused", ("sold_on|header|no rows",)),
    Export("named.parquet", table().encode(), "accepted"),
    Export(
        "an_old_workbook.csv",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
        "refused",
        ("xls|Excel|password",),
    ),
]


FILES = [*ENCODINGS, *LAYOUT, *NO_TEXT]


# What is not yet so: name -> what happens instead. An export that is read right leaves this list.
OPEN = {}

# Judging -----------------------------------------------------------------------------------------------


def assert_as_expected(export: Export, folder: Path) -> None:
    """Read an export; what was refused for want of an option is read again with it."""
    source = export.written(folder)
    found = read(export, source)
    allowed = export.expect.split(" or ")
    if found.outcome == "refused":
        assert {"refused", "asked"} & set(allowed), found.text
        for option in list(export.settles)[:1] if "refused" not in allowed else []:
            assert option in found.text, f"{option} is not asked for: {found.text}"
    else:
        assert found.outcome in allowed, found.text
    if found.outcome != "accepted":
        assert all(found.says(words) for words in export.words), found.text
    for read_as in [found, *([read(export, source, **export.settles)] if export.settles else [])]:
        if read_as.log is None:
            assert read_as is found, read_as.text
        else:
            assert read_as.sales() == sorted(export.sales, key=by_time), read_as.text


def read(export: Export, source: Path, **options: Any) -> Judged:
    stated = export.stated | options
    return judged(source, export.columns, observed=export.observed, name=export.name, **stated)


def each(exports: Sequence[Export]) -> list[Any]:
    """Exports as parameters of a test; what is not yet so is expected to fail, and fails when it does not."""
    reasons = {
        e.name: [pytest.mark.xfail(reason=OPEN[e.name], strict=True)] for e in exports if e.name in OPEN
    }
    return [pytest.param(export, id=export.name, marks=reasons.get(export.name, ())) for export in exports]
