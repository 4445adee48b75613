"""Rates of exchange: what one unit of a currency is worth in the workspace's, day by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pandas as pd

from crm_analysis.doors.schema import Check, Checked, Column, Schema, check_rows, is_missing
from crm_analysis.doors.sources import read_table
from crm_analysis.doors.verdict import Defect, Verdict
from crm_analysis.errors import ConfigError

Quoted = Literal["own per foreign", "foreign per own"]
SCHEMA = Schema(
    "rates",
    (
        Column("date", "day"),
        Column("currency", "text", required=True),
        Column("rate", "number", required=True),
        Column("to_currency", "text"),
    ),
)
MAX_AGE_DAYS = 7
MAX_JUMP = 3.0
# Amounts have 14 digits before the point and 4 after it; 38 in all hold their product with such a rate.
LARGEST = 1e8
DECIMALS = 12
CHECKS = (
    Check("currency missing", "refuse", is_missing("currency"), "have no currency; complete them"),
    Check("rate missing", "refuse", is_missing("rate"), "have no rate; complete or delete them"),
    Check(
        "rate not positive",
        "refuse",
        lambda t: (t.rate <= 0) | (t.rate >= LARGEST),
        f"have a rate that is not above 0 and below {LARGEST:,.0f}; put them right",
        shows=("date", "currency", "rate"),
    ),
)
DATED = Check("date missing", "refuse", is_missing("date"), "have no date; complete or delete them")
DIRECTED = Check("to_currency missing", "refuse", is_missing("to_currency"), "have no to_currency")
# What people write for a currency, and the codes that they may mean.
MEANT = {
    "RMB": "CNY",
    "人民币": "CNY",
    "元": "CNY",
    "¥": "CNY or JPY",
    "￥": "CNY or JPY",
    "$": "USD or another dollar",
    "US$": "USD",
    "€": "EUR",
    "EURO": "EUR",
    "£": "GBP",
}


@dataclass(frozen=True)
class Rates:
    """A checked table of rates.

    table : currency, rate (units of `into` for one unit of the currency), and date unless they are constant;
        one row per currency and date, sorted.
    into : the currency that amounts are converted to.
    """

    table: pd.DataFrame = field(repr=False)
    into: str
    place: str
    verdict: Verdict
    max_age_days: int = MAX_AGE_DAYS

    @property
    def constant(self) -> bool:
        """Whether one rate per currency holds for all days."""
        return "date" not in self.table.columns

    def on(self, wanted: pd.DataFrame) -> pd.DataFrame:
        """Rate of each currency on each day, that of the day or the last one before it.

        Parameters
        ----------
        wanted : currency, and date unless rates are constant; further columns are kept.

        Returns
        -------
        DataFrame: `wanted` with rate (NaN where there is none that is young enough) and, unless rates are
        constant, rated_on, the day of the rate.
        """
        if self.constant:
            found = wanted.merge(self.table, on="currency", how="left")
        else:
            found = pd.merge_asof(
                wanted.sort_values("date", kind="stable"),
                self.table.assign(rated_on=self.table["date"]).sort_values("date", kind="stable"),
                on="date",
                by="currency",
                tolerance=pd.Timedelta(days=self.max_age_days),
            )
        return found.assign(rate=found["rate"].mask(found["currency"] == self.into, 1.0))


def read_rates(
    source: Any,
    *,
    currency: str,
    columns: Mapping[str, Any] | None = None,
    quoted: Quoted = "own per foreign",
    max_age_days: int = MAX_AGE_DAYS,
    **options: Any,
) -> Rates:
    """Check a table of rates of exchange.

    Parameters
    ----------
    source : as of every door; one row per day and currency. Without a date the rates are constant.
    currency : what amounts are converted to, such as "CNY".
    columns : date, currency, rate; to_currency where the table holds pairs, of which those into `currency`
        are taken.
    quoted : "own per foreign", such as 7.80 CNY for one EUR; or "foreign per own", such as 0.128 EUR for one
        CNY.
    max_age_days : a day without a rate takes the last one before it, if that is no older.
    options : `engine`, and what the source does not prove (`sources.Options`).

    Raises
    ------
    DataError
        Carrying the verdict: rates are missing, not positive, contradict each other, or jump.
    """
    if quoted not in ("own per foreign", "foreign per own"):
        raise ConfigError(
            f"rates: quoted = {quoted!r}: 'own per foreign' (7.80 CNY for one EUR) or 'foreign per own' "
            "(0.128 EUR for one CNY) was expected"
        )
    read = read_table(source, SCHEMA, columns=columns or {}, **options)
    optional = [check for check in (DATED, DIRECTED) if check.name.split()[0] in read.table.columns]
    checked = check_rows(read.table, (*CHECKS, *optional), name=read.place)
    checked = replace(checked, verdict=read.judged(checked.verdict))
    checked.verdict.raise_if_refused()
    into = code(currency)
    found = _rows(checked, quoted)
    pairs = found[found["to_currency"] == into] if "to_currency" in found else found
    checked.verdict.with_defects(_contradictions(found, pairs, into, read.place)).raise_if_refused()
    keys = [name for name in ("currency", "date") if name in pairs]
    table = pairs[[*keys, "rate"]].drop_duplicates(keys).sort_values(keys, ignore_index=True)
    return Rates(table, into, read.place, checked.verdict, max_age_days)


def code(name: str) -> str:
    """Currency code without blanks around it, in capitals."""
    return str(name).strip().upper()


def _rows(checked: Checked, quoted: Quoted) -> pd.DataFrame:
    """Rates in pandas: codes in one spelling, days as timestamps, units of the own currency for one."""
    kept = checked.kept
    frame = kept.select([c.name for c in SCHEMA.columns if c.name in kept.columns]).to_pandas()
    for name in {"currency", "to_currency"} & set(frame.columns):
        frame[name] = frame[name].map(code)
    if "date" in frame:
        frame["date"] = pd.to_datetime(frame["date"]).astype("datetime64[us]")
    return frame.assign(rate=1 / frame["rate"]) if quoted == "foreign per own" else frame


def _contradictions(found: pd.DataFrame, rates: pd.DataFrame, into: str, place: str) -> list[Defect]:
    """Refuse what cannot be a table of rates into this currency."""
    if rates.empty:
        others = ", ".join(sorted(set(found.get("to_currency", [])))) or "nothing"
        sentence = f"no rates into {into}: to_currency holds {others}; correct currency, or the table"
        return [Defect("no rates", "refuse", f"{place}: {sentence}")]
    sentences = {
        "several rates of a day": _several(rates),
        "own rate": _own(rates, into),
        "rates jump": _jumps(rates),
    }
    return [Defect(name, "refuse", f"{place}: {text}") for name, text in sentences.items() if text]


def _several(rates: pd.DataFrame) -> str:
    keys = [name for name in ("currency", "date") if name in rates]
    spread = rates.groupby(keys)["rate"].agg(["min", "max"]).query("max > min").reset_index()
    if spread.empty:
        return ""
    one = spread.iloc[0]
    when = f" on {one['date']:%Y-%m-%d}" if "date" in spread else ""
    return (
        f"{len(spread):,} times several rates for one currency and day, first {one['currency']}{when}: "
        f"{one['min']:g} and {one['max']:g}; one was expected: keep one, or map date and, where the table "
        "holds pairs, to_currency"
    )


def _own(rates: pd.DataFrame, into: str) -> str:
    own = rates.loc[rates["currency"] == into, "rate"]
    wrong = own[(own - 1).abs() > 1e-9]
    if wrong.empty:
        return ""
    return (
        f"one {into} is worth {wrong.iloc[0]:g} {into}, 1 was expected: the rates are into another currency; "
        "correct currency, or map to_currency"
    )


def _jumps(rates: pd.DataFrame) -> str:
    """Name the first rates that are more than three times, or less than a third of, those before them."""
    if "date" not in rates:
        return ""
    ordered = rates.sort_values(["currency", "date"], kind="stable")
    before = ordered.groupby("currency")[["rate", "date"]].shift()
    factor = ordered["rate"] / before["rate"]
    jumps = ordered[(factor > MAX_JUMP) | (factor < 1 / MAX_JUMP)].join(before, rsuffix="_before")
    if jumps.empty:
        return ""
    one = jumps.iloc[0]
    return (
        f"{len(jumps):,} rates are more than {MAX_JUMP:g} times, or less than a third of, the rate before: "
        f"first {one['currency']} from {one['rate_before']:g} on {one['date_before']:%Y-%m-%d} to "
        f"{one['rate']:g} on {one['date']:%Y-%m-%d}; a unit (per 100) or an inverted rate? put them right"
    )


def without_a_rate(codes: Iterable[str], rates: Rates) -> str:
    """Name the currencies that the table does not hold, and what they may mean; "" where it has all."""
    known = {*rates.table["currency"], rates.into}
    absent = [name for name in sorted(set(codes)) if name not in known]
    if not absent:
        return ""
    said = ", ".join(f"{name} (write {MEANT[name]})" if name in MEANT else name for name in absent)
    return (
        f"no rate for {said} in {rates.place}, which has {', '.join(sorted(known))}; add the rates, or put "
        "the codes right"
    )
