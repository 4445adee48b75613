"""Proposals that would be wrong, what a log asks to be decided, and names that try to break the workspace."""

import tomllib

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_proposal import BUYERS, DAYS, EUR, MONEY, NAMES, ORDERS, PIECES, THINGS, asked, mapped, written

from crm_analysis.doors.proposal import propose_file, show, toml
from crm_analysis.doors.proposal.names import Role, plain
from crm_analysis.doors.proposal.usual import CUSTOMERS, SPEND, TRANSACTIONS
from crm_analysis.doors.proposal.workspace import workspace_lines
from crm_analysis.doors.schema import Schema
from crm_analysis.doors.transactions.columns import SCHEMA
from crm_analysis.errors import DataError

CLEAR = {"customer_id": BUYERS, "order_date": DAYS, "amount": MONEY}


@pytest.fixture
def proposed(tmp_path):
    """What is proposed for columns: {name: values}."""
    return lambda columns, **options: propose_file(written(tmp_path, columns), options)


def text_of(proposed):
    return "\n".join(workspace_lines("mine", [proposed]))


# Names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Customer ID", "customerid"),
        ("customer_id", "customerid"),
        ("  CUSTOMER-Id ", "customerid"),
        ("Total (USD)", "total"),
        ("Created (UTC)", "created"),
        ("amount_eur", "amount"),
        ("实付金额（元）", "实付金额"),
        ("Ｏｒｄｅｒ ＩＤ", "orderid"),
        ("Währung", "wahrung"),
        ("USD", "usd"),
        ("", ""),
    ],
)
def test_names_are_compared_without_case_blanks_and_units(name, expected):
    assert plain(name) == expected


@pytest.mark.parametrize(
    "name",
    ["Update date", "Ship Date", "Customer since", "Amount Refunded", "Tax amount", "Product name id x",
     "Order status", "Number of customers", "Customer note", "Fee", "Shipping total", "Birth date", "Tip"],
)  # fmt: skip
def test_names_of_something_else_name_nothing(name):
    assert not [role.name for role in TRANSACTIONS if role.tier_of(name) is not None]


@pytest.mark.parametrize("roles", [TRANSACTIONS, CUSTOMERS, SPEND])
def test_tables_of_names_are_whole_and_say_each_name_once(roles):
    for role in roles:
        names = [name for _, names in role.tiers for name in set(names)]
        assert sorted(set(names)) == sorted(names)
        assert all(plain(name) == name for name in names)


def test_roles_are_columns_of_the_doors():
    from crm_analysis.doors import costs, customers

    def kinds(roles: tuple[Role, ...]):
        return {role.name: (role.kind, role.required) for role in roles}

    def columns(schema: Schema):
        return {column.name: (column.kind, column.required) for column in schema.columns}

    for roles, schema in [
        (TRANSACTIONS, SCHEMA), (CUSTOMERS, customers.SCHEMA), (SPEND, costs.SPEND)
    ]:  # fmt: skip
        assert kinds(roles).items() <= columns(schema).items()


# Wrong proposals ------------------------------------------------------------------------------------------


def test_an_id_goes_before_an_email_before_a_name(proposed):
    columns = {"Customer name": NAMES, "Fax": EUR, "order date": DAYS, "amount": MONEY}
    assert mapped(proposed(columns).part)["customer_id"] == "Customer name"
    columns = {"Customer name": NAMES, "email": NAMES, "order date": DAYS, "amount": MONEY}
    assert mapped(proposed(columns).part)["customer_id"] == "email"
    found = proposed(columns | {"Customer ID": BUYERS})
    assert mapped(found.part)["customer_id"] == "Customer ID"
    # Names of people are said to be there, and not repeated.
    assert "An Li" not in show(found)
    assert "An Li" not in text_of(found)


@pytest.mark.parametrize(
    ("role", "columns", "because"),
    [
        ("customer_id", {"Customer ID": DAYS}, "'Customer ID' holds dates, ids were expected"),
        ("customer_id", {"Customer ID": [""] * 6}, "'Customer ID' is empty"),
        ("customer_id", {"Customer ID": MONEY}, "'Customer ID' holds numbers with decimals"),
        ("occurred_at", {"Order date": NAMES}, "'Order date' is not readable as dates"),
        ("amount", {"Amount": NAMES}, "'Amount' is not readable as amounts"),
        ("discount", {"Discount": ["0.2", "0", "0.15", "0", "0", "0.1"]}, "'Discount' holds shares"),
        ("currency", {"Currency": NAMES}, "'Currency' holds 'An Li', which is no currency"),
        ("quantity", {"Quantity": THINGS}, "'Quantity' is not readable as numbers"),
    ],
)
def test_values_that_do_not_fit_their_name_are_not_proposed(proposed, role, columns, because):
    found = proposed(columns | {"note": NAMES})
    assert role not in mapped(found.part)
    assert because in " ".join(found.part.choices[role].rejected)
    assert f"column {because}" in text_of(found)


