"""Delimited text: what is written is what is read, or is refused with the line of the file and what to do."""

import os
import tracemalloc
from pathlib import Path

import pytest

from crm_analysis.doors.sources import Options
from crm_analysis.doors.sources.engine import connect
from crm_analysis.doors.sources.files import open_source
from crm_analysis.doors.sources.opened import Refusal
from crm_analysis.doors.sources.text import layout, open_text, scan
from crm_analysis.doors.sources.text.lines import with_line_feeds

WANTED = ["customer", "date", "amount"]
HEADER = "customer,date,amount\n"
ENGINE = connect(threads=1)


def write(folder, text, encoding="utf-8", name="sales.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def opened(folder, text, written="utf-8", wanted=WANTED, name="sales.csv", **options):
    return open_text(write(folder, text, written, name), Options(**options), ENGINE, wanted)


def cells(source):
    return [tuple(row.values()) for row in source.table.to_pyarrow().to_pylist()]


def refusal(folder, text, written="utf-8", wanted=WANTED, **options):
    before = ENGINE.list_tables()
    with pytest.raises(Refusal) as error:
        opened(folder, text, written, wanted, **options)
    assert ENGINE.list_tables() == before
    return str(error.value)


# Bytes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_line_ends_and_marks_of_all_kinds(tmp_path, end, encoding):
    text = end.join(["customer;date;amount", "é;2024-01-05;1,5", '"b;""c""";2024-01-06;2'])
    for last in ("", end):
        source = opened(tmp_path, text + last, encoding)
        assert cells(source) == [("é", "2024-01-05", "1,5", 2), ('b;"c"', "2024-01-06", "2", 3)]
        assert source.table.columns[-1] == "source_line"
        told = () if encoding.startswith("utf-8") else (f"encoding {encoding}",)
        assert source.reading == (*told, "delimiter ';'")


@pytest.mark.parametrize(
    "text",
    [
        "customer,date,amount\r\na,1,2\nb,3,4\r\nc,5,6",
        "customer,date,amount\na,1,2\rb,3,4\r\nc,5,6\n",
        "customer,date,amount\r\r\na,1,2\r\r\nb,3,4\r\r\nc,5,6\r\r\n",
    ],
)
def test_line_ends_that_are_mixed_all_end_lines(tmp_path, text):
    assert [row[:3] for row in cells(opened(tmp_path, text))] == [
        ("a", "1", "2"), ("b", "3", "4"), ("c", "5", "6")
    ]  # fmt: skip


def test_line_ends_within_quotes_are_values_and_rows_are_numbered(tmp_path):
    for end, within in (("\n", "\r\n"), ("\r\n", "\n"), ("\r\n", "\r"), ("\n", "\n"), ("\r", "\n")):
        text = end.join(["customer,date,amount", f'"a{within}",1,"2"', f'"{within}""",3,"{within}4"', ""])
        source = opened(tmp_path, text)
        assert cells(source) == [(f"a{within}", "1", "2", 1), (f'{within}"', "3", f"{within}4", 2)]
        assert source.table.columns[-1] == "source_row"


def test_mended_line_ends_do_not_depend_on_where_blocks_end(tmp_path, monkeypatch):
    text = 'customer,date,amount\r\na,1,2\n"b\r\n,""\r\n",3,"4"\r\n5" pipe,6,7\rc,8, "9\r"\r\n'
    whole = cells(opened(tmp_path, text))
    assert [row[0] for row in whole] == ["a", 'b\r\n,"\r\n', '5" pipe', "c"]
    for size in range(1, 40):
        monkeypatch.setattr(scan, "BLOCK", size)
        assert cells(opened(tmp_path, text)) == whole


def test_a_pair_that_a_block_cuts_stays_one_line_end(tmp_path, monkeypatch):
    path = write(tmp_path, 'a,b\r\n1,"2\r\n"\n\r3,4\r')
    for size in range(1, 25):
        monkeypatch.setattr(scan, "BLOCK", size)
        assert with_line_feeds(path, ",", tmp_path).read_bytes() == b'a,b\n1,"2\r\n"\n\n3,4\n'


def test_a_wrong_byte_is_named_by_its_place_whatever_the_blocks(tmp_path, monkeypatch):
    path = write(tmp_path, "äöü\nß".encode() + b"\xc3(")
    for size in range(1, 12):
        monkeypatch.setattr(scan, "BLOCK", size)
        with pytest.raises(Refusal, match="byte 9 in line 2 is not utf-8"):
            open_text(path, Options(encoding="utf-8"), ENGINE, [])


def test_counts_do_not_depend_on_where_blocks_end(tmp_path, monkeypatch):
    path = write(tmp_path, "a\r\nb\rc\n\r\n\r\r\nd\r\n\r\n\r\n")
    for size in range(1, 30):
        monkeypatch.setattr(scan, "BLOCK", size)
        found = scan.Scan()
        for block in scan.blocks(path):
            found.feed(block)
        found.close()
        assert (found.n_lf, found.n_cr, found.n_crlf, found.n_ends, found.last_line) == (7, 8, 6, 9, 7)
        assert [scan.line_at(path, i) for i in (0, 3, 5, 7, 13)] == [1, 2, 3, 4, 7]


def test_nul_and_lines_too_long_are_refused_with_the_line(tmp_path):
    assert "NUL characters, the first in line 3;" in refusal(tmp_path, HEADER + "a,1,2\nb,\x003,4\n")
    long = "x" * (scan.MAX_LINE + 1)
    assert "line 3 is longer than 1,000,000 bytes" in refusal(tmp_path, f"{HEADER}a,1,2\n{long},1,2\n")
    fits = "x" * (scan.MAX_LINE - 10)
    assert len(cells(opened(tmp_path, f"{HEADER}{fits},1,2\n"))) == 1


def test_a_line_without_an_end_takes_no_memory(tmp_path):
    path = tmp_path / "endless.csv"
    with path.open("wb") as file:
        file.write(b"customer,date,amount\n")
        for _ in range(64):
            file.write(b"x" * (1 << 20))
    tracemalloc.start()
    with pytest.raises(Refusal, match="line 2 is longer than"):
        open_text(path, Options(), ENGINE, WANTED)
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path, HEADER + "a,1,2\n")

    def late(self):
        os.utime(path, ns=(1, 1))
        return finish(self)

    finish = scan.Scan.close
    monkeypatch.setattr(scan.Scan, "close", late)
    with pytest.raises(Refusal, match="changed while it was read"):
        open_source(path, Options(), ENGINE, WANTED)


