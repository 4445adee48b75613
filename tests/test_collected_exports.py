"""A collection of forty-one damaged exports: each is read right, or refused with the words that settle it."""

import csv
import html
import json
import zipfile
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from judged import COLUMNS, Judged, judged

from crm_analysis.report.format import harmless
from crm_analysis.report.table import html_table, write_csv, written
from crm_analysis.report.text import read_catalogue
from crm_analysis.report.workbook import DecisionList, write_decisions

FOLDER = Path(__file__).parents[1].parent / "shared/data/nasty"
MANIFEST = FOLDER / "manifest.json"
ENTRIES = {e["file"]: e for e in json.loads(MANIFEST.read_text())} if MANIFEST.is_file() else {}
pytestmark = pytest.mark.skipif(not ENTRIES, reason=f"the collection {FOLDER} is not there")

# What the manifest says a reader has to be told, in our words.
SETTLED = {
    "ambiguous_dates.csv": {"dates": "day first"},
    "two_sheets.xlsx": {"sheet": ["Year 2024 H1", "Year 2024 H2"]},
}
READ_OTHERWISE = {
    "ambiguous_dates.csv": {"dates": "month first"},
    "two_sheets.xlsx": {"sheet": "Year 2024 H1"},
}


def named(expect):
    return sorted(file for file, entry in ENTRIES.items() if entry["expect"] == expect) or ["(none)"]


def read(file: str, columns: dict | None = None, **options) -> Judged:
    names = ENTRIES[file]["read"].get("columns", {})
    chinese = {ours: chinese for chinese, name in names.items() for ours, n in COLUMNS.items() if n == name}
    return judged(FOLDER / file, columns or COLUMNS | chinese, name=file, max_set_aside=0.2, **options)


def totals(found: Judged) -> dict:
    lines = found.log.lines
    asked = {
        "rows": lines.count(),
        "customers": lines.customer_id.nunique(),
        "orders": lines.order_id.nunique(),
        "amount": lines.amount.sum(),
        "first": lines.occurred_at.min(),
        "last": lines.occurred_at.max(),
    }
    row = lines.agg(**asked).to_pyarrow().to_pylist()[0]
    days = {name: row[name].date().isoformat() for name in ("first", "last")}
    # To the cent: what is beyond the cents must be nothing.
    return (
        row | days | {"amount": f"{row['amount'].normalize():.2f}", "exact": row["amount"] % Decimal("0.01")}
    )


def must_be(entry_totals: dict) -> dict:
    return entry_totals | {"exact": 0}


def assert_named(found: Judged, entry: dict) -> None:
    for wanted in entry["must_name"]:
        words = "|".join(wanted["any"]) if isinstance(wanted, dict) else wanted
        assert found.says(words), f"{words!r} is not in: {found.text}"


def test_the_collection_is_whole():
    assert len(ENTRIES) == 41
    assert {entry["expect"] for entry in ENTRIES.values()} == {"accept", "warn", "ask", "reject"}
    assert all((FOLDER / file).stat().st_size == entry["bytes"] for file, entry in ENTRIES.items())


@pytest.mark.parametrize("file", named("accept"))
def test_accepted_files_have_exactly_their_totals_and_no_flag(file):
    entry, found = ENTRIES[file], read(file)
    if found.outcome == "refused" and entry.get("may_reject"):
        return assert_named(found, entry)
    assert found.outcome == "accepted", found.text
    assert totals(found) == must_be(entry["totals"])
    return None


@pytest.mark.parametrize("file", named("warn"))
def test_warned_files_say_what_is_wrong_and_have_exactly_their_totals(file):
    entry, found = ENTRIES[file], read(file)
    assert_named(found, entry)
    if found.outcome == "refused":
        assert entry.get("may_reject"), found.text
    else:
        assert found.outcome == "flagged", found.text
        assert totals(found) == must_be(entry["totals"])


@pytest.mark.parametrize("file", sorted(SETTLED))
def test_files_that_may_be_read_two_ways_are_asked_for_and_then_read_as_told(file):
    entry, asked = ENTRIES[file], read(file)
    assert asked.outcome == "refused", asked.text
    assert_named(asked, entry)
    assert all(option in asked.text for option in SETTLED[file])
    assert totals(read(file, **SETTLED[file])) == must_be(entry["totals"])
    assert totals(read(file, **READ_OTHERWISE[file])) == must_be(entry["other_reading"])


@pytest.mark.parametrize("file", named("reject"))
def test_refused_files_name_the_place_and_the_value(file):
    found = read(file)
    assert found.outcome == "refused", found.text
    assert_named(found, ENTRIES[file])


