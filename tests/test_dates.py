"""Dates: every way of writing them gives the same day, and what may be two days is asked for."""

import datetime as dt

import duckdb
import pandas as pd
import pytest
from value_tables import COLUMNS, flags, frame, read, refusal, values

from crm_analysis import check_transactions

DAY, NOON = dt.datetime(2024, 1, 5), dt.datetime(2024, 1, 5, 13, 45)


def times(written, **options):
    return values(frame(date=written), "occurred_at", **options)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("2024-01-05", DAY),
        ("2024/1/5", DAY),
        ("2024.01.05", DAY),
        ("2024 01 05", DAY),
        ("20240105", DAY),
        ("2024-01-05 00:00:00.000", DAY),
        ("2024-01-05T13:45", NOON),
        ("2024-01-05 13:45:00.0000000", NOON),
        ("20240105T134500", NOON),
        ("20240105134500", NOON),
        ("2024-01-05 1:45 PM", NOON),
        ("2024年1月5日", DAY),
        ("2024年01月05日 13:45", NOON),
        ("2024年1月5日下午1:45", NOON),
        ("2024年1月5号 上午 9:05", dt.datetime(2024, 1, 5, 9, 5)),
        ("2024年1月5日 星期五", DAY),
        ("05-Jan-2024", DAY),
        ("05-JAN-2024 13:45", NOON),
        ("Jan 5, 2024", DAY),
        ("January 5, 2024", DAY),
        ("5 January 2024", DAY),
        ("2024-Jan-05", DAY),
        ("Jan. 5, 2024", DAY),
        ("5. Januar 2024", DAY),
        ("5 janv. 2024", DAY),
        ("5 ene 2024", DAY),
        ("Fri, 05 Jan 2024", DAY),
        ("Friday, January 5, 2024", DAY),
        ("Jan 5, 2024, 1:45 PM", NOON),
        ("Jan 5, 2024, 1:45\u202fPM", NOON),
        ("05Jan2024", DAY),
        (" 2024-01-05 ", DAY),
        ("２０２４-０１-０５", DAY),
        ("1/5/2024 12:00 AM", DAY),
    ],
)
def test_a_date_is_read_however_it_is_written(written, read_as):
    assert times([written, None], dates="month first") == [read_as, None]


@pytest.mark.parametrize(
    "names",
    [
        "January February March April May June July August September October November December",
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    ],
)
def test_months_by_name_are_their_numbers(names):
    for written in (names, names.lower()):
        read_as = times([f"5 {name} 2024" for name in written.split()])
        assert read_as == [dt.datetime(2024, month, 5) for month in range(1, 13)]


@pytest.mark.parametrize("sign", ["/", "-", ".", " "])
@pytest.mark.parametrize("clock", ["", " 13:45", " 1:45 PM"])
def test_day_or_month_first_is_proven_by_one_row_whatever_the_sign(sign, clock):
    day_first = [f"05{sign}01{sign}2024{clock}", f"25{sign}1{sign}2024{clock}"]
    at = NOON if clock else DAY
    assert times(day_first) == [at, at.replace(day=25)]
    month_first = [f"01{sign}05{sign}2024{clock}", f"1{sign}25{sign}2024{clock}"]
    assert times(month_first) == [at, at.replace(day=25)]
    assert "may be day first or month first" in refusal(frame(date=[day_first[0], day_first[0]]))


def test_the_boundary_between_day_and_month_is_twelve():
    assert "ambiguous" in refusal(frame(date=["12/11/2024", "11/12/2024"]))
    assert times(["13/11/2024", "11/12/2024"])[1] == dt.datetime(2024, 12, 11)
    assert "mixes day-first and month-first" in refusal(frame(date=["13/11/2024", "11/13/2024"]))


def test_proof_in_a_late_row_of_a_long_column_counts():
    late = pd.DataFrame({"date": ["01/02/2024"] * 50_000 + ["1/13/2024 9:05"]})
    table = frame(date=list(late["date"]))
    read_as = read(table).table.occurred_at
    assert read_as.max().to_pyarrow().as_py() == dt.datetime(2024, 1, 13, 9, 5)
    assert "line 50002 'soon'" in refusal(frame(date=["2024-01-05"] * 50_000 + ["soon"]))


