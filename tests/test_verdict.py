"""Verdicts: what refuses, what flags, what is printed, what JSON keeps."""

import json

import pytest

from crm_analysis.doors.plain import WIDTH, width
from crm_analysis.doors.verdict import Defect, Verdict
from crm_analysis.errors import DataError

ASIDE = Defect(
    "customer missing",
    "set aside",
    "a.csv: 2 of 8 rows (25.0%) name no customer",
    2,
    0.25,
    0.1,
    ("line 3",),
    "biased down",
)
FLAG = Defect("exact duplicate", "flag", "a.csv: 1 of 8 rows is an exact duplicate", 1, 0.125)
REFUSE = Defect("unreadable", "refuse", "a.csv: line 4 'TBD'; a number was expected")


@pytest.mark.parametrize(
    ("defects", "status"),
    [
        ((), "PASS"),
        ((ASIDE,), "FLAG"),
        ((FLAG,), "FLAG"),
        ((REFUSE,), "REFUSE"),
        ((ASIDE, FLAG, REFUSE), "REFUSE"),
    ],
)
def test_status_is_that_of_the_worst_defect(defects, status):
    assert Verdict("a.csv", 8, 6, defects).status == status


def test_refusal_says_every_refusing_defect_and_carries_the_verdict():
    verdict = Verdict("a.csv", 8, 6, (ASIDE, REFUSE)).with_defects([REFUSE])
    with pytest.raises(DataError) as error:
        verdict.raise_if_refused()
    assert str(error.value) == f"{REFUSE.found}\n{REFUSE.found}"
    assert error.value.verdict is verdict
    Verdict("a.csv", 8, 6, (ASIDE, FLAG)).raise_if_refused()


def test_print_shows_counts_examples_and_the_direction_of_the_bias():
    assert str(Verdict("a.csv", 8, 6, (ASIDE, FLAG))) == (
        "a.csv: FLAG; 8 rows read, 6 kept\n"
        "- set aside, customer missing: a.csv: 2 of 8 rows (25.0%) name no customer (10.0% of revenue)\n"
        "  for example line 3\n"
        "  bias: biased down\n"
        "- flag, exact duplicate: a.csv: 1 of 8 rows is an exact duplicate"
    )


def test_print_says_how_the_source_was_read_and_of_which_firm_it_is():
    verdict = Verdict("a.csv", 8, 8, reading=("encoding cp1252", "'date': dates day first"))
    assert verdict.told(before="Firm A: ") == (
        "Firm A: a.csv: PASS; 8 rows read, 8 kept\n  read with encoding cp1252; 'date': dates day first"
    )
    assert str(verdict) == verdict.told()


HOSTILE = "\x1b[2Ja\r\nb\u202ec\x07\u2028d"


def test_print_makes_what_values_hold_harmless():
    defect = Defect("odd", "flag", f"a.csv: {HOSTILE}", examples=(HOSTILE,), bias=HOSTILE)
    told = str(Verdict(HOSTILE, 1, 1, (defect,), reading=(HOSTILE,)))
    shown = r"\u001b[2Ja\u000d\u000ab\u202ec\u0007\u2028d"
    assert told.split("\n") == [
        f"{shown}: FLAG; 1 rows read, 1 kept",
        f"  read with {shown}",
        f"- flag, odd: a.csv: {shown}",
        f"  for example {shown}",
        f"  bias: {shown}",
    ]


@pytest.mark.parametrize("words", ["long sentence " * 40, "客户编号为空的行" * 40, "x" * 900])
def test_print_is_at_most_100_columns_wide_and_loses_nothing(words):
    told = str(Verdict("a.csv", 1, 1, (Defect("odd", "flag", words, examples=(words,), bias=words),)))
    assert max(map(width, told.split("\n"))) <= WIDTH
    assert told.count("\n") > 10
    assert "".join(told.split()).count("".join(words.split())) == 3


def test_frame_has_a_row_per_defect():
    frame = Verdict("a.csv", 8, 6, (ASIDE, REFUSE)).to_frame()
    assert frame["name"].tolist() == ["customer missing", "unreadable"]
    assert frame["n_rows"].isna().tolist() == [False, True]
    assert frame.loc[0, "examples"] == "line 3"
    assert len(Verdict("a.csv").to_frame()) == 0


def test_json_gives_the_verdict_back():
    verdict = Verdict("a.csv", 8, 6, (ASIDE, FLAG, REFUSE))
    assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict
