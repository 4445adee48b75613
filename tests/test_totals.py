"""Total rows: no sale of anybody, told with their line and whether they add up."""

import datetime as dt
from decimal import Decimal

import pytest
from value_tables import COLUMNS, SALES, frame, read, refusal

from crm_analysis.doors.schema import Check, Column, Schema, check_rows, is_missing
from crm_analysis.doors.sources import read_table

UNDATED = Check("time missing", "set aside", is_missing("occurred_at"), "have no time (occurred_at)")


def checked(table, **options):
    return check_rows(read(table).table, [UNDATED], name="sales", amount="amount", **options)


def with_total(**last):
    row = {"customer": None, "date": None, "amount": "4.5"} | last
    n = {name: [*values, row.get(name)] for name, values in THREE.items()}
    return frame(**n)


THREE = {
    "customer": ["C1", "C2", "C3"],
    "date": ["2024-01-05"] * 3,
    "amount": ["1", "1.5", "2"],
    "note": ["", "", ""],
}


@pytest.mark.parametrize(
    "last",
    [
        {"customer": "Grand total"},
        {"customer": "TOTAL:"},
        {"note": "Subtotal"},
        {"date": "Total"},
        {"customer": "合计："},
        {"note": " Summe "},
        {"date": "小计"},
        {"note": "总和", "customer": "3"},
    ],
)
def test_a_row_without_a_date_that_says_total_is_set_aside(last):
    found = checked(with_total(**last), max_set_aside=0.0)
    assert found.set_aside == {"total row": 1}
    assert found.kept.amount.sum().to_pyarrow().as_py() == Decimal("4.5")
    assert found.kept.count().to_pyarrow().as_py() + 1 == found.n_rows_in == 4
    (defect,) = found.verdict.defects
    assert "its amount, 4.50, equals the sum of all other rows" in defect.found
    assert defect.examples == ("line 5, amount 4.5000",)
    assert found.verdict.status == "FLAG"


def test_a_total_that_does_not_add_up_is_told():
    (defect,) = checked(with_total(customer="Total", amount="5")).verdict.defects
    assert "its amount is 5.00, the sum of all other rows 4.50" in defect.found


def test_a_customer_called_total_is_a_customer():
    found = checked(with_total(customer="Total", date="2024-01-06", amount="4.51"))
    assert found.set_aside == {}
    assert found.kept.count().to_pyarrow().as_py() == 4


def test_beside_undated_rows_too_a_dated_customer_called_total_is_a_customer():
    table = frame(
        customer=["C1", "Total", "Total"], date=["2024-01-05", "2024-01-06", None], amount=["1", "2", "3"]
    )
    assert checked(table).kept.customer_id.to_pyarrow().to_pylist() == ["C1", "Total"]


def test_an_undated_row_of_somebody_is_no_total():
    found = checked(with_total(customer="Total Wine Ltd"), max_set_aside=1.0)
    assert found.set_aside == {"time missing": 1}


def test_what_a_total_row_holds_elsewhere_is_not_read():
    found = checked(with_total(customer="Total", date="3 days", amount="about 5"))
    assert found.set_aside == {"total row": 1}
    message = refusal(frame(**{name: [*values, "about 5"] for name, values in THREE.items()}))
    assert "line 5 'about 5'" in message


def test_several_totals_and_the_column_in_the_typed_table():
    table = with_total(customer="Total")
    assert "source_total" in read(table).table.columns
    assert "source_total" not in read(with_total(customer="C1", date="2024-01-06")).table.columns
    twice = frame(
        customer=["C1", "Subtotal", "Total"], date=["2024-01-05", None, None], amount=["1", "1", "1"]
    )
    assert checked(twice).set_aside == {"total row": 2}
    assert SALES.required == list(COLUMNS)
    assert dt.datetime(2024, 1, 5) in checked(twice).kept.occurred_at.to_pyarrow().to_pylist()


# With a date ---------------------------------------------------------------------------------------------

ORDERS = Schema("orders", (*SALES.columns, Column("order_id", "id")))
ORDERED = COLUMNS | {"order_id": "order"}


def kept_amounts(folder, rows):
    """Amounts that are kept of rows of customer, day, amount and order; how many are set aside as totals."""
    path = folder / "sales.csv"
    lines = ["customer,date,amount,order", *(",".join(row.split()).replace("-,", ",") for row in rows)]
    path.write_text("\n".join(f"{line}," if line.count(",") < 3 else line for line in lines) + "\n")
    table = read_table(path, ORDERS, columns=ORDERED).table
    found = check_rows(table, [UNDATED], name="sales", amount="amount")
    amounts = found.kept.order_by("source_line").amount.to_pyarrow().to_pylist()
    return [float(amount) for amount in amounts], found.set_aside.get("total row", 0)


JANUARY, FEBRUARY = ["C1 2024-01-05 1 A1", "C2 2024-01-06 2.5 A2"], ["C3 2024-02-05 4 A3"]
BOTH = [*JANUARY, *FEBRUARY]


@pytest.mark.parametrize("word", ["Grand_Total", "合计", "SUMME:"])
@pytest.mark.parametrize("below", [[], ["C9 2024-02-29 0 A9"]])
def test_a_sum_of_all_others_with_a_date_is_a_total(tmp_path, word, below):
    total = f"{word} 2024-02-29 7.5".replace("_", "\u00a0")
    amounts, n_totals = kept_amounts(tmp_path, [*BOTH, total, *below])
    assert (amounts[:3], n_totals) == ([1, 2.5, 4], 1)


@pytest.mark.parametrize(
    "row",
    ["Total 2024-02-29 7.5 A4", "Total 2024-02-29 7.51", "Total 2024-02-29 7", "C4 2024-02-29 7.5"],
)
def test_a_row_with_a_date_is_a_sale_unless_it_is_called_a_total_and_adds_up(tmp_path, row):
    amounts, n_totals = kept_amounts(tmp_path, [*BOTH, row])
    assert (len(amounts), n_totals) == (4, 0)


@pytest.mark.parametrize("last", [[], ["Total 2024-02-29 7.5"], ["Total - 7.5"]])
def test_subtotals_with_a_date_are_totals_where_each_adds_up(tmp_path, last):
    rows = [*JANUARY, "Subtotal 2024-01-31 3.5", *FEBRUARY, "Subtotal 2024-02-29 4", *last]
    amounts, n_totals = kept_amounts(tmp_path, rows)
    assert (amounts, n_totals) == ([1, 2.5, 4], 2 + len(last))


def test_running_totals_too_and_none_of_them_where_one_does_not_add_up(tmp_path):
    rows = [*JANUARY, "Total 2024-01-31 3.5", *FEBRUARY]
    assert kept_amounts(tmp_path, [*rows, "Total 2024-02-29 7.5"]) == ([1, 2.5, 4], 2)
    assert kept_amounts(tmp_path, [*rows, "Total 2024-02-29 8"])[1] == 0
    assert kept_amounts(tmp_path, [*rows, "C1 2024-02-29 8 A4"])[1] == 0


def test_a_sum_of_all_beside_a_customer_called_total(tmp_path):
    rows = [*JANUARY, "Total 2024-01-31 3", *FEBRUARY, "Grand_Total 2024-02-29 10.5".replace("_", "\u00a0")]
    assert kept_amounts(tmp_path, rows) == ([1, 2.5, 3, 4], 1)


def test_a_total_far_above_the_last_rows_is_not_looked_for(tmp_path):
    rows = [*BOTH, "Total 2024-02-29 7.5", *["C9 2024-03-01 0 A9"] * 5]
    assert kept_amounts(tmp_path, rows)[1] == 0