@pytest.mark.parametrize(
    ("dates", "read_as"),
    [
        (["05.01.24", "25.12.99"], [DAY, dt.datetime(1999, 12, 25)]),
        (["01/05/24", "01/25/24"], [DAY, dt.datetime(2024, 1, 25)]),
        (["24-01-05", "99-12-25"], [DAY, dt.datetime(1999, 12, 25)]),
        (["05.01.24", "25.12.00"], [DAY, dt.datetime(2000, 12, 25)]),
    ],
)
def test_years_of_two_digits_are_read_where_one_order_is_left(dates, read_as):
    assert times(dates) == read_as
    assert "years 69 to 99 as 19.., 00 to 68 as 20.." in read(frame(date=dates)).reading[0]


def test_years_of_two_digits_are_asked_for_with_the_option():
    message = refusal(frame(date=["05.01.24", "25.12.24"]))
    assert "line 2 '05.01.24' and line 3 '25.12.24'" in message
    assert 'set dates = "%d.%m.%y" or dates = "%y.%m.%d"' in message
    assert times(["05.01.24", "25.12.24"], dates="%d.%m.%y")[0] == DAY
    assert times(["05.01.24", "25.12.24"], dates="day first")[0] == DAY
    assert "no one order" in refusal(frame(date=["05.01.24", "45.13.24"]))


def test_excel_serials_are_days_of_1900_and_said_to_be():
    serials = ["45296", "45296.5", "45296.5729166667"]
    assert times(serials) == [DAY, DAY.replace(hour=12), NOON]
    sentence = flags(frame(date=serials))["Excel serial numbers"]
    assert "'45296' is 2024-01-05" in sentence
    assert "dates = 'excel serial 1904'" in sentence
    assert flags(frame(date=serials), dates="excel serial") == {}
    assert times(["43834"], dates="excel serial 1904") == [DAY]
    assert "line 3 '90210'" in refusal(frame(date=["45296", "90210"]))


@pytest.mark.parametrize(
    ("dates", "style"), [(["1704462300"], "epoch seconds"), (["1704462300000"], "epoch milliseconds")]
)
def test_epochs_are_moments(dates, style):
    assert times(dates, timezone="Asia/Shanghai") == [dt.datetime(2024, 1, 5, 21, 45)]
    assert flags(frame(date=dates), timezone="UTC").keys() == {style}
    assert flags(frame(date=dates), timezone="UTC", dates=style) == {}
    assert "set timezone" in refusal(frame(date=dates))


@pytest.mark.parametrize("numbers", [[45296, 45297], [45296.5, 45297.0], [20240105, 20240106]])
def test_numbers_of_typed_columns_are_told_apart_like_text(numbers):
    table = frame(date=["x", "x"]).assign(date=numbers)
    assert [at.date() for at in values(table, "occurred_at")] == [dt.date(2024, 1, 5), dt.date(2024, 1, 6)]
    assert "cannot be read" in refusal(table.assign(date=[45296, 7.5])) if numbers[0] == 45296 else True


def test_each_row_has_its_own_offset():
    dates = ["2024-01-05T13:45:00+01:00", "2024-01-05T13:45:00-0500", "2024-01-05 13:45:00Z"]
    assert [at.hour for at in times(dates, timezone="UTC")] == [12, 18, 13]
    others = ["Fri, 05 Jan 2024 13:45:00 +0100", "Fri, 05 Jan 2024 13:45:00 GMT"]
    assert [at.hour for at in times(others, timezone="UTC")] == [12, 13]
    assert [at.hour for at in times(["2024-01-05 13:45 +01:00"], timezone="UTC")] == [12]
    assert "with a time zone (1 rows" in refusal(
        frame(date=[dates[0], "2024-01-05T13:45:00"]), timezone="UTC"
    )