@pytest.mark.parametrize("name", ["sales[1].csv", "sales*.csv", "it's {1}.csv", "sales.csv.gz", "~sales.csv"])
def test_names_of_files_are_no_patterns(tmp_path, name):
    assert cells(opened(tmp_path, HEADER + "a,1,2\n", name=name)) == [("a", "1", "2", 2)]


def test_folders_that_look_like_columns_are_none(tmp_path):
    (tmp_path / "year=2024").mkdir()
    assert cells(opened(tmp_path / "year=2024", HEADER + "a,1,2\n")) == [("a", "1", "2", 2)]


# Encoding ------------------------------------------------------------------------------------------------

WESTERN = [
    "Müller", "Größe", "Söhne", "Émile Zola", "été", "São Paulo", "João", "Simões", "Muñoz", "¿Qué?",
    "Ångström", "Sørensen", "Curaçao", "Noël", "cœur", "lunedì", "più", "O’Brien", "12 €", "€uro",
    "3 – 5 Días", "25° Süd", "„Höhe“", "«déjà vu»", "Zürich", "3 m² Täfelung", "Nº 5 España", "façade…",
    "1ª visita año", "col·lecció",
]  # fmt: skip
CHINESE = [
    "张伟",
    "王芳",
    "上海市浦东新区",
    "2024年3月5日",
    "￥5.00",
    "订单已完成",
    "北京朝阳区（东）",
    "服装、鞋帽",
]
OTHERS = [
    ("cp1250", ["Wałęsa", "Łódź", "Żaneta", "Paweł"]),
    ("cp1250", ["Dvořák", "Němec", "Jiří"]),
    ("cp1250", ["Erdős", "Győri"]),
    ("cp1250", ["Brăila", "Constanţa"]),
    ("cp1251", ["Иванов", "Москва", "ООО"]),
    ("cp1251", ["Анна"]),
    ("koi8-r", ["Иванов", "Москва", "Анна"]),
    ("cp1253", ["Αθήνα", "Γιώργος"]),
    ("cp1254", ["Yıldız", "Şahin", "Işık"]),
    ("cp1254", ["Iğdır"]),
    ("cp1255", ["שלום"]),
    ("cp1256", ["محمد"]),
    ("cp1257", ["Šarūnas", "Rīga"]),
    ("shift_jis", ["山田太郎", "東京都", "トヨタ"]),
    ("shift_jis", ["ﾔﾏﾀﾞ", "ｱｲ"]),
    ("euc_jp", ["山田太郎", "東京都"]),
    ("big5", ["陳小明", "台北市", "訂單"]),
    ("cp949", ["김철수", "서울", "이영희", "부산", "주문", "고객"]),
    ("cp850", ["Café", "Müller", "Größe"]),
    ("mac_roman", ["Café", "Müller", "Jesús", "Muñoz"]),
    ("gb18030", ["喆"]),
    ("latin-1", ["é"]),
    ("cp1252", ["Café", "naïVÉ", "cafÉ"]),
    ("gb18030", ["北京上海", "龘靐齉爩麤灪龖厵"]),
]  # fmt: skip


