"""Large texts, typed while they are read: the same rows, notes and refusals as when they are judged whole."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.doors.sources import quick, read_table
from crm_analysis.doors.transactions.columns import SCHEMA
from crm_analysis.errors import DataError

COLUMNS = {"customer_id": "customer", "occurred_at": "date", "amount": "amount", "order_id": "order"}
PLAIN = ["C1", "2024-01-05", "1.50", "A1", "north"]
# Values that first rows alone do not prove, column by column; each comes after the plain ones.
ODD = {
    "customer": ["", "NULL", " C1", "12346.0", "1.23457E+11", "C\u200b1", "Ana"],
    "date": ["", "2024-1-5", "05/01/2024", "2024-01-05 10:00", "2024-02-30", "1900-01-01", "45296", "soon"],
    "amount": ["", "1.234", "1,50", "1,234.50", "€2.00", "1.50000", "(3.00)", "2e3", "99999999999999999.00"],
    "order": ["", "n/a", "A1 "],
    "region": ["", "NULL", "the north, far away"],
}


@pytest.fixture(autouse=True)
def small_texts_count_as_large(monkeypatch):
    monkeypatch.setattr(quick, "QUICK_FROM", 0)
    monkeypatch.setattr(quick, "N_FIRST", 3)


def written(folder, rows):
    header = ["customer", "date", "amount", "order", "region"]
    lines = [";".join(f'"{cell}"' if "," in cell else cell for cell in row) for row in [header, *rows]]
    path = folder / "sales.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def answer(path, columns=COLUMNS):
    try:
        read = read_table(path, SCHEMA, columns=columns)
    except DataError as error:
        return str(error)
    return read.table.to_pyarrow().to_pylist(), read.reading, read.notes, read.names


def both_ways(path, monkeypatch):
    at_once = answer(path)
    with monkeypatch.context() as patch:
        patch.setattr(quick, "QUICK_FROM", 1 << 40)
        return at_once, answer(path)


def spied(monkeypatch):
    """List of what typing at once came to, call by call."""
    found, real = [], quick.typed_at_once
    monkeypatch.setattr(
        "crm_analysis.doors.sources.typed.typed_at_once",
        lambda *arguments: found.append(real(*arguments)) or found[-1],
    )
    return found


def test_plain_texts_are_typed_at_once(tmp_path, monkeypatch):
    path = written(tmp_path, [[*PLAIN[:2], f"{i}.25", f"A{i}", "north"] for i in range(500)])
    found = spied(monkeypatch)
    at_once, whole = both_ways(path, monkeypatch)
    assert [quick is not None for quick in found] == [True, False]
    assert at_once == whole
    assert [row["source_line"] for row in at_once[0]] == list(range(2, 502))


@pytest.mark.parametrize(
    ("column", "value"), [(column, value) for column, values in ODD.items() for value in values]
)
def test_what_first_rows_do_not_prove_is_judged_as_a_whole(tmp_path, monkeypatch, column, value):
    odd = dict(zip(["customer", "date", "amount", "order", "region"], PLAIN, strict=True)) | {column: value}
    path = written(tmp_path, [PLAIN] * 6 + [list(odd.values())] + [PLAIN])
    at_once, whole = both_ways(path, monkeypatch)
    assert at_once == whole


@pytest.mark.parametrize(("amount", "n_totals"), [("15.00", 1), ("15.01", 0)])
def test_a_total_with_a_date_is_told_as_in_a_small_text(tmp_path, monkeypatch, amount, n_totals):
    path = written(tmp_path, [*[PLAIN] * 10, ["Total", "2024-12-31", amount, "", ""]])
    at_once, whole = both_ways(path, monkeypatch)
    assert at_once == whole
    assert sum(row.get("source_total", False) for row in at_once[0]) == n_totals


def test_an_order_of_days_that_later_rows_contradict_is_refused(tmp_path):
    rows = [["C1", day, "1.50", "A1", "north"] for day in ["25/01/2024"] * 4 + ["01/25/2024"]]
    assert "mixes day-first and month-first dates" in answer(written(tmp_path, rows))


def test_whole_numbers_before_a_sign_that_may_be_either_are_asked_for(tmp_path):
    rows = [["C1", "2024-01-05", amount, "A1", "north"] for amount in ["5"] * 4 + ["1.234"]]
    assert 'set decimal = "." or decimal = ","' in answer(written(tmp_path, rows))


def test_a_ragged_line_far_down_is_named(tmp_path):
    path = written(tmp_path, [PLAIN] * 9)
    path.write_text(path.read_text() + "C1;2024-01-05;1.50\n")
    assert "line 11 'C1;2024-01-05;1.50' has 3 fields, the header 5 columns" in answer(path)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            *(st.sampled_from([PLAIN[i], PLAIN[i], PLAIN[i], *odd]) for i, odd in enumerate(ODD.values()))
        ),
        min_size=4,
        max_size=12,
    )
)
def test_random_texts_are_read_the_same_both_ways(tmp_path_factory, rows):
    path = written(tmp_path_factory.mktemp("quick"), rows)
    with pytest.MonkeyPatch.context() as patch:
        at_once, whole = both_ways(path, patch)
    assert at_once == whole


def test_nothing_is_left_in_the_engine_but_what_is_used(tmp_path):
    from crm_analysis.doors.sources import connect

    engine = connect()
    odd = list(itertools.chain(["C1", "2024-1-5"], PLAIN[2:]))
    for rows in ([PLAIN] * 9, [PLAIN] * 9 + [odd]):
        before = set(engine.list_tables())
        table = read_table(written(tmp_path, rows), SCHEMA, columns=COLUMNS, engine=engine).table
        left = set(engine.list_tables()) - before
        assert not [name for name in left if "head" in name or "rows" in name or "source" in name]
        assert table.count().to_pyarrow().as_py() == len(rows)


def test_rows_that_stray_quotes_swallow_are_refused(tmp_path, monkeypatch):
    rows = [[f"C{i}", f"2024-01-{10 + i}", f"{i}.25", f"A{i}", "north"] for i in range(20)]
    rows[9][0], rows[12][0] = '"C9', 'C12"'
    at_once, whole = both_ways(written(tmp_path, rows), monkeypatch)
    assert at_once == whole
    assert "a quote that opens in line 11 'C9;2024-01-19" in at_once
    (path := tmp_path / "sales.csv").write_text(
        path.read_text().replace('"', "") + 'C1;2024-01-30;1.25;A99;"x\ny"\n'
    )
    found = spied(monkeypatch)
    at_once, whole = both_ways(path, monkeypatch)
    assert at_once == whole
    assert found[0] is not None
    assert at_once[0][-1]["source_row"] == 21
