"""Exports as workbooks, HTML, Parquet, databases and folders: read right, asked for, or refused in words."""

import pytest
from export_books import OTHERS
from export_files import assert_as_expected, each


@pytest.mark.parametrize("export", each(OTHERS))
def test_a_file_that_is_no_text_is_read_right_or_refused_in_words(export, tmp_path):
    assert_as_expected(export, tmp_path)
