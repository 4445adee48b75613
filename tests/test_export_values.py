"""Exports whose amounts, dates, ids or rows are not what they seem: read right, asked for, or refused."""

import pytest
from export_files import assert_as_expected, each
from export_values import VALUES


@pytest.mark.parametrize("export", each(VALUES))
def test_values_are_read_right_or_refused_in_words(export, tmp_path):
    assert_as_expected(export, tmp_path)
