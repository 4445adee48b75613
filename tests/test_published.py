"""Every number of the registry is the printed one, and the documentation lists them all."""

import pytest
from published.page import PAGE, rows, written


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.source.split('(')[0].strip()}: {row.what}")
def test_our_number_is_the_printed_one(row):
    computed = row.computed()
    assert row.agrees(computed), f"{row.source}, {row.what}: printed {row.printed}, ours {computed}"


def test_a_difference_is_allowed_only_with_its_reason():
    assert not [row.what for row in rows() if row.within is not None and not row.note]


def test_the_documentation_lists_them_all():
    assert PAGE.read_text() == written(), "run: python -m published (in tests/)"
