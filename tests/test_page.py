"""What a page shows, and that it shows the same bytes every time."""

import base64
import datetime as dt
import io
import json
import math
from decimal import Decimal
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_analysis.errors import ReportError
from crm_analysis.report.format import format_column, format_number, harmless, kind_of
from crm_analysis.report.metric import Metric
from crm_analysis.report.page import FOLDER_VARIABLE, Page, held_back
from crm_analysis.report.table import write_csv
from crm_analysis.report.text import Catalogue, read_catalogue
from crm_analysis.workspace import Period, Workspace

mpl.use("Agg")
SETTINGS = {
    "schema_version": 1,
    "name": "Test",
    "currency": "CNY",
    "timezone": "Asia/Shanghai",
    "decisions": {"hold_back": 0.25, "seed": 3},
    "firms": {
        "a": {
            "name": "Firm <A>",
            "observed_from": dt.date(2022, 1, 1),
            "observed_until": dt.date(2025, 12, 31),
            "transactions": {"source": "orders.csv"},
        }
    },
}
SENTENCES = {
    "headline": "{share:.0%} of {firm} in {period}",
    "moved": "{n} <moved>",
    "captions": {"catalogued": "From the catalogue, {n}"},
}


class Shown(Page):
    """A page that keeps what it displays."""

    def __init__(self, language="en", firm="a"):
        settings = Workspace.model_validate(SETTINGS | {"language": language})
        super().__init__("sample", workspace=SimpleNamespace(settings=settings), period="2025-12", firm=firm)
        self.text = Catalogue(language, dict(read_catalogue(language).content) | {"sample": SENTENCES})
        self.outputs = []

    def _display(self, data, metadata):
        self.outputs.append((data, metadata))

    @property
    def html(self):
        return self.outputs[-1][0]["text/html"]

    @property
    def plain(self):
        return self.outputs[-1][0]["text/plain"]


@pytest.fixture
def page(monkeypatch):
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    return Shown()