def test_several_currencies_are_asked_for_and_then_converted(tmp_path):
    file = "currency_mixed.csv"
    entry, columns = ENTRIES[file], COLUMNS | {"currency": "currency"}
    asked = read(file, columns)
    assert asked.outcome == "refused", asked.text
    assert_named(asked, entry)
    assert "rates" in asked.text
    assert all(asked.says(code) for code in entry["by_currency"])
    prices = {"USD": Decimal(1), "EUR": Decimal("1.25"), "CNY": Decimal("0.14")}
    converted = read(file, columns, currency="USD", rates=rates(prices))
    amount = sum(Decimal(theirs) * prices[code] for code, theirs in entry["by_currency"].items())
    assert converted.log.lines.amount.sum().to_pyarrow().as_py() == amount
    same = read(file, columns, currency="USD", rates=rates(dict.fromkeys(prices, Decimal(1))))
    assert totals(same) == must_be(entry["totals"])


def rates(prices: dict) -> pd.DataFrame:
    days = pd.date_range("2024-01-01", "2024-12-31")
    return pd.DataFrame(
        [(day, code, price) for day in days for code, price in prices.items()],
        columns=["date", "currency", "rate"],
    )


def test_currencies_in_a_column_that_is_not_mapped_are_not_summed():
    asked = read("currency_mixed.csv")
    assert asked.outcome == "refused"
    assert asked.says("map currency")
    assert all(asked.says(code) for code in ENTRIES["currency_mixed.csv"]["by_currency"])


def test_every_entry_that_asks_is_tried():
    assert sorted([*SETTLED, "currency_mixed.csv"]) == named("ask")


def test_refunds_and_zeros_have_the_counts_of_the_manifest():
    also = ENTRIES["refunds_and_zeros.csv"]["also"]
    found = read("refunds_and_zeros.csv")
    amounts = [sale.amount for sale in found.sales()]
    assert sum(a for a in amounts if a > 0) == Decimal(also["positive"])
    assert sum(a for a in amounts if a < 0) == Decimal(also["negative"])
    assert found.says(str(also["negative_rows"]))
    assert found.says(str(also["zero_rows"]))


def test_duplicates_are_dropped_on_request_only():
    entry = ENTRIES["duplicate_rows.csv"]
    assert totals(read("duplicate_rows.csv", drop_duplicates=True)) == must_be(
        entry["also"]["without_duplicates"]
    )


def test_the_order_of_rows_changes_nothing():
    assert read("unsorted.csv").sales() == read("utf8_plain.csv").sales()


def test_ids_with_leading_zeros_stay_three_customers():
    ids = {sale.customer for sale in read("leading_zero_ids.csv").sales()}
    assert {"00042", "0042", "42"} <= ids


# What is written ---------------------------------------------------------------------------------------


HOSTILE = ["csv_injection.csv", "unicode_names.csv"]
TEXT = read_catalogue("en")


@pytest.fixture(params=HOSTILE)
def customers(request):
    """Revenue per name, the names as the file has them: the door takes blanks off."""
    with (FOLDER / request.param).open(encoding="utf-8", newline="") as file:
        names = pd.DataFrame(csv.DictReader(file)).rename(columns={"name": "customer_id_"})
    totals = names.astype({"amount": float}).groupby("customer_id_")["amount"].sum()
    return totals.rename_axis("customer_id").rename("total_amount").reset_index()


def test_names_in_csv_run_nothing_and_come_back(customers, tmp_path):
    write_csv(customers, tmp_path / "customers.csv")
    with (tmp_path / "customers.csv").open(encoding="utf-8-sig", newline="") as file:
        names = [row["customer_id"] for row in csv.DictReader(file)]
    assert not any(name.startswith(("=", "+", "-", "@", "\t", "\r")) for name in names)
    # A carriage return becomes the line end that a cell may hold.
    assert names == [harmless(name).replace("\r", "\n") for name in customers["customer_id"]]


def test_names_in_a_workbook_are_text_cells(customers, tmp_path):
    path = tmp_path / "decisions.xlsx"
    lists = [DecisionList("Who <to> call?", "rfm_segmentation", customers)]
    write_decisions(lists, path, text=TEXT, currency="CNY", about=list(customers["customer_id"]))
    with zipfile.ZipFile(path) as parts:
        sheets = [parts.read(name) for name in parts.namelist() if "worksheets/sheet" in name]
        assert not any("hyperlink" in name.lower() for name in parts.namelist())
    assert not any(b"<f>" in sheet or b"<hyperlink" in sheet for sheet in sheets)
    cells = [row[0] for row in openpyxl.load_workbook(path).worksheets[1].iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} == {"s"}
    # A carriage return in a cell is written out in XML and comes back as the line end it is there.
    plain = [str(cell.value).replace("_x000D_", "\r") for cell in cells]
    assert plain == list(customers["customer_id"])


class Seen(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not any(name.startswith("on") or name in ("src", "href", "style") for name, _ in attrs)

    def handle_data(self, data):
        self.text.append(data)


def test_names_in_a_page_are_text(customers):
    markup = html_table(written(customers, TEXT, "rfm_segmentation", "CNY", {}), "A <caption>", "a & note")
    page = Seen()
    page.feed(markup)
    assert page.tags <= {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "p"}
    assert all(html.escape(name) in markup for name in customers["customer_id"])