def test_styles_that_say_themselves_may_stand_beside_each_other():
    mixed = ["2024-01-05", "2024年1月5日", "5 Jan 2024", "20240105"]
    assert times(mixed) == [DAY] * 4
    sentence = flags(frame(date=mixed))["several date formats"]
    assert "2024年3月5日 (1 rows, such as line 3 '2024年1月5日')" in sentence


@pytest.mark.parametrize("other", ["25/01/2024", "45296", "1704462300", "25.01.24", "2024-01", "25-Jan-24"])
def test_other_styles_are_refused_beside_iso_with_counts_and_rows(other):
    message = refusal(frame(date=["2024-01-05", "2024-01-06", other]), timezone="UTC")
    assert "mixes date formats: year first (2 rows, such as line 2 '2024-01-05'), " in message
    assert f"(1 rows, such as line 4 '{other}')" in message


def test_a_stated_order_settles_a_mixed_column():
    assert times(["2024-01-05", "05/01/2024"], dates="day first") == [DAY, DAY]
    assert "line 3 '01/25/2024'" in refusal(frame(date=["2024-01-05", "01/25/2024"]), dates="day first")


def test_dates_that_stand_for_none_are_missing_and_told():
    dates = ["2024-01-05", "1900-01-01", "9999-12-31", "0000-00-00", "9999-12-31"]
    assert times(dates) == [DAY, None, None, None, None]
    sentence = flags(frame(date=dates))["sentinel dates"]
    assert "1900-01-01 (1 rows) and 9999-12-31 (2 rows) and zeros only (1 rows)" in sentence
    assert times(["05.01.2024", "25.01.2024", "31.12.9999", "00.00.0000"])[2:] == [None, None]
    typed = frame(date=["x"] * 2).assign(date=pd.to_datetime(["2024-01-05", "1900-01-01"]))
    assert values(typed, "occurred_at") == [DAY, None]


def test_a_birthday_in_1970_is_one():
    assert times(["1969-05-01", "1970-01-01"])[1] == dt.datetime(1970, 1, 1)
    assert times(["1975-06-01", "1970-01-01"])[1] is None
    assert flags(frame(date=["1969-05-01", "1970-01-01"])) == {}


def test_impossible_dates_are_refused_in_every_style():
    for date in ("2023-02-30", "30.02.2023", "2023年2月30日", "30 Feb 2023", "20230230"):
        good = {"30.02.2023": "25.01.2023"}.get(date, "2023-02-05")
        message = refusal(frame(date=[good, date]))
        assert f"line 3 {date!r}" in message


def test_stated_formats_are_checked():
    assert "write one of ['day first'" in refusal(frame(date=["2024-01-05"]), dates="european")
    assert times(["2024-01-05 13:45 +0100"], dates="%Y-%m-%d %H:%M %z", timezone="UTC")[0].hour == 12


def test_parquet_numbers_are_dates_too(tmp_path):
    path = tmp_path / "sales.parquet"
    duckdb.execute(f"COPY (SELECT 'C1' AS customer, 45296 AS date, 1.5 AS amount) TO '{path}'")
    assert read(path).table.occurred_at.to_pyarrow().to_pylist() == [DAY]


@pytest.mark.parametrize("nothing", [[None, None], ["", "NULL"]])
@pytest.mark.parametrize("options", [{}, {"dates": "day first"}])
def test_a_column_without_any_date_has_rows_without_a_time(nothing, options):
    assert values(frame(date=nothing), "occurred_at", **options) == [None, None]


def test_a_log_without_any_date_has_no_rows_left(tmp_path):
    path = tmp_path / "sales.csv"
    path.write_text("customer,date,amount\nC1,,1.5\nC2,,2.5\n")
    log = {"columns": COLUMNS, "observed_from": "2024-01-01", "observed_until": "2024-12-31"}
    for source in (path, pd.DataFrame({"customer": ["C1"], "date": [None], "amount": [1.5]})):
        verdict = check_transactions(source, max_set_aside=1.0, **log)
        assert {d.name: d.n_rows for d in verdict.defects} == {
            "time missing": verdict.n_rows,
            "no rows": None,
        }
        assert verdict.status == "REFUSE"