def test_other_dates_are_not_offered_for_the_sale(proposed):
    found = proposed({"customer": BUYERS, "Update date": DAYS, "Ship date": DAYS, "amount": MONEY})
    assert "occurred_at" not in mapped(found.part) | asked(found.part)
    assert "no column looks like occurred_at" in text_of(found)


def test_columns_without_a_usual_name_are_asked_never_taken(proposed):
    found = proposed({"k": BUYERS, "w": DAYS, "b": MONEY, "n": ORDERS})
    assert mapped(found.part) == {}
    assert asked(found.part) == {
        "customer_id": ["k"], "occurred_at": ["w"], "amount": ["b"], "order_id": ["n"]
    }  # fmt: skip
    unlike = "export.csv: 6 rows, not recognised by its columns"
    assert show(found).startswith(unlike)
    assert show(proposed({"customer": BUYERS, "w": NAMES})).startswith(unlike)
    assert not show(proposed({"customer": BUYERS, "date": DAYS})).startswith(unlike)
    assert tomllib.loads(text_of(found))["firms"]["a"]["transactions"]["columns"] == {}


def test_two_columns_that_fit_are_a_question(proposed):
    found = proposed({"customer": BUYERS, "date": DAYS, "Total": MONEY, "Subtotal": MONEY})
    assert asked(found.part) == {"amount": ["Total", "Subtotal"]}
    assert "? amount is 'Total' or 'Subtotal': to be chosen" in show(found)
    lines = text_of(found).splitlines()
    place = lines.index("# confirm: amount is 'Total' or 'Subtotal'; remove the # of one")
    assert [line.split(" #")[0].rstrip() for line in lines[place + 1 : place + 3]] == [
        '# amount = "Total"', '# amount = "Subtotal"'
    ]  # fmt: skip


def test_better_names_are_chosen_and_the_others_shown(proposed):
    found = proposed(CLEAR | {"created_at": DAYS, "paid at": DAYS})
    assert mapped(found.part)["occurred_at"] == "order_date"
    assert [other.column for other in found.part.choices["occurred_at"].others] == ["created_at", "paid at"]
    scores = [found.part.choices["occurred_at"].chosen, *found.part.choices["occurred_at"].others]
    assert [(each.score, each.reason) for each in scores] == [
        (100, "named like the time of a sale"),
        (80, "named like the time of an entry"),
        (60, "named like the time of a payment"),
    ]
    assert '# occurred_at = "created_at"' in text_of(found)


# Values ---------------------------------------------------------------------------------------------------


def test_what_the_values_hold_is_said(proposed):
    days = ["05/01/2024", "14/01/2024", "20/02/2024", "02/03/2024", "29/03/2024", "11/04/2024"]
    said = " ".join(show(proposed(CLEAR | {"order_date": days, "amount": [f"-{m}" for m in MONEY]})).split())
    assert "'order_date': named like the time of a sale; dates day first, 2024-01-05 to 2024-04-11" in said
    assert "'amount': named like money; -1,204.65 in total, 6 below zero" in said
    assert "'customer_id': named like an id of customers; 3 different, such as 'K7', 'K9'" in said
    holes = proposed(CLEAR | {"customer_id": ["", "K9", "NULL", "K1", "K9", "K1"]})
    assert "2 different, such as 'K1', 'K9'; empty in 2 of 6 rows" in " ".join(show(holes).split())


def test_days_observed_are_proposed_from_the_data_and_stay_comments(proposed):
    lines = text_of(proposed(CLEAR)).splitlines()
    for day in ("observed_from = 2024-01-05", "observed_until = 2024-04-11"):
        (line,) = [line for line in lines if day in line]
        assert line.startswith(f"# {day} ")


def test_dates_of_either_order_ask_for_the_option(proposed):
    found = proposed(CLEAR | {"order_date": [f"0{i}/0{7 - i}/2024" for i in range(1, 7)]})
    assert mapped(found.part)["occurred_at"] == "order_date"
    text = text_of(found)
    assert '# dates = "day first"' in text
    assert '# dates = "month first"' in text
    assert "ambiguous" in show(found)
    assert '"day first"' not in text_of(proposed(CLEAR))
    settled = proposed(CLEAR | {"order_date": ["01/02/2024"] * 6}, dates="day first")
    assert "observed_from = 2024-02-01" in text_of(settled)
    transactions = tomllib.loads(text_of(settled))["firms"]["a"]["transactions"]
    assert transactions["dates"] == "day first"