def named(values, header="customer,date,amount"):
    return "\n".join([header, *(f"{value},2024-01-05,1" for value in values), ""])


@pytest.mark.parametrize("value", WESTERN)
def test_each_western_word_is_believed(tmp_path, value):
    source = opened(tmp_path, named([value, "Café"]), "cp1252")
    assert cells(source)[0][0] == value
    assert source.reading == ("encoding cp1252",)
    assert source.notes == ()


def test_chinese_is_settled_by_common_characters(tmp_path):
    source = opened(tmp_path, named(CHINESE), "gb18030")
    assert [row[0] for row in cells(source)] == CHINESE
    assert source.reading == ("encoding gb18030",)


@pytest.mark.parametrize(("encoding", "values"), OTHERS, ids=[f"{e}-{v[0]}" for e, v in OTHERS])
def test_other_encodings_are_asked_for_and_never_taken_for_these(tmp_path, encoding, values):
    message = refusal(tmp_path, named(values), encoding)
    assert "the text is not UTF-8 (byte " in message
    assert "set encoding to the one that reads right" in message
    assert [row[0] for row in cells(opened(tmp_path, named(values), encoding, encoding=encoding))] == values


def test_what_is_asked_shows_the_values_under_each_reading(tmp_path):
    message = refusal(tmp_path, named(["Anna", "Dvořák", "Němec"]), "cp1250")
    assert message.startswith("the text is not UTF-8 (byte 42, in line 3, is not), and it does not prove")
    assert (
        ": 'Dvoøák', 'Nìmec' in cp1252; 'Dvořák', 'Němec' in cp1250; 'Dvoшбk', 'Nмmec' in cp1251" in message
    )
    assert message.endswith("; set encoding to the one that reads right, such as 'gb18030' or 'cp1252'")


def test_wanted_names_prove_gb18030(tmp_path):
    columns, values = ["客户", "日期", "金额"], ["喆", "龘靐", "李𠮷"]
    for header in ("客户,日期,金额", '"客户",日期 ,金额', '报表\n"客户",日期,金额'):
        source = opened(tmp_path, named(values, header), "gb18030", columns)
        assert [row[0] for row in cells(source)] == values
        assert "encoding gb18030" in source.reading
    text = named(values, "客户,日期,金额")
    for wanted in (["customer"], ["客户", "元"], ["户"]):
        assert "it does not prove what else it is" in refusal(tmp_path, text, "gb18030", wanted)
    broken = text.encode("gb18030") + b"\xff,1,2\n"
    assert "it does not prove what else it is" in refusal(tmp_path, broken, wanted=columns)
    # Japanese names written in the bytes that gb18030 has for them, too, and Taiwanese ones that have others.
    kana = named(["山"], "カナ,日付,金額")
    assert "it does not prove" in refusal(tmp_path, kana, "euc_jp", ["カナ"])
    assert "it does not prove" in refusal(tmp_path, named(["山"], "客戶,b,c"), "big5", ["客戶"])


