"""From a workspace to a published pack: whole or not at all, and the same bytes for the same question."""

import csv
import json
import re
import shutil
import threading
from pathlib import Path

import nbformat
import openpyxl
import pytest
from small_report import FIRM_PAGE, FIRM_PARAMETERS, PARAMETERS, SUMMARY, notebook, small_report

from crm_analysis.errors import ConfigError, DataError, ReportError
from crm_analysis.report import publish
from crm_analysis.report.execute import PageError
from crm_analysis.report.plan import declared_parameters, plan_report
from crm_analysis.report.run import run_report
from crm_analysis.report.text import read_catalogue


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project that was reported on once, with what was told on the way."""
    folder = tmp_path_factory.mktemp("project")
    workspace = small_report(folder)
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        report = run_report(workspace, period="2025-12", parameters={"times": "2"}, tell=told.append)
    return folder, report, told


@pytest.fixture(scope="module")
def pack(project):
    return project[1].path


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A project that was not reported on yet, with the working directory in it."""
    monkeypatch.chdir(tmp_path)
    return small_report(tmp_path)


def read(path):
    return path.read_text(encoding="utf-8")


def test_a_pack_holds_everything_the_design_lists(pack):
    files = {str(p.relative_to(pack)) for p in pack.rglob("*") if p.is_file()}
    segments = ("rfm_segmentation_a", "rfm_segmentation_b")
    lists = [(key, name) for key in segments for name in ("groups", "invest")]
    assert files == {
        "index.html",
        "decisions.xlsx",
        "record.json",
        *(f"{key}.html" for key in segments),
        *(f"notebooks/{key}.ipynb" for key in ("management_summary", *segments)),
        *(f"pages/{key}/metrics.json" for key in ("management_summary", *segments)),
        *(f"pages/{key}/tables/{name}.csv" for key, name in lists),
        *(f"pages/{key}/decisions/invest.parquet" for key in segments),
    }


def test_the_period_is_a_link_to_one_run(project):
    folder, report, _ = project
    assert report.path == folder / "reports" / "small" / "2025-12"
    assert report.path.is_symlink()
    assert report.path.resolve().parent == folder / "reports" / "runs"
    assert not Path(report.path.readlink()).is_absolute()


def test_progress_is_one_line_a_page_with_its_seconds(project):
    told = project[2]
    for key in ("data checked", "management_summary", "rfm_segmentation_a", "rfm_segmentation_b"):
        assert len([line for line in told if re.fullmatch(rf"  {key}  \d+\.\d s", line)]) == 1


def test_the_index_is_the_summary_with_verdict_contents_and_downloads(pack):
    index = read(pack / "index.html")
    assert "<h1>What happened?</h1>" in index
    assert "Nothing moved." in index
    assert '<strong class="badge">PASS</strong>' in index
    assert (
        '<a href="rfm_segmentation_a.html">Which groups are there?</a> <span class="firm">Firm &lt;A&gt;'
        in index
    )
    assert "3 of Firm &lt;A&gt; &lt;came&gt; back in 2025-12." in index
    for file in re.findall(r'href="([^"#]+)"', index):
        assert (pack / file).exists(), file


def test_a_page_says_firm_period_and_parameters_and_shows_no_code(pack):
    page = read(pack / "rfm_segmentation_b.html")
    assert '<p class="kicker">Firm B · December 2025</p>' in page
    assert "Parameters: times = 2" in page
    assert "2,469" in page  # 1,234.5 times 2
    assert "+105.8% on 2025-11" in page
    for hidden in ("page.metric", "import types", "noise"):
        assert hidden not in page


def test_nothing_from_the_data_becomes_markup(pack):
    for path in pack.glob("*.html"):
        assert "<b>" not in read(path)
        assert "<came>" not in read(path)


def test_decisions_are_a_workbook_of_text_without_formulas(pack):
    book = openpyxl.load_workbook(pack / "decisions.xlsx")
    assert book.sheetnames == ["About", "invest Firm <A>", "invest Firm B"]
    assert "50% of the customers" in book["About"]["A4"].value
    assert "seed 7" in book["About"]["A4"].value
    sheet = book["invest Firm B"]
    header = [cell.value for cell in sheet[1]]
    labels = [
        read_catalogue("en").label(name, page="rfm_segmentation")
        for name in ("customer_id", "why", "value_at_stake", "held_back", "owner", "due")
    ]
    assert header == [*labels[:2], f"{labels[2]} (CNY)", *labels[3:]]
    first = [(cell.value, cell.data_type) for cell in sheet[2]]
    assert first[:2] == [("001", "s"), ("@x", "s")]
    assert sheet["A3"].value == "=2+3"
    assert sheet["A3"].data_type == "s"
    assert [cell.value for cell in sheet["E"]][1:] == [None] * 3


def test_tables_are_csv_with_every_row(pack):
    with (pack / "pages/rfm_segmentation_a/tables/groups.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["customer_id", "total_amount"], ["001", "1.5"], ["'=2+3", "2.0"], ["<b>", "3.0"]]


def test_the_record_says_what_the_pack_was_made_from(project):
    folder, report, _ = project
    record = json.loads(read(report.path / "record.json"))
    assert record["period"] == "2025-12"
    assert record["pages"]["rfm_segmentation_a"] == {
        "workspace": "small", "period": "2025-12", "firm": "a", "times": 2
    }  # fmt: skip
    assert set(record["inputs"]) == {"orders.csv", "small.toml"}
    assert record["hold_back"] == {"share": 0.5, "seed": 7}
    assert {"pandas", "duckdb", "crm-analysis"} <= set(record["packages"])
    assert set(record["made"]["seconds"]) >= {"data checked", "rfm_segmentation_b"}
    assert str(folder) not in read(report.path / "record.json")


def test_executed_notebooks_hold_no_path_of_the_machine_and_no_warning(project):
    folder, report, _ = project
    for path in (report.path / "notebooks").glob("*.ipynb"):
        text = read(path)
        assert str(folder) not in text
        cells = nbformat.read(path, as_version=4).cells
        assert "noise" not in str([cell.get("outputs") for cell in cells])
        assert "injected-parameters" in [cell.id for cell in cells]
        assert all(cell.execution_count for cell in cells if cell.cell_type == "code")


def test_the_reports_index_lists_the_period_with_its_verdict(project):
    folder, _, _ = project
    index = read(folder / "reports" / "index.html")
    assert '<a href="small/2025-12/index.html">2025-12</a> <strong class="badge pass">PASS</strong>' in index
    assert "Nothing moved." in index


def without_times(path):
    """Bytes of a file but for the fields that hold times."""
    if path.name == "record.json":
        return json.loads(read(path)) | {"made": None, "commit": None}
    if path.suffix == ".ipynb":
        book = nbformat.read(path, as_version=4)
        for part in (book, *book.cells):
            part.metadata.pop("papermill", None)
        return nbformat.writes(book)
    return path.read_bytes()


def test_the_same_question_gives_the_same_bytes(project, monkeypatch):
    folder, report, _ = project
    first = shutil.copytree(report.path, folder / "first")
    monkeypatch.chdir(folder)
    again = run_report("small", period="2025-12", parameters={"times": "2"}, tell=[].append)
    names = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(again.path) for p in again.path.rglob("*") if p.is_file())
    different = [str(n) for n in names if without_times(first / n) != without_times(again.path / n)]
    assert different == []
    # The earlier run of the period is gone.
    assert [p.name for p in (folder / "reports" / "runs").iterdir()] == [again.path.resolve().name]
    shutil.rmtree(first)


FAILING = ["page = Page('rfm_segmentation', workspace=ws, period=period, firm=firm)", "## Numbers"]


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("page.check('shares sum to 1', 0.9, 1.0)", r"rfm_segmentation_a: shares sum to 1: 0.9 is not 1.0"),
        ("1 / 0", r"ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", r"the kernel died"),
    ],
)
def test_a_failed_run_names_notebook_cell_and_reason_and_changes_nothing(project, monkeypatch, cell, why):
    folder, report, _ = project
    monkeypatch.chdir(folder)
    before = report.path.resolve(), without_times(report.path / "index.html")
    path = folder / "notebooks" / "rfm_segmentation.ipynb"
    good = read(path)
    notebook(path, *FAILING, cell, "page.close()", parameters=FIRM_PARAMETERS)
    expected = rf"rfm_segmentation_a: cell 'cell-3' failed: .*{why}.*The last good report is still in place"
    try:
        with pytest.raises(ReportError, match=expected) as error:
            run_report("small", period="2025-12", pages=["rfm_segmentation"], tell=[].append)
    finally:
        path.write_text(good)
    assert (report.path.resolve(), without_times(report.path / "index.html")) == before
    evidence = Path(re.search(r"to look at: (.*)", str(error.value))[1])
    assert {p.name for p in evidence.iterdir()} >= {"rfm_segmentation_a.ipynb"}
    assert [p for p in (folder / "reports" / "runs").iterdir() if p != evidence] == [before[0]]
    shutil.rmtree(evidence)


def test_a_notebook_that_forgets_to_close_its_page_is_told_so(fresh, tmp_path):
    notebook(tmp_path / "notebooks" / "management_summary.ipynb", *SUMMARY[:-1], parameters=PARAMETERS)
    with pytest.raises(ReportError, match=r"management_summary: handed nothing over; end .* page.close"):
        run_report("small", period="2025-12", pages=["management_summary"], tell=[].append)
    assert list((tmp_path / "reports" / "runs").iterdir()) == []


def test_part_of_a_report_does_not_replace_the_whole(fresh, tmp_path):
    shutil.copy(tmp_path / "notebooks" / "management_summary.ipynb", tmp_path / "notebooks" / "my_page.ipynb")
    report = run_report("small", period="2025-12", pages=["management_summary"], tell=[].append)
    assert report.path.name == "2025-12-management_summary"


def test_two_pages_at_once_never_leave_the_directory_of_the_run(fresh, tmp_path, monkeypatch):
    """Papermill keeps one for all threads: the page that ends first must not bring an older one back."""
    from papermill.iorw import local_file_io_cwd, papermill_io

    papermill = papermill_io.get_handler("local")
    monkeypatch.setattr(papermill, "_cwd", str(tmp_path.parent))
    opened, first_ended = threading.Barrier(2), threading.Event()
    seen = []

    def like_papermill(run, *, folder, kernels):
        with local_file_io_cwd():
            opened.wait(10)
            if run.key == "rfm_segmentation_b":
                first_ended.wait(10)
                seen.append(papermill._cwd)
        first_ended.set()
        raise PageError(f"{run.key}: enough", folder / "none.ipynb")

    monkeypatch.setattr("crm_analysis.report.run.execute", like_papermill)
    with pytest.raises(ReportError, match="rfm_segmentation_b: enough"):
        run_report("small", period="2025-12", pages=["rfm_segmentation"], tell=[].append)
    assert seen == [str(tmp_path)]
    assert papermill._cwd == str(tmp_path.parent)


# What is refused before anything runs ---------------------------------------------------------------------


def test_parameters_are_read_as_the_notebook_declares_them(tmp_path):
    source = 'period: str = "2025-12"  # month\nshare = 0.5\nlabels = ["a",\n  "b"]\non = True\nfree = None'
    path = notebook(tmp_path / "n.ipynb", parameters=source)
    assert declared_parameters(path) == {
        "period": "2025-12", "share": 0.5, "labels": ["a", "b"], "on": True, "free": None
    }  # fmt: skip


def test_every_firm_page_is_planned_per_firm_and_others_once(fresh):
    plan = plan_report("small", period="2025-12", parameters={"times": "3"})
    assert [run.key for run in plan.runs] == [
        "management_summary",
        "rfm_segmentation_a",
        "rfm_segmentation_b",
    ]
    assert plan.runs[0].parameters == {"workspace": "small", "period": "2025-12"}
    assert plan.runs[2].parameters == {"workspace": "small", "period": "2025-12", "firm": "b", "times": 3}


def test_the_default_period_is_the_last_complete_month(fresh):
    assert plan_report("small").period.label == "2025-12"
    fresh.write_text(
        fresh.read_text().replace("observed_until = 2025-12-31", "observed_until = 2025-12-30", 1)
    )
    assert plan_report("small").period.label == "2025-11"
    with pytest.raises(ConfigError, match="not all of 2025-12-01 to 2025-12-31"):
        plan_report("small", period="2025-12")


