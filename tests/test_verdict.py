"""Verdicts: what refuses, what flags, what is printed, what JSON keeps."""

import json

import pytest

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
        "- set aside: a.csv: 2 of 8 rows (25.0%) name no customer (10.0% of revenue)\n"
        "  for example line 3\n"
        "  bias: biased down\n"
        "- flag: a.csv: 1 of 8 rows is an exact duplicate"
    )


def test_frame_has_a_row_per_defect():
    frame = Verdict("a.csv", 8, 6, (ASIDE, REFUSE)).to_frame()
    assert frame["name"].tolist() == ["customer missing", "unreadable"]
    assert frame["n_rows"].isna().tolist() == [False, True]
    assert frame.loc[0, "examples"] == "line 3"
    assert len(Verdict("a.csv").to_frame()) == 0


def test_json_gives_the_verdict_back():
    verdict = Verdict("a.csv", 8, 6, (ASIDE, FLAG, REFUSE))
    assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict
