"""The command line as it is used: in a process of its own, with its exit codes, sentences and signals."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from small_report import PARAMETERS, SUMMARY, notebook, small_report

from crm_analysis.cli import main
from crm_analysis.doors.verdict import Verdict
from crm_analysis.errors import ConfigError
from crm_analysis.workspace import read_workspace

COMMAND = [sys.executable, "-m", "crm_analysis.cli"]
SLEEPING = ["page = Page('management_summary', workspace=ws, period=period)", "import time; time.sleep(60)"]


@pytest.fixture
def project(tmp_path):
    small_report(tmp_path, pages='["management_summary"]')
    return tmp_path


@pytest.fixture
def crm(project, monkeypatch, capsys):
    """The command line in this process: exit code and what it said."""
    monkeypatch.chdir(project)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["crm-analysis", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return SimpleNamespace(returncode=end.value.code or 0, stdout=said.out, stderr=said.err)

    return run


def test_a_report_prints_the_page_to_open(project):
    command = [*COMMAND, "report", "small"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{project}/reports/small/2025-12/index.html\n")
    assert "management_summary" in done.stderr
    assert "Traceback" not in done.stderr
    assert (project / "reports" / "small" / "2025-12" / "index.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["report", "nowhere"], "crm-analysis: workspace: no data/nowhere.toml or work/nowhere.toml"),
        (["report", "small", "--period", "2027-01"], "firm 'a' was observed from 2022-01-01"),
        (["report", "small", "--period", "soon"], "period 'soon': expected a month"),
        (["report", "small", "-p", "bins=4"], "parameter 'bins': no page declares it"),
        (["report", "small", "-p", "bins"], "-p 'bins': expected name=value"),
        (["report", "small", "--page", "rfm"], "page 'rfm': no notebooks/rfm.ipynb"),
        (["report", "small", "--perriod", "2025-12"], "No such option: --perriod"),
        (["report"], "Missing argument 'workspace'"),
        (
            ["explore", "management_summary", "--workspace", "small", "--firm", "z", "--no-open"],
            "no firm 'z'",
        ),
        (["init", "new", "missing.csv"], "missing.csv: no such file"),
        (["init", "a b", "data/orders.csv"], "workspace name 'a b'"),
        (["explode"], "No such command 'explode'"),
    ],
)
def test_wrong_usage_is_one_sentence_and_nothing_is_written(project, crm, arguments, sentence):
    before = sorted(project.rglob("*"))
    done = crm(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(project.rglob("*")) == before


@pytest.mark.parametrize(
    ("orders", "sentence"),
    [
        ("customer,date\n1,2025-11-03\n", "amount"),
        ("customer,date,amount\n1,2025-11-03,5\n2,soon,5\n", "soon"),
        (None, "orders.csv"),
    ],
)
def test_refused_data_end_with_2_and_their_sentence(project, crm, orders, sentence):
    path = project / "data" / "orders.csv"
    path.unlink() if orders is None else path.write_text(orders)
    told = crm("report", "small")
    assert told.stderr.startswith("crm-analysis: ")
    assert sentence in told.stderr
    shown = crm("check", "small")
    assert sentence in shown.stdout
    assert shown.stderr == "crm-analysis: 2 of 2 tables are refused\n"
    for done in (told, shown, crm("report", "small", "--strict"), crm("check", "small", "--strict")):
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
    assert not (project / "reports" / "runs").exists()


def test_all_tables_of_all_firms_are_checked_and_all_refusals_told(project, crm):
    for name, text in {"masters": "customer_id\n001\n001\n", "spend": "month,spend\n2025-11,12\n"}.items():
        (project / "data" / f"{name}.csv").write_text(text)
    firm = '[firms.c]\nname = "Firm C"\nobserved_from = 2022-01-01\nobserved_until = 2025-12-31\n'
    tables = '[firms.c.transactions]\nsource = "gone.csv"\n[firms.c.spend]\nsource = "spend.csv"\n'
    master = '[firms.b.customers]\nsource = "masters.csv"\n'
    path = project / "data" / "small.toml"
    path.write_text(f"{path.read_text()}\n{master}{firm}{tables}")
    done = crm("check", "small")
    assert done.returncode == 2
    said = " ".join(done.stdout.split())
    assert "Firm B: masters.csv: REFUSE" in said
    assert "orders.csv: not checked, because masters.csv is refused; put that right first" in said
    assert "Firm C: gone.csv: REFUSE" in said
    assert "no such file" in said
    assert "Firm C: spend.csv: PASS" in said
    assert done.stderr == "crm-analysis: 3 of 5 tables are refused\n"
    told = crm("report", "small")
    assert told.returncode == 2
    assert "masters.csv" in told.stderr
    assert "gone.csv" in told.stderr


def test_check_as_json_gives_every_verdict_back(project, crm):
    done = crm("check", "small", "--json")
    _, found = json.loads(done.stdout)
    assert (found.pop("firm"), found.pop("name"), found["status"]) == ("b", "transactions", "PASS")
    assert Verdict.from_dict(found).n_kept == 4
    (project / "data" / "orders.csv").unlink()
    done = crm("check", "small", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)[0]["status"] == "REFUSE"


def test_a_workspace_goes_before_a_file_of_its_name_and_neither_is_a_sentence(project, crm):
    (project / "small").mkdir()
    (project / "small" / "orders.csv").write_text("customer,date,amount\n1,2025-11-03,5\n")
    assert "orders.csv: PASS" in crm("check", "small").stdout
    done = crm("check", "nothing")
    assert done.returncode == 2
    assert "no data/nothing.toml or work/nothing.toml" in done.stderr
    assert f"no file, folder or glob nothing in {project}" in done.stderr
    done = crm("check", "data/nothing.toml")
    assert (done.returncode, "no file data/nothing.toml" in done.stderr) == (2, True)


def test_a_misspelt_key_is_named(project, crm):
    path = project / "data" / "small.toml"
    path.write_text(path.read_text().replace("currency", "curency"))
    done = crm("report", "small")
    assert done.returncode == 2
    assert "unknown key 'curency'" in done.stderr


def test_a_failed_run_ends_with_1_and_names_the_cell(project, crm):
    cells = [*SUMMARY[:2], "page.metric('profit', {}['nothing'])"]
    notebook(project / "notebooks" / "management_summary.ipynb", *cells, parameters=PARAMETERS)
    done = crm("report", "small")
    assert done.returncode == 1
    assert "management_summary: cell 'cell-3' failed: KeyError: 'nothing'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "reports" / "small").exists()


def test_check_prints_the_verdicts(project, crm):
    done = crm("check", "small")
    assert done.returncode == 0
    assert "Firm B: orders.csv: PASS; " in done.stdout
    assert "4 rows read, 4 kept" in done.stdout


def test_strict_ends_with_1_on_a_flag(project, crm):
    orders = project / "data" / "orders.csv"
    orders.write_text((orders.read_text() + "003,2025-12-24,7.00\n").replace(",", ";"))
    done = crm("check", "small")
    assert (done.returncode, "FLAG" in done.stdout) == (0, True)
    for command in ("check", "report"):
        done = crm(command, "small", "--strict")
        assert done.returncode == 1
        assert done.stderr.endswith("crm-analysis: the data came with a FLAG, and --strict was given\n")
    index = (project / "reports" / "small" / "2025-12" / "index.html").read_text()
    assert '<strong class="badge">FLAG</strong>' in index
    assert "1 of 5 rows (20.0%)" in index
    assert "(9.4% of revenue)" in index
    assert "How the data were read" in index
    assert "orders.csv: delimiter &#39;;&#39;" in index


# Signals --------------------------------------------------------------------------------------------------


def kernels_of(parent):
    """Processes whose parent is `parent` and that run a kernel, as Linux lists them."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            line = (status.parent / "cmdline").read_text()
        except OSError:
            continue
        if int(fields[1]) == parent and "ipykernel" in line:
            found.append(int(status.parent.name))
    return found


def alive(pid):
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_at_once_and_leaves_nothing_behind(project, number):
    good = project / "reports" / "runs" / "good"
    good.mkdir(parents=True)
    (good / "index.html").write_text("good")
    (project / "reports" / "small").mkdir()
    (project / "reports" / "small" / "2025-12").symlink_to("../runs/good")
    notebook(project / "notebooks" / "management_summary.ipynb", *SLEEPING, parameters=PARAMETERS)

    running = subprocess.Popen(
        [*COMMAND, "report", "small"], cwd=project, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not (kernels := kernels_of(running.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    assert kernels
    sent = time.monotonic()
    os.kill(running.pid, number)
    _, said = running.communicate(timeout=10)
    assert time.monotonic() - sent < 2
    assert running.returncode == 128 + number
    assert f"stopped by {number.name}" in said
    assert "Traceback" not in said
    time.sleep(0.2)
    assert not [pid for pid in kernels if alive(pid)]
    assert (project / "reports" / "small" / "2025-12" / "index.html").read_text() == "good"
    assert [p.name for p in (project / "reports" / "runs").iterdir()] == ["good"]


# Workspaces and notebooks of one's own --------------------------------------------------------------------


def confirmed(path):
    """The workspace with the lines of a confirmed proposal."""
    lines = path.read_text().splitlines()
    for key in ("currency", "timezone", "observed_from", "observed_until"):
        lines = [line.removeprefix("# ") if line.startswith(f"# {key} =") else line for line in lines]
    path.write_text("\n".join(lines))


@pytest.mark.parametrize(
    "arguments", [("init", "mine", "data/orders.csv"), ("check", "data/orders.csv", "--name", "mine")]
)
def test_a_proposal_becomes_a_workspace_when_confirmed_and_not_before(project, crm, arguments):
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    done = crm(*arguments)
    path = project / "work" / "mine.toml"
    assert done.returncode == 0
    assert str(path) in done.stdout
    assert {path: path.read_bytes() for path in before} == before
    assert {p for p in project.rglob("*") if p.is_file()} == {*before, path}
    assert tomllib.loads(path.read_text())["firms"]["a"]["transactions"]["columns"] == {
        "customer_id": "customer",
        "occurred_at": "date",
        "amount": "amount",
    }
    with pytest.raises(ConfigError, match=r"'currency' is missing.*observed_until' is missing"):
        read_workspace(path)
    confirmed(path)
    settings = read_workspace(path)
    assert settings.firms["a"].observed_until.isoformat() == "2025-12-24"
    assert crm("check", "mine").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code"), [(("init", "mine", "data/orders.csv"), 2), (("check", "mine.csv"), 0)]
)
def test_a_workspace_that_is_there_is_not_overwritten(project, crm, arguments, code):
    (project / "work").mkdir()
    (project / "work" / "mine.toml").write_text("mine")
    (project / "mine.csv").write_text("customer,date,amount\n1,2025-11-03,5\n")
    # The file first: the workspace of its name goes before "mine" alone, not before "mine.csv".
    done = crm(*arguments)
    assert done.returncode == code
    assert "is there already; it is not overwritten" in done.stderr + done.stdout
    assert (project / "work" / "mine.toml").read_text() == "mine"


def test_check_of_a_file_prints_what_it_would_read(project, crm):
    done = crm("check", "data/orders.csv")
    assert done.returncode == 0
    assert done.stdout.startswith("orders.csv: 4 rows, taken for purchases (transactions)")
    assert "  occurred_at    'date': named like the time of an entry; " in done.stdout
    assert "crm-analysis check orders\n" in done.stdout


def test_check_of_a_file_that_the_doors_refuse_says_their_sentence(project, crm):
    (project / "empty.csv").write_text("")
    done = crm("check", "empty.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("crm-analysis: empty.csv: the file is empty")
    assert not (project / "work").exists()


def test_options_of_a_file_are_used_and_written(project, crm):
    (project / "chinese.csv").write_bytes("客户编号,日期,金额\n甲,2025-11-03,5\n".encode("gb18030"))
    done = crm("check", "chinese.csv", "-o", "encoding=gb18030")
    assert "'客户编号'" in done.stdout
    proposed = tomllib.loads((project / "work" / "chinese.toml").read_text())
    assert proposed["firms"]["a"]["transactions"]["encoding"] == "gb18030"
    assert "no option sheets" in crm("check", "chinese.csv", "-o", "sheets=1").stderr
    assert "for a file" in crm("check", "small", "-o", "sheet=1").stderr
    assert "for a workspace" in crm("check", "chinese.csv", "--strict").stderr


def test_init_takes_deals_too(project, crm):
    (project / "deals.csv").write_text(
        "opportunity_id,stage,entered_at\n1,Lead,2025-01-01\n1,Won,2025-01-02\n2,Lead,2025-01-03\n"
    )
    assert crm("init", "mine", "data/orders.csv", "deals.csv").returncode == 0
    firm = tomllib.loads((project / "work" / "mine.toml").read_text())["firms"]["a"]
    assert firm["pipeline"]["source"] == str(project / "deals.csv")


def test_terminal_escapes_in_a_file_do_not_reach_the_terminal(project, crm):
    (project / "bad.csv").write_text("customer,date,amount,\x1b[31mred\n\x1b]0;x\x07,2025-11-03,5,1\n")
    done = crm("check", "bad.csv")
    assert "\x1b" not in done.stdout + done.stderr
    text = (project / "work" / "bad.toml").read_text()
    assert "\x1b" not in text
    orders = project / "data" / "orders.csv"
    orders.write_text(orders.read_text() + "\x1b[2J,soon\x1b[2J,5\n")
    for command in ("check", "report"):
        done = crm(command, "small")
        assert done.returncode == 2
        assert "\x1b" not in done.stdout + done.stderr


def test_explore_copies_a_notebook_with_its_parameters_and_keeps_what_is_there(project, crm):
    asked = ["explore", "rfm_segmentation", "--workspace", "small", "--period", "2025-11", "--firm", "b"]
    done = crm(*asked, "--no-open")
    copy = project / "work" / "rfm_segmentation_b_2025-11.ipynb"
    assert (done.returncode, done.stdout) == (0, f"{copy}\n")
    cells = {cell.id: cell for cell in nbformat.read(copy, as_version=4).cells}
    assert list(cells)[:3] == ["title", "parameters", "injected-parameters"]
    assert cells["injected-parameters"].source == "workspace = 'small'\nperiod = '2025-11'\nfirm = 'b'"
    copy.write_text("{}")
    assert crm(*asked, "--no-open").returncode == 0
    assert copy.read_text() == "{}"


def test_pages_may_name_notebooks_in_work(project, crm):
    done = crm("explore", "management_summary", "--workspace", "small", "--no-open")
    name = Path(done.stdout.strip()).stem
    done = crm("report", "small", "--page", name)
    assert done.returncode == 0
    record = json.loads((project / "reports" / "small" / f"2025-12-{name}" / "record.json").read_text())
    assert list(record["pages"]) == [name]