@pytest.fixture
def writing(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    return Shown()


CUSTOMERS = pd.DataFrame(
    {
        "customer_id": ["001", "=2+3", "<b>x</b>"],
        "total_amount": [Decimal("12.5000"), None, Decimal("1200.2500")],
        "share_of_all": [0.1, 0.25, np.nan],
        "n_customers": [3, 40, 50],
        "last_at": pd.to_datetime(["2025-01-01", None, "2025-02-02"]),
        "r": [0.243, 4.414, 0.793],
        "history_complete": [True, False, True],
    }
)


def test_a_table_is_written_by_the_names_and_types_of_its_columns(page):
    page.table(CUSTOMERS, name="customers", caption="Customers")
    assert page.plain.splitlines() == [
        "Customers",
        "Customer  Revenue so far (CNY)  Share of all  Customers  Last purchase      r  Complete history",
        "001                         12         10.0%          3  2025-01-01     0.243  yes",
        "=2+3                         –         25.0%         40  –              4.414  no",
        "<b>x</b>                 1,200             –         50  2025-02-02     0.793  yes",
    ]


def test_nothing_in_a_table_becomes_markup_and_few_customers_are_grey(page):
    page.table(CUSTOMERS, name="customers", caption="A < B")
    assert "<td>&lt;b&gt;x&lt;/b&gt;</td>" in page.html
    assert "<caption>A &lt; B</caption>" in page.html
    assert page.html.count('<tr class="few">') == 1
    assert page.html.index('<tr class="few"><td>001') > 0


def test_a_named_index_is_shown_and_an_unnamed_one_is_not(page):
    page.table(CUSTOMERS.set_index("customer_id")[["r"]], name="named", caption="x")
    assert page.plain.splitlines()[1].split() == ["Customer", "r"]
    page.table(CUSTOMERS[["r"]].iloc[::-1], name="unnamed", caption="x")
    assert page.plain.splitlines()[1].split() == ["r"]


def test_a_long_table_is_cut_and_says_so(page, writing):
    for where, said in (
        (page, "Rows not shown: 1"),
        (writing, "Rows not shown: 1; all rows are in customers.csv"),
    ):
        where.table(CUSTOMERS, name="customers", caption="x", rows=2)
        assert where.plain.splitlines()[-1] == said
        assert where.html.endswith(f'<p class="crm-note">{said}</p>')
        assert "1,200" not in where.html


def test_csv_has_every_row_and_nothing_that_a_spreadsheet_would_run(writing, tmp_path):
    table = CUSTOMERS.assign(r=[-1.5, 2, 3], note=["@x", "+1", "-"], **{"=evil": "\tx"})
    writing.table(table, name="customers", caption="x", rows=1)
    raw = (tmp_path / "tables" / "customers.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    lines = raw.decode("utf-8-sig").split("\n")
    assert lines[0].endswith(",note,'=evil")
    assert lines[1] == "001,12.5000,0.1,3,2025-01-01,-1.5,True,'@x,'\tx"
    assert lines[2].startswith("'=2+3,,0.25,40,,2.0,False,'+1,")
    assert len(lines) == 5


def test_the_frame_that_is_shown_is_left_alone(writing):
    before = CUSTOMERS.copy(deep=True)
    writing.table(CUSTOMERS, name="customers", caption="x")
    writing.decisions(CUSTOMERS, name="list", caption="x")
    pd.testing.assert_frame_equal(CUSTOMERS, before)


def test_the_catalogue_words_a_caption_before_the_notebook_does(page):
    page.table(CUSTOMERS, name="catalogued", caption="From the notebook", n=7)
    assert page.plain.startswith("From the catalogue, 7\n")
    with pytest.raises(ReportError, match=r"'other' needs words; write them under \[sample.captions\]"):
        page.table(CUSTOMERS, name="other")


def test_one_name_is_one_table(page):
    page.table(CUSTOMERS, name="t", caption="x")
    with pytest.raises(ReportError, match="sample_a: two tables are called 't'"):
        page.table(CUSTOMERS, name="t", caption="x")


def test_formats_given_overrule_what_the_name_suggests(page):
    page.table(pd.DataFrame({"r": [0.5]}), name="t", caption="x", formats={"r": "percent"})
    assert page.plain.splitlines()[-1].strip() == "50.0%"


def draw():
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    ax.plot([1, 2], [3, 4])
    return figure, ax


def test_a_figure_is_a_png_with_its_words_and_without_times_and_is_closed(page):
    import matplotlib.pyplot as plt
    from PIL import Image

    figure, ax = draw()
    page.figure(ax, name="curve", alt='Rises from 3 to 4 "quickly"')
    data, metadata = page.outputs[-1]
    assert data["text/plain"] == '[figure] Rises from 3 to 4 "quickly"'
    assert metadata["image/png"]["alt"] == 'Rises from 3 to 4 "quickly"'
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert image.size == pytest.approx(144 * figure.get_size_inches(), abs=1)
    assert set(image.info) == {"dpi"}
    assert not plt.fignum_exists(figure.number)


def test_a_figure_needs_words(page):
    with pytest.raises(ReportError, match=r"'curve' needs words.*or give alt="):
        page.figure(draw()[0], name="curve")


def test_the_same_page_is_the_same_bytes(monkeypatch, tmp_path):
    def once(folder):
        monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
        made = Shown()
        made.metric("revenue", 12.0, unit="money", previous=10)
        made.table(CUSTOMERS, name="t", caption="x", rows=1)
        made.figure(draw()[0], name="f", alt="y")
        made.decisions(CUSTOMERS, name="d", caption="x")
        made.say("headline", share=0.5)
        made.close()
        files = {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
        return made.outputs, files

    assert once(tmp_path / "1") == once(tmp_path / "2")


def test_sentences_know_firm_and_period_and_are_escaped(page):
    page.say("headline", share=0.5)
    assert page.plain == "50% of Firm <A> in 2025-12"
    assert page.html == '<p class="crm-headline">50% of Firm &lt;A&gt; in 2025-12</p>'
    page.say("moved", n=3)
    assert page.html == '<p class="crm-finding">3 &lt;moved&gt;</p>'
    assert page.sentence("moved", n=4) == "4 <moved>"


def test_a_missing_sentence_or_field_stops_the_page(page):
    with pytest.raises(ReportError, match="no sentence 'nothing'"):
        page.say("nothing")
    with pytest.raises(ReportError, match=r"\[sample\] moved: needs \['n'\]"):
        page.say("moved")


@pytest.mark.parametrize(
    ("unit", "value", "previous", "words"),
    [
        ("money", 1234567.8, 1e6, ["Revenue (CNY)", "1,234,568", "+23.5% on 2025-11"]),
        ("share", 0.312, 0.318, ["Revenue", "31.2%", "−0.6 points on 2025-11"]),
        ("customers", 2871, 0, ["Revenue (customers)", "2,871"]),
        (None, 2.5, None, ["Revenue", "2.500"]),
        ("money", None, 5.0, ["Revenue (CNY)", "–"]),
    ],
)
def test_a_tile_says_value_unit_and_change(page, unit, value, previous, words):
    page.metric("revenue", value, unit=unit, previous=previous)
    page.metrics_band()
    assert page.plain.split("  ") == words


def test_a_tile_has_its_interval_and_last_year(page):
    page.metric("value_12m", 9.0e6, unit="money", low=8.6e6, high=9.9e6, year_before=8e6)
    page.metrics_band()
    assert page.plain.endswith("8,600,000 to 9,900,000  +12.5% on 2024-12")


def test_a_year_is_compared_with_the_year_before_once(page):
    page.period = Period.parse("2025")
    page.metric("revenue", 11.0, previous=10.0, year_before=10.0)
    page.metrics_band()
    assert page.plain.count("on 2024") == 1


def test_a_band_shows_what_was_collected_since_the_last_one(page):
    page.metric("revenue", 1.0)
    page.metrics_band()
    page.metric("profit", 2.0)
    page.metrics_band()
    assert "Profit" in page.html
    assert "Revenue" not in page.html
    page.metrics_band()
    assert len(page.outputs) == 2


def test_a_share_is_compared_in_points_and_a_negative_base_not_at_all():
    assert Metric("m", "m", "share", 0.1, previous=0.0).change(0.0) == "+10.0"
    assert Metric("m", "m", "money", 5.0).change(-2.0) is None


def test_decisions_are_handed_over_whole_with_the_hold_back(writing, tmp_path):
    many = pd.DataFrame({"customer_id": [f"{i:04d}" for i in range(2000)], "why": "quiet"})
    writing.decisions(many, name="visit", caption="Visit", rows=3)
    listed = pd.read_parquet(tmp_path / "decisions" / "visit.parquet")
    assert list(listed.columns) == ["customer_id", "why", "held_back", "owner", "due"]
    assert list(listed["customer_id"]) == list(many["customer_id"])
    assert listed["held_back"].mean() == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / 2000) ** 0.5)
    assert set(listed["owner"]) == set(listed["due"]) == {""}
    assert "Owner" not in writing.html
    assert "Held back" in writing.html


def test_decisions_need_somebody(page):
    with pytest.raises(ReportError, match="no column customer_id or opportunity_id; columns: \\['why'\\]"):
        page.decisions(pd.DataFrame({"why": ["x"]}), name="d", caption="x")


def test_a_carriage_return_in_a_name_ends_no_row_of_a_csv(tmp_path):
    write_csv(
        pd.DataFrame({"customer_id": ["a\r=1+1", "\r=2", "b\r\nc"], "n": [1, 2, 3]}), tmp_path / "a.csv"
    )
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        content = file.read()
    assert "\r" not in content
    assert content == 'customer_id,n\n"a\n=1+1",1\n"\'\n=2",2\n"b\nc",3\n'


@given(st.lists(st.text(), unique=True, max_size=30), st.integers(0, 5))
def test_the_hold_back_of_a_customer_does_not_depend_on_the_others(ids, seed):
    drawn = {i: held_back(i, share=0.5, seed=seed) for i in ids}
    assert drawn == {i: held_back(i, share=0.5, seed=seed) for i in reversed(ids)}
    assert not any(held_back(i, share=0.0, seed=seed) for i in ids)
    assert all(held_back(i, share=1.0, seed=seed) for i in ids)


def test_another_seed_holds_others_back():
    first, second = ([held_back(str(i), share=0.5, seed=s) for i in range(400)] for s in (1, 2))
    agree = np.mean(np.equal(first, second))
    assert agree == pytest.approx(0.5, abs=0.1)


def test_an_identity_that_holds_is_recorded_and_one_that_does_not_stops_the_page(page):
    page.check("bridge sums", [1.0, 2.0], [1.0, 2.0 + 1e-12])
    for left, right in ((1.0, 1.0001), (float("nan"), 1.0), ([1, 2], [1, 3]), (1e9, 1e9 + 10)):
        with pytest.raises(ReportError, match=r"sample_a: shares sum to 1: .* contradict each other"):
            page.check("shares sum to 1", left, right)
    page.check("shares sum to 1", 1.0, 1.0001, tolerance=0.001)


def test_close_writes_what_the_page_found(writing, tmp_path):
    writing.metric("revenue", 2.0, unit="money", previous=float("nan"))
    writing.check("sums", 1, 1)
    writing.table(CUSTOMERS, name="t", caption="Customers")
    writing.say("headline", share=0.5)
    writing.close()
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert found["headline"] == "50% of Firm <A> in 2025-12"
    assert found["metrics"]["revenue"]["value"] == 2.0
    assert found["metrics"]["revenue"]["previous"] is None
    assert found["tables"] == [{"name": "t", "caption": "Customers", "rows": 3}]
    assert [check["name"] for check in found["checks"]] == ["sums"]
    assert (found["page"], found["firm"], found["period"]) == ("sample", "a", "2025-12")
    assert list(found) == sorted(found)
    assert "Revenue" in writing.html


def test_a_page_without_headline_cannot_be_closed(page):
    with pytest.raises(ReportError, match="no headline"):
        page.close()


def test_without_a_folder_nothing_is_written(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page.table(CUSTOMERS, name="t", caption="x")
    page.decisions(CUSTOMERS, name="d", caption="x")
    page.say("headline", share=0.5)
    page.close()
    assert list(tmp_path.iterdir()) == []


def test_a_page_in_chinese(monkeypatch):
    page = Shown(language="zh")
    page.table(CUSTOMERS, name="t", caption="x", rows=1)
    assert page.plain.splitlines()[1].split()[:2] == ["客户", "累计收入"]
    assert page.plain.splitlines()[-1] == "未显示 2 行"


def test_a_period_is_taken_as_it_is_or_by_its_label():
    settings = SimpleNamespace(settings=Workspace.model_validate(SETTINGS))
    period = Period.parse("2025Q4")
    assert Page("sample", workspace=settings, period=period).period is period
    assert Page("sample", workspace=settings, period="2025Q4").period == period


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("share_of_all", [0.1], "percent"),
        ("p_alive", [0.1], "percent"),
        ("share_low", [0.1], "percent"),
        ("n_orders", [1.0], "integer"),
        ("days_since_last", [1.0], "integer"),
        ("t_last", [1], "integer"),
        ("total_amount", [1.0], "money"),
        ("value_12m", [1.0], "money"),
        ("value_at_stake", [1], "money"),
        ("residual_value_low", [1.0], "money"),
        ("mean_repeat_amount", [1.0], "money"),
        ("expected_purchases", [1.0], "number"),
        ("alpha", [1.0], "number"),
        ("score", [5], "integer"),
        ("amount", ["x"], "text"),
        ("anything", [dt.date(2025, 1, 1)], "date"),
        ("anything", [True], "yes or no"),
        ("share_of_all", [None], "text"),
    ],
)
def test_the_kind_of_a_column(name, values, kind):
    assert kind_of(name, pd.Series(values)) == kind


@given(st.lists(st.floats(-999, 999), min_size=1, max_size=20))
def test_a_column_has_the_same_decimals_throughout(values):
    texts = format_column(pd.Series(values), "number")
    assert len({len(text.partition(".")[2]) for text in texts}) == 1
    assert all(abs(float(t.replace("−", "-")) - v) <= 0.0501 for t, v in zip(texts, values, strict=True))


def test_a_column_that_mixes_magnitudes_shows_the_small_ones_too():
    assert format_column(pd.Series([474.0, 1.2236, 2296.4]), "number") == ["474.0", "1.224", "2,296"]


def test_a_loss_of_many_customers_is_not_few(page):
    page.table(pd.DataFrame({"n_customers": [-355, -7]}), name="t", caption="x")
    assert [row.count("few") for row in page.html.split("<tr")[2:]] == [0, 1]


def test_a_change_of_nothing_has_no_direction():
    assert Metric("m", "M", "share", 0.2).change(0.20001) == "±0.0"
    assert Metric("m", "M", None, 100).change(99.99) == "±0.0%"
    assert Metric("m", "M", "share", 0.2).change(0.25) == "−5.0"


def test_minus_nothing_is_nothing():
    assert format_number(-0.0001, "percent", decimals=1) == "0.0%"
    assert format_number(-0.4, "money") == "−0.40"
    assert [format_number(v, k) for v, k in ((np.inf, "percent"), (-np.inf, "number"))] == ["∞", "−∞"]


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("p", 0.0009, "<0.001"),
        ("p_holm", 0.001, "0.001"),
        ("p_value", 1.0, "1.000"),
        ("p_largest", 1.0, ">99%"),
        ("p_largest", 0.994, "99%"),
        ("p_largest", 0.0, "<1%"),
        ("p_alive", 1.0, "100.0%"),
        ("difference", -2.5, "−2.500"),
    ],
)
def test_a_p_value_is_never_nothing_and_a_chance_never_certain(name, value, written):
    column = pd.Series([value, math.nan])
    assert format_column(column, kind_of(name, column)) == [written, "–"]


