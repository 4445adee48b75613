"""Exports in every encoding and layout, and files that are none: read right, asked for, or refused."""

import pytest
from export_books import OTHERS
from export_files import FILES, OPEN, assert_as_expected, each
from export_values import VALUES


def test_there_are_many_and_each_has_its_name():
    names = [export.name for export in (*FILES, *OTHERS, *VALUES)]
    assert len(names) == len(set(names)) > 200
    assert set(OPEN) <= set(names)


@pytest.mark.parametrize("export", each(FILES))
def test_a_text_file_is_read_right_or_refused_in_words(export, tmp_path):
    assert_as_expected(export, tmp_path)