def test_one_word_far_down_is_enough_to_ask(tmp_path):
    text = named(["Müller"] * 300_000 + ["Wałęsa"])
    body = text.replace("ü", "\xfc").encode("cp1250")
    assert "'Wałęsa' in cp1250" in refusal(tmp_path, body)


@pytest.mark.parametrize("encoding", ["klingon", "base64", "utf-8\x00", " ", "idna", "rot13"])
def test_encodings_that_are_none_are_refused(tmp_path, encoding):
    message = refusal(tmp_path, named(["Müller"]), "cp1252", encoding=encoding)
    assert "is not known; write one such as" in message or "set encoding to what wrote the file" in message


def test_a_stated_encoding_is_strict(tmp_path):
    message = refusal(tmp_path, named(["Müller"]), "cp1252", encoding="utf-8")
    assert message.startswith("byte 22 in line 2 is not utf-8 (b'\\xfclle')")
    assert "byte 22 in line 2 is not gb18030" in refusal(
        tmp_path, named(["aé"]), "cp1252", encoding="gb18030"
    )


# Dialect -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;"])
def test_a_sep_line_is_obeyed_and_counted(tmp_path, line):
    source = opened(tmp_path, f"{line}\r\ncustomer;date;amount\r\na,b;1;2\r\n", wanted=[])
    assert cells(source) == [("a,b", "1", "2", 3)]
    assert source.reading == ("delimiter ';'",)
    assert "line 4 'c;1' has 2 fields" in refusal(
        tmp_path, f"{line}\r\ncustomer;date;amount\r\na;1;2\r\nc;1\r\n"
    )


def test_titles_above_the_header_are_skipped_and_told(tmp_path):
    for title in ("Sales report 2024", '"Sales ""report"" 2024"'):
        source = opened(tmp_path, f"{title}\nAll shops,,\n\n{HEADER}a,1,2\n")
        assert cells(source) == [("a", "1", "2", 5)]
        assert source.reading == ("header in line 4",)
        (note,) = source.notes
        assert note.consequence == "flag"
        assert note.found.startswith("sales.csv: 2 rows above the header in line 4 were skipped: 'Sales ")
        text = f"{title}\nAll shops,,\n\n{HEADER}a,1,2\nb,1\n"
        assert "line 6 'b,1' has 2 fields, the header 3 columns" in refusal(tmp_path, text)
    source = opened(tmp_path, f"\n\n{HEADER}a,1,2\n")
    assert (cells(source), source.notes) == ([("a", "1", "2", 4)], ())
    assert opened(tmp_path, '"Sales\n2024"\n' + HEADER + '"a",1,2\n').table.count().execute() == 1
    assert "fields" in refusal(tmp_path, f"Sales report 2024\n\n{HEADER}a,1,2\n", wanted=["client"])


def test_names_are_cleaned_of_what_cannot_be_seen_and_it_is_told(tmp_path):
    text = 'Customer\u00a0ID,"Order\nDate", Amount\u200b \na,1,2\n'
    source = opened(tmp_path, text, wanted=["Customer ID", "Order Date", "Amount"])
    assert source.table.columns[:3] == ("Customer ID", "Order Date", "Amount")
    assert "header 'Customer\\xa0ID' as 'Customer ID'" in source.reading
    assert cells(source) == [("a", "1", "2", 3)]
    kept = opened(tmp_path, text, wanted=["Customer\u00a0ID"])
    assert kept.table.columns[0] == "Customer\u00a0ID"


def test_headers_that_name_a_column_twice_or_not_at_all(tmp_path):
    assert "twice" in refusal(tmp_path, "customer,date,amount,amount\u200b\na,1,2,3\n")
    assert "differ only in capital letters" in refusal(tmp_path, "customer,date,amount,Amount\na,1,2,3\n")
    assert "without a name" in refusal(tmp_path, ",client,date\n0,a,1\n")
    index = opened(tmp_path, ",customer,date,amount\n0,a,1,2\n")
    assert index.table.columns[0] == "column 1"
    assert "has 2,001 columns" in refusal(
        tmp_path, ",".join(f"c{i}" for i in range(2001)) + "\n", wanted=[]
    ).replace("2001", "2,001")


def test_a_column_called_rowid_does_not_number_the_rows(tmp_path):
    assert cells(opened(tmp_path, "customer,date,amount,rowid\na,1,2,77\n")) == [("a", "1", "2", "77", 2)]


def test_empty_columns_at_the_end_are_read_and_filled_ones_refused(tmp_path):
    for tail in (",", ",,,"):
        text = f"customer,date,amount{tail}\na,1,2{tail}\nb,3,4{tail}\n"
        assert cells(opened(tmp_path, text)) == [("a", "1", "2", 2), ("b", "3", "4", 3)]
    message = refusal(tmp_path, "customer,date,amount,,\na,1,2,,\nb,3,4,,x\n")
    assert "row 2 holds 'x' in a column that the header does not name" in message
    assert "line 2 'a,1,2,x' has 4 fields" in refusal(tmp_path, "customer,date,amount,\na,1,2,x\n")


@pytest.mark.parametrize("delimiter", ["", ";;", "a", '"', "'", "\n", "\\", "é", " "])
def test_delimiters_that_cannot_be_one_are_refused(tmp_path, delimiter):
    assert "cannot be one" in refusal(tmp_path, HEADER + "a,1,2\n", delimiter=delimiter)
    assert cells(opened(tmp_path, "customer^date\na^1\n", wanted=[], delimiter="^")) == [("a", "1", 2)]


# Rows ----------------------------------------------------------------------------------------------------


def test_blank_lines_are_no_rows(tmp_path):
    assert cells(opened(tmp_path, HEADER + "a,1,2\nb,3,4\n\n\n")) == [("a", "1", "2", 2), ("b", "3", "4", 3)]
    between = opened(tmp_path, HEADER + "a,1,2\n\nb,3,4\n")
    assert cells(between) == [("a", "1", "2", 1), ("b", "3", "4", 2)]
    assert between.table.columns[-1] == "source_row"
    assert cells(opened(tmp_path, "customer\n1\n\n2\n", wanted=["customer"])) == [("1", 1), ("2", 2)]
    assert "no rows below the header" in refusal(tmp_path, HEADER + "\n\n")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("c,1", "line 5 'c,1' has 2 fields, the header 3 columns; quote values"),
        ("c,1,2,3,4", "line 5 'c,1,2,3,4' has 5 fields, the header 3 columns; quote values"),
        ('c,"1"x,2', "line 5 'c,\"1\"x,2' has text behind a closing quote"),
        ('c,"1,2', "line 5 'c,\"1,2' opens a quote that is never closed"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_bad_lines_are_named_as_they_stand_in_the_file(tmp_path, line, says, end):
    text = end.join(["customer,date,amount", '"a\n\n",1,2', line, ""])
    assert says in refusal(tmp_path, text)
    assert says in refusal(tmp_path, text, "utf-16")


def test_several_bad_lines_are_told_at_once(tmp_path):
    assert refusal(tmp_path, HEADER + "a,1\nb,1,2\nc,1\nd\ne,1\nf,1\n") == (
        "line 2 'a,1' has 2 fields, the header 3 columns; line 4 'c,1' has 2 fields; line 5 'd' has 1 field; "
        "2 further lines; quote values that contain the delimiter, or export with another one"
    )


def test_quotes_within_unquoted_values_are_read_as_they_are(tmp_path):
    text = HEADER + 'O"Brien 12,6" pipe,"7"\n"",, "x, y" \n'
    assert cells(opened(tmp_path, text)) == [('O"Brien 12', '6" pipe', "7", 2), (None, None, "x, y", 3)]


@pytest.mark.parametrize("n", [1, 1000, 50_000])
@pytest.mark.parametrize("last", ['b,1,"2', 'b,1,"2""', '"'])
def test_a_quote_that_is_open_at_the_end_loses_no_row(tmp_path, n, last):
    assert "never closed" in refusal(tmp_path, HEADER + "a,1,2\n" * n + last)


def test_a_long_line_of_chinese_is_named(tmp_path):
    long = "茶" * 7000
    message = refusal(tmp_path, f'{HEADER}"a\n",1,2\nb,1,2,{long}\nc,1,2\nd\n')
    assert message.startswith("line 4 'b,1,2,茶茶")
    assert "has 4 fields, the header 3 columns; line 6 'd' has 1 field; quote values" in message
    assert "line 3 'b' has 1 field" in refusal(tmp_path, f"title\n{HEADER}b\na,1,2,{long}\n")
    open_ = refusal(tmp_path, f'{HEADER}a,1,2\nb,1,2,{long}\nc,1,"2\n')
    assert "line 4 'c,1,\"2' opens a quote that is never closed" in open_
    assert "line 3 '茶茶" in refusal(tmp_path, f"{HEADER}a,1,2,\n{long}\n")


def test_a_record_beyond_all_bounds_is_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "BUFFER", 1)
    monkeypatch.setattr(layout, "LARGE_BUFFER", 4_000_000)
    message = refusal(tmp_path, HEADER + "a,1,2\n" + '"b,1,' + "2,3,4\n" * 1_400_000)
    assert message.startswith("line 3 '\"b,1,2,3,4\\n2,3,4\\n")
    assert "' is longer than 2,000,000 bytes, or opens a quote" in message