def test_decimals_or_thousands_ask_for_the_option(proposed):
    text = text_of(proposed(CLEAR | {"amount": ["1,234"] * 6}))
    assert '# decimal = "."' in text
    assert '# decimal = ","' in text


def test_utc_in_a_header_is_a_question(proposed):
    found = proposed({"customer": BUYERS, "Created (UTC)": DAYS, "amount": MONEY})
    assert '# source_timezone = "UTC"' in text_of(found)
    assert "source_timezone" not in text_of(proposed(CLEAR))


# What a log asks to be decided ----------------------------------------------------------------------------


def test_cancellations_are_noticed_with_their_prefix(proposed):
    columns = CLEAR | {"order_id": [*ORDERS[:4], "C10001", "C10002"], "amount": [*MONEY[:4], "-5", "-7"]}
    text = text_of(proposed(columns))
    assert '# cancelled_orders = "C"' in text
    assert "2 rows of orders that begin with 'C' are below zero" in text
    for other in (
        columns | {"amount": [*MONEY[:5], "-7"]},
        columns | {"order_id": [f"C{order}" for order in ORDERS], "amount": [f"-{m}" for m in MONEY]},
    ):
        assert "cancelled_orders" not in text_of(proposed(other))
        assert '# refunds = "net in order"' in text_of(proposed(other))
    assert "refunds" not in text_of(proposed(CLEAR))


def test_several_currencies_are_noticed_and_one_is_proposed(proposed):
    found = proposed(CLEAR | {"currency": ["EUR", "USD", "EUR", "EUR", "USD", "EUR"]})
    (said,) = found.part.noticed
    assert said.startswith("'currency' holds 2 currencies (EUR 4 rows, USD 2 rows)")
    assert f"# {said}" in text_of(found)
    assert '# currency = "EUR"' in text_of(proposed(CLEAR | {"currency": EUR}))
    by_header = {"客户编号": BUYERS, "订单日期": DAYS, "订单金额（元）": MONEY}
    assert '# currency = "CNY"                 # confirm: the only one' in text_of(proposed(by_header))


@pytest.mark.parametrize(
    ("name", "state"), [("Status", "cancelled"), ("Financial Status", "refunded"), ("订单状态", "交易关闭")]
)
def test_states_of_orders_that_are_no_sales_are_noticed(proposed, name, state):
    (said,) = proposed(CLEAR | {name: [state, *["ok"] * 4, state]}).part.noticed
    assert said == f"{name!r} marks rows that are no sales ({state!r} 2 rows): export without them"
    assert proposed(CLEAR | {name: ["paid"] * 6}).part.noticed == []


def test_test_customers_are_noticed(proposed):
    text = text_of(proposed(CLEAR | {"customer_id": ["TEST01", "K9", "测试", "contest", "K1", "K1"]}))
    assert '# test_customers = ["TEST01", "测试"]' in text


def test_totals_that_stand_on_every_line_of_an_order_are_noticed(proposed):
    lines = {
        "customer": BUYERS * 2, "date": DAYS * 2, "order": ORDERS * 2, "sku": [*THINGS, *["S-9"] * 6],
        "total": MONEY * 2,
    }  # fmt: skip
    (said,) = proposed(lines).part.noticed
    assert said.startswith("'total' is the same on every line of 6 orders of several lines")
    assert proposed(lines | {"total": [*MONEY, *MONEY[::-1]]}).part.noticed == []


# Other tables ---------------------------------------------------------------------------------------------


def test_a_customer_master_is_recognised(proposed):
    columns = {"客户编号": ORDERS, "注册日期": DAYS, "省份": THINGS, "客户等级": PIECES, "姓名": NAMES}
    found = proposed(columns)
    assert found.part.kind == "customers"
    assert mapped(found.part) == {
        "customer_id": "客户编号", "acquired_at": "注册日期", "region": "省份", "segment": "客户等级"
    }  # fmt: skip
    assert "add [firms.a.transactions]" in text_of(found)
    assert tomllib.loads(text_of(found))["firms"]["a"]["customers"]["columns"]["region"] == "省份"


