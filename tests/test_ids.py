"""Ids: kept as they are written, made one where nobody sees the difference, refused where digits are lost."""

import pytest
from value_tables import COLUMNS, flags, frame, refusal, values


def ids(written):
    return values(frame(customer=written), "customer_id")


@pytest.mark.parametrize(
    "written", ["00042", "A-7/b", "客户1", "Émile", "a b", "12.50", "C#", "=1", "1e5", "E+"]
)
def test_an_id_is_its_text(written):
    assert ids([written, "X1"]) == [written, "X1"]
    assert flags(frame(customer=[written, "X1"])) == {}


def test_ids_that_differ_in_zeros_or_case_are_different():
    assert ids(["00042", "0042", "42", "a1", "A1"]) == ["00042", "0042", "42", "a1", "A1"]


@pytest.mark.parametrize(
    "written", ["C1 ", " C1", "C1\t", "\u200bC1", "C\u200d1", "\ufeffC1", "C1\u00a0", "\u3000C1", "C\u00ad1",
                "\u202eC1\u202c", "C1\x00", "C\x7f1"],
)  # fmt: skip
def test_what_nobody_sees_makes_no_other_customer(written):
    assert ids(["C1", written]) == ["C1", "C1"]
    sentence = flags(frame(customer=["C1", written]))["invisible characters"]
    assert "holds 1 ids" in sentence
    assert f"line 3 {written!r}" in sentence


def test_a_blank_within_an_id_stays():
    assert ids(["A\u00a01", "A 1", "A1"]) == ["A 1", "A 1", "A1"]


@pytest.mark.parametrize("word", ["", "NULL", " NaN ", "\u200b", "\u00a0", "#N/A"])
def test_words_for_nothing_are_no_customer(word):
    assert ids(["C1", word]) == ["C1", None]


def test_ids_that_were_floats_lose_their_decimals_and_are_told():
    assert ids(["12346.0", "C7", "9.0", None]) == ["12346", "C7", "9", None]
    assert "line 2 '12346.0' (2 rows)" in flags(frame(customer=["12346.0", "9.0"]))["ids as floats"]
    assert ids(["12346.0", "12346.5"]) == ["12346.0", "12346.5"]
    message = refusal(frame(customer=["12346.0", "12346"]))
    assert "such as line 2 '12346.0', and 1 without, such as line 3 '12346'" in message


@pytest.mark.parametrize("written", ["1.23457E+11", "1.23457e+11", "1,23E+15", "1E+05"])
def test_ids_that_lost_digits_are_refused(written):
    message = refusal(frame(customer=["C1", written]))
    assert f"holds 1 ids that lost their digits, such as line 3 {written!r}" in message
    assert "format the column as text in Excel" in message


def test_other_names_lose_blanks_only():
    columns = COLUMNS | {"category": "category"}
    table = frame(customer=["C1"] * 3, category=["Books ", "\u200bBooks", "NA"])
    assert values(table, "category", columns) == ["Books", "\u200bBooks", None]
    assert flags(table, columns) == {}