SOLD = "customer,date,amount,note\n" + "".join(f"K{i},2024-01-{i},{i}.50,ok\n" for i in range(10, 20))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("first", "last"), [(3, 4), (3, 5), (3, 10), (10, 11), (2, 11)])
@pytest.mark.parametrize("column", range(4))
def test_rows_between_two_stray_quotes_are_not_one_row(tmp_path, end, first, last, column):
    rows = [line.split(",") for line in SOLD.splitlines()]
    rows[first - 1][column] = '"' + rows[first - 1][column]
    rows[last - 1][column] += '"'
    text = end.join([",".join(row) for row in rows]) + end
    message = refusal(tmp_path, text)
    assert message.startswith(f"a quote that opens in line {first} 'K{8 + first},2024")
    assert f"one value of {last - first + 1} lines that look like rows of the table each; take" in message
    with_title = refusal(tmp_path, f"Sales{end}{end}" + text, "utf-16")
    assert f"opens in line {first + 2} " in with_title
    assert f"opens in row {first - 1} " in refusal(tmp_path, text.replace(end, end + end, 1))


@pytest.mark.parametrize(
    "note",
    [
        "Call back\nafter four",
        "Asked for a, b, c and d\nand, as ever, for a, e",
        "Dear all,\nAnn, Bo, Cy, and 12 others",
        "a,b,c,d\ne,f,g,h",
        "K10,2024-01-10,10.50\nK11,2024-01-11,11.50",
        "\n,,,",
    ],
)
def test_comments_of_several_lines_stay_readable(tmp_path, note):
    source = opened(tmp_path, SOLD + f'K20,2024-01-20,1.50,"{note}"\n' + f'"{note}",2024-01-20,1.50,ok\n')
    assert [row[3] for row in cells(source)][-2:] == [note, "ok"]
    assert cells(source)[-1][0] == note


def test_runs_of_blanks_keep_to_blanks(tmp_path):
    source = opened(tmp_path, 'customer date  amount\n a\u00a0b 1\t 2"\n\n')
    assert cells(source) == [("a\u00a0b", "1", '2"', 2)]
    assert "line 3 'a' has 1 fields" in refusal(tmp_path, "customer date amount\na 1 2\na\n")


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(Refusal, match="the file cannot be read"):
        open_text(Path(tmp_path / "gone.csv"), Options(), ENGINE, WANTED)
