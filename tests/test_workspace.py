import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_analysis.errors import ConfigError
from crm_analysis.workspace import (
    Calendar,
    Period,
    Workspace,
    add_months,
    find_workspace,
    parse_length,
    read_workspace,
)

MINIMAL = """
name = "Shop"
currency = "EUR"
timezone = "Europe/Berlin"
[firms.a]
name = "Shop"
observed_from = 2024-01-01
observed_until = 2024-12-31
[firms.a.transactions]
source = "orders.csv"
columns = { customer_id = "id", occurred_at = "date", amount = "eur" }
"""


@pytest.fixture
def write(tmp_path):
    def write_workspace(text):
        path = tmp_path / "shop.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_workspace


def test_a_minimal_workspace_gets_the_documented_defaults(write, tmp_path):
    workspace = read_workspace(write(MINIMAL))
    assert workspace.key == "shop"
    assert workspace.folder == tmp_path
    assert workspace.output_folder == tmp_path.parent / "reports"
    assert workspace.decisions.hold_back == 0.10
    assert workspace.firm("a").transactions.refunds == "net in order"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "curency = 1",
            "shop.toml: unknown key 'curency'; known keys here: ['calendar', 'contracts', 'costs'",
        ),
        ("language = 'fr'", "shop.toml: language = 'fr': Input should be 'en' or 'zh'"),
        ("schema_version = 2", "shop.toml: schema_version = 2: Input should be 1"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_what_was_expected(write, line, sentence):
    with pytest.raises(ConfigError) as error:
        read_workspace(write(line + MINIMAL))
    assert str(error.value).startswith(sentence)


def test_a_key_misspelt_deep_inside_is_named_by_its_whole_path(write):
    with pytest.raises(
        ConfigError, match=r"unknown key 'firms.a.transactions.sauce'; known keys here: .*'source'"
    ):
        read_workspace(write(MINIMAL + 'sauce = "x.csv"\n'))


def test_all_problems_of_a_file_are_named_at_once(write):
    with pytest.raises(ConfigError) as error:
        read_workspace(
            write("colour = 1\n" + MINIMAL.replace("Europe/Berlin", "Berlin").replace('name = "Shop"', "", 1))
        )
    assert all(
        part in str(error.value) for part in ("'colour'", "'Berlin' is no time zone", "key 'name' is missing")
    )


def test_dates_of_a_firm_must_be_in_order(write):
    with pytest.raises(ConfigError, match="observed_until 2023-12-31 lies before observed_from 2024-01-01"):
        read_workspace(write(MINIMAL.replace("2024-12-31", "2023-12-31")))


def test_broken_toml_and_missing_files_are_sentences(write, tmp_path):
    with pytest.raises(ConfigError, match=r"shop.toml: not readable as TOML: .*line 1"):
        read_workspace(write("name = \ncurrency = 1"))
    with pytest.raises(ConfigError, match="workspace: no file"):
        read_workspace(tmp_path / "nothing.toml")


def test_a_name_is_found_upward(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "shop.toml").write_text(MINIMAL)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert find_workspace("shop") == tmp_path / "data" / "shop.toml"
    with pytest.raises(ConfigError, match=r"no data/ship.toml or work/ship.toml .* found: .*'shop'"):
        find_workspace("ship")


def test_an_unknown_firm_is_refused_with_the_known_ones(write):
    with pytest.raises(ConfigError, match=r"no firm 'b'; firms: \['a'\]"):
        read_workspace(write(MINIMAL)).firm("b")


@pytest.mark.parametrize(
    ("label", "first", "start", "end"),
    [
        ("2024-02", 1, dt.date(2024, 2, 1), dt.date(2024, 2, 29)),
        ("2025Q4", 1, dt.date(2025, 10, 1), dt.date(2025, 12, 31)),
        ("2025", 1, dt.date(2025, 1, 1), dt.date(2025, 12, 31)),
        ("2025", 4, dt.date(2024, 4, 1), dt.date(2025, 3, 31)),
        ("2025Q4", 4, dt.date(2025, 1, 1), dt.date(2025, 3, 31)),
    ],
)
def test_periods_cover_whole_days(label, first, start, end):
    period = Period.parse(label, Calendar(fiscal_year_starts=first))
    assert (period.start, period.end) == (start, end)


@pytest.mark.parametrize("label", ["2025-13", "2025-1", "25Q1", "2025Q5", "December", ""])
def test_a_period_that_is_none_is_refused(label):
    with pytest.raises(ConfigError, match="expected a month '2025-12'"):
        Period.parse(label)


@given(
    st.integers(2000, 2100),
    st.sampled_from(["", "Q1", "Q2", "Q3", "Q4", "-01", "-07", "-12"]),
    st.integers(1, 12),
)
def test_periods_touch_and_are_found_again_by_their_label(year, part, first):
    calendar = Calendar(fiscal_year_starts=first)
    period = Period.parse(f"{year}{part}", calendar)
    assert period.previous.end + dt.timedelta(days=1) == period.start
    assert add_months(period.year_before.start, 12) == period.start
    for other in (period.previous, period.year_before):
        assert Period.parse(other.label, calendar) == other


@pytest.mark.parametrize(
    ("length", "days"),
    [("30 days", 30), ("1 day", 1), ("39 weeks", 273), ("12 months", 365.25), ("2 years", 730.5)],
)
def test_lengths_are_days(length, days):
    assert parse_length(length) == days


@pytest.mark.parametrize("length", ["39", 39, "39 fortnights", "-1 day", "weeks"])
def test_a_length_without_its_unit_is_refused(length):
    with pytest.raises(ConfigError, match="expected a number with its unit"):
        parse_length(length)


def test_months_are_added_within_the_calendar():
    assert add_months(dt.date(2024, 1, 31), 1) == dt.date(2024, 2, 29)
    assert add_months(dt.date(2024, 1, 31), -2) == dt.date(2023, 11, 30)


def test_a_period_knows_the_months_that_lead_up_to_its_end():
    assert Period.parse("2025Q4").months_up_to_end(24) == dt.date(2024, 1, 1)
    assert Period.parse("2025-02").months_up_to_end(1) == dt.date(2025, 2, 1)
    assert [Period.parse(label).grain for label in ("2025-02", "2025Q1", "2025")] == [
        "month",
        "quarter",
        "year",
    ]


def documented() -> str:
    return (Path(__file__).parents[1] / "data" / "README.md").read_text()


def keys_of(model) -> set[str]:
    """Every key of the workspace file, at any depth."""
    keys = set()
    for name, field in model.model_fields.items():
        keys.add(field.alias or name)
        arguments = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for inner in (a for a in arguments if hasattr(a, "model_fields")):
            keys |= keys_of(inner)
    return keys


def test_every_key_of_a_workspace_is_documented():
    keys = keys_of(Workspace)
    assert {"hold_back", "cut_points_at", "renamed_stages", "return", "tolerance"} <= keys
    text = documented()
    assert not [
        key for key in sorted(keys) if not any(f in text for f in (f"`{key}`", f"[{key}]", f"[{key}."))
    ]