def test_a_funnel_page_is_left_out_where_pipelines_are_missing(fresh):
    fresh.write_text(fresh.read_text().replace('"rfm_segmentation"]', '"funnel_comparison"]'))
    plan = plan_report("small")
    assert plan.left_out == {"funnel_comparison": "needs the pipelines of two firms; the workspace has 0"}
    assert [run.key for run in plan.runs] == ["management_summary"]


def test_a_page_of_campaigns_runs_for_the_firms_that_have_contacts(fresh):
    text = fresh.read_text().replace('"rfm_segmentation"]', '"campaigns"]')
    fresh.write_text(text)
    plan = plan_report("small")
    assert plan.left_out == {"campaigns": "needs contacts of campaigns; no firm of the workspace has them"}
    assert [run.key for run in plan.runs] == ["management_summary"]
    fresh.write_text(text + '\n[firms.b.contacts]\nsource = "contacts.csv"\n')
    assert [run.key for run in plan_report("small").runs] == ["management_summary", "campaigns_b"]


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ({"parameters": {"time": "2"}}, r"'time': no page declares it; declared by page: .*'times'"),
        ({"parameters": {"times": "twice"}}, r"times = 'twice': expected a value like 1.0"),
        ({"parameters": {"times": "True"}}, r"times = 'True': expected a value like 1.0"),
        ({"parameters": {"period": "2025-11"}}, r"'period': is set by the report itself"),
        ({"period": "2026-01"}, r"'2026-01': firm 'a' was observed from 2022-01-01 to 2025-12-31.*'2025-12'"),
        ({"period": "2021"}, r"firm 'a' was observed from 2022-01-01"),
        ({"period": "December"}, r"expected a month '2025-12'"),
        ({"pages": ["rfm"]}, r"page 'rfm': no notebooks/rfm.ipynb.*'rfm_segmentation'"),
    ],
)
def test_a_wrong_question_is_refused_and_nothing_is_written(fresh, tmp_path, question, sentence):
    with pytest.raises(ConfigError, match=sentence):
        run_report("small", **question)
    assert not (tmp_path / "reports").exists()


def test_refused_data_stop_before_anything_runs(fresh, tmp_path):
    (tmp_path / "data" / "orders.csv").write_text("customer,date\n001,2025-11-03\n")
    with pytest.raises(DataError, match="amount"):
        run_report("small", period="2025-12", tell=[].append)
    assert not (tmp_path / "reports" / "runs").exists()


# Publishing -----------------------------------------------------------------------------------------------


def finished(run):
    (run / publish.RECORD).write_text("{}")
    return run


def test_publishing_replaces_the_link_and_removes_the_run_before(tmp_path):
    first = finished(publish.new_run(tmp_path, "demo", "2025-12"))
    link = publish.publish(first, workspace="demo", label="2025-12")
    second = finished(publish.new_run(tmp_path, "demo", "2025-12"))
    assert second != first
    assert publish.publish(second, workspace="demo", label="2025-12") == link
    assert link.resolve() == second
    assert not first.exists()
    assert [p.name for p in link.parent.iterdir()] == ["2025-12"]


def test_publishing_leaves_other_periods_and_runs_in_the_making_alone(tmp_path):
    others = [finished(publish.new_run(tmp_path, "demo", label)) for label in ("2025-11", "2025-12-page")]
    making = publish.new_run(tmp_path, "demo", "2025-12")
    run = finished(publish.new_run(tmp_path, "demo", "2025-12"))
    publish.publish(run, workspace="demo", label="2025-12")
    assert all(path.exists() for path in (*others, making, run))


def test_a_folder_where_the_link_should_be_is_not_overwritten(tmp_path):
    (tmp_path / "demo" / "2025-12").mkdir(parents=True)
    run = publish.new_run(tmp_path, "demo", "2025-12")
    with pytest.raises(ReportError, match="is a folder, but reports are published as links"):
        publish.publish(run, workspace="demo", label="2025-12")


def test_the_firm_page_of_these_tests_says_everything_a_page_can(pack):
    """Guards the fixture: a page that shows nothing would pass most tests above."""
    assert {word for line in FIRM_PAGE for word in re.findall(r"page\.(\w+)\(", line)} >= {
        "table", "figure", "metric", "metrics_band", "say", "decisions", "close"
    }  # fmt: skip