def test_spend_and_pipelines_are_recognised(proposed):
    months = [f"2024-0{i}" for i in range(1, 7)]
    found = proposed({"Month": months, "Channel": THINGS, "Spend": MONEY})
    assert (found.part.kind, mapped(found.part)) == (
        "spend", {"month": "Month", "spend": "Spend", "source": "Channel"}
    )  # fmt: skip
    deals = {"opportunity_id": ORDERS, "stage": ["Lead", "Won"] * 3, "entered_at": DAYS, "amount": MONEY}
    assert proposed(deals).part.kind == "pipeline"
    assert proposed(CLEAR).part.kind == "transactions"


def test_purchases_are_no_spend_and_customers_that_repeat_no_master(proposed):
    assert proposed({"customer": BUYERS, "date": DAYS, "spend": MONEY}).part.kind == "transactions"
    assert proposed({"customer": BUYERS, "region": THINGS, "country": NAMES}).part.kind == "transactions"
    assert proposed({"customer": ORDERS, "region": THINGS, "country": NAMES}).part.kind == "customers"


def test_a_file_without_header_is_noticed(proposed):
    found = proposed(dict(zip(["00004", "19970101", "29.33"], CLEAR.values(), strict=True)))
    assert "the first line looks like data" in found.part.noticed[0]
    assert proposed(dict(zip("123", CLEAR.values(), strict=True)), header="false").table.n_rows == 7


def test_folders_and_workbooks_are_opened_as_the_doors_do(tmp_path):
    folder = tmp_path / "months"
    folder.mkdir()
    for name in ("a.csv", "b.csv"):
        written(folder, CLEAR, name=name)
    assert propose_file(str(folder)).table.n_rows == 12
    pd.DataFrame(CLEAR).to_excel(tmp_path / "book.xlsx", index=False)
    assert mapped(propose_file(str(tmp_path / "book.xlsx")).part)["amount"] == "amount"
    with pytest.raises(DataError, match="no such file"):
        propose_file(str(tmp_path / "gone.csv"))


# Hostile names and values ---------------------------------------------------------------------------------

HOSTILE = ['"', "'", "\\", '"]\n[[', "\r\n#", "\x07\x1b[\x7f", "\u2028\u202e", "'''", '"""', " = {}"]
INJECTION = 'x"]\n[firms.b]\nname = "b'


@given(st.text())
def test_any_text_survives_as_toml_and_a_comment_stays_one(text):
    clean = text.encode("utf-8", "replace").decode()
    assert tomllib.loads(toml.line("key", clean, note=clean)) == {"key": clean}
    assert tomllib.loads(toml.line("key", {"part": clean})) == {"key": {"part": clean}}
    assert tomllib.loads(toml.line("key", [clean, clean])) == {"key": [clean, clean]}
    assert tomllib.loads("\n".join([toml.comment(text), toml.open_line("key", text, note=text)])) == {}
    assert len(toml.line("key", text, note=text).splitlines()) == 1


@given(st.characters(categories=["Cs"]))
def test_half_a_character_is_replaced(sign):
    assert tomllib.loads(toml.line("key", f"a{sign}")) == {"key": "a\ufffd"}
    toml.line("key", sign, note=sign).encode()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_are_proposed_as_they_are_and_break_nothing(tmp_path, hostile):
    columns = {
        f"customer{hostile}id": [f"{hostile}{buyer}" for buyer in BUYERS],
        f"order{hostile}date": DAYS,
        f"amount{hostile}": MONEY,
        f"category{hostile}": [INJECTION] * 6,
        f"status{hostile}": [f"{INJECTION}{hostile}cancelled"] * 6,
        f"{INJECTION}{hostile}": [f"x{hostile}"] * 6,
    }
    path = tmp_path / "hostile.parquet"
    pd.DataFrame(columns).to_parquet(path)
    found = propose_file(str(path))
    firms = tomllib.loads(text_of(found))["firms"]
    assert list(firms) == ["a"]
    assert firms["a"] == {
        "name": "Firm A",
        "transactions": {
            "source": str(path),
            "columns": {
                "customer_id": f"customer{hostile}id",
                "occurred_at": f"order{hostile}date",
                "amount": f"amount{hostile}",
                "category": f"category{hostile}",
            },
        },
    }
    assert all(sign.isprintable() for line in show(found).split("\n") for sign in line)


def test_names_that_no_table_can_have_are_refused_in_a_sentence(tmp_path):
    path = tmp_path / "nul.parquet"
    pd.DataFrame({"customer\x00id": BUYERS, "date": DAYS, "amount": MONEY}).to_parquet(path)
    with pytest.raises(DataError, match=r"nul\.parquet: "):
        propose_file(str(path))