@given(st.text())
def test_harmless_text_never_begins_like_a_formula(text):
    assert harmless(text)[:1] not in {"=", "+", "-", "@", "\t", "\r"}
    assert harmless(text) in {text, f"'{text}"}


def test_words_inside_a_figure_are_in_the_language_of_the_report(monkeypatch):
    import matplotlib.pyplot as plt

    from crm_analysis.report.figure_words import in_language, translate

    text = read_catalogue("zh")
    assert in_language("revenue (CNY)", text) == "收入（CNY）"
    assert in_language("Firm A (4,409 judged)", text) == "Firm A（4,409 个可判断）"
    assert in_language("nothing we know", text) == "nothing we know"
    monkeypatch.setitem(mpl.rcParams, "font.family", ["DejaVu Sans", "Noto Sans CJK SC"])
    monkeypatch.setitem(mpl.rcParams, "axes.titlelocation", "center")
    figure, ax = draw()
    ax.set(xlabel="share of customers", title="A title of the notebook")
    ax.set_xticks([1, 2], ["not returned", "Proposal"])
    ax.plot([1], [1], label="of customers")
    ax.legend()
    translate(figure, text)
    figure.canvas.draw()
    assert (ax.get_xlabel(), ax.get_title()) == ("客户占比", "A title of the notebook")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["未再购买", "Proposal"]
    assert ax.get_legend().get_texts()[0].get_text() == "占客户"
    plt.close(figure)
    figure, ax = draw()
    ax.set(xlabel="share of customers")
    translate(figure, read_catalogue("en"))
    assert ax.get_xlabel() == "share of customers"
    plt.close(figure)


def test_a_range_stands_under_its_number_where_it_is_asked_for(page):
    table = pd.DataFrame({"mix": [0.5, -2.0], "mix_low": [-1.25, math.nan], "mix_high": [2.0, math.nan]})
    page.table(table, name="t", caption="x", ranges=True)
    assert '0.500<span class="range">−1.250 to 2.000</span>' in page.html
    assert page.html.count("<th") == 1 + page.html.count("<thead")
    assert page.html.count('class="range"') == 1
    assert "0.500 (−1.250 to 2.000)" in page.plain
    page.table(table, name="u", caption="x")
    assert page.html.count('scope="col"') == 3
