"""Every number of the registry is the printed one, and the documentation lists them all."""

import pytest
from published import Published
from published.page import PAGE, rows, written


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.source.split('(')[0].strip()}: {row.what}")
def test_our_number_is_the_printed_one(row):
    computed = row.computed()
    assert row.agrees(computed), f"{row.source}, {row.what}: printed {row.printed}, ours {computed}"


def test_a_difference_is_allowed_only_with_its_reason():
    assert not [row.what for row in rows() if row.within is not None and not row.note]


def test_the_documentation_lists_them_all():
    assert PAGE.read_text() == written(), "run: python -m published (in tests/)"


@pytest.mark.parametrize(
    ("printed", "ours", "within", "agrees"),
    [
        (".243", 0.24259, None, True),
        (".244", 0.24259, None, False),
        ("1,280.60", 1280.5956, None, True),
        ("1,280.61", 1280.5956, None, False),
        ("31.52%", 0.315227, None, True),
        ("31.53%", 0.315227, None, False),
        ("−1.980", -1.98013, None, True),
        ("1.980", -1.98013, None, False),
        ("89.264", 89.3828, 0.15, True),
        ("89.264", 89.3828, 0.1, False),
    ],
)
def test_one_wrong_digit_is_told(printed, ours, within, agrees):
    row = Published("source", "what", printed, lambda: ours, within, "why")
    assert row.agrees(row.computed()) == agrees


def test_no_number_is_listed_twice():
    listed = [(row.source, row.what) for row in rows()]
    assert len(listed) == len(set(listed))
