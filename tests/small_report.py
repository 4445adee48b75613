"""A small report for tests: a workspace of two firms and notebooks of a few cells."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

WORKSPACE = """
schema_version = 1
name = "Small"
language = "{language}"
currency = "CNY"
timezone = "Asia/Shanghai"
output = "../reports"

[firms.a]
name = "Firm <A>"
observed_from = 2022-01-01
observed_until = 2025-12-31
[firms.a.transactions]
source = "orders.csv"
columns = {{ customer_id = "customer", occurred_at = "date", amount = "amount" }}

[firms.b]
name = "Firm B"
observed_from = 2022-01-01
observed_until = 2025-12-31
[firms.b.transactions]
source = "orders.csv"
columns = {{ customer_id = "customer", occurred_at = "date", amount = "amount" }}

[decisions]
hold_back = 0.5
seed = 7

[report]
pages = {pages}
"""
ORDERS = """customer,date,amount
001,2025-11-03,10.50
002,2025-11-20,20.00
001,2025-12-05,30.25
003,2025-12-24,7.00
"""
OPEN = """
import types, pandas as pd, matplotlib.pyplot as plt
from crm_analysis.report import Page
from crm_analysis.workspace import read_workspace
ws = types.SimpleNamespace(settings=read_workspace(workspace))
"""


def notebook(path: Path, *cells: str, title: str = "# Which groups are there?", parameters: str) -> Path:
    """Write a notebook; a cell that begins with `#` or `##` and a space is prose."""
    made = [new_markdown_cell(title, id="title")]
    made.append(new_code_cell(parameters, metadata={"tags": ["parameters"]}, id="parameters"))
    for i, source in enumerate([OPEN, *cells]):
        prose = source.startswith(("# ", "## "))
        make = new_markdown_cell if prose else new_code_cell
        made.append(make(source.strip(), id=f"cell-{i}"))
    path.parent.mkdir(parents=True, exist_ok=True)
    # A kernel of the author's own, which nobody else has.
    metadata = {"kernelspec": {"name": "my-kernel", "display_name": "Mine"}}
    nbformat.write(new_notebook(cells=made, metadata=metadata), path)
    return path


FIRM_PAGE = [
    "page = Page('rfm_segmentation', workspace=ws, period=period, firm=firm)",
    "## Two sections",
    "page.text.content.setdefault(page.name, {})['headline'] = '{n} of {firm} <came> back in {period}.'",
    "page.metric('revenue', 1234.5 * times, unit='money', previous=1200)\npage.metrics_band()",
    "page.table(pd.DataFrame({'customer_id': ['001', '=2+3', '<b>'], 'total_amount': [1.5, 2, 3]}),"
    " name='groups', caption='Groups', rows=2)",
    "page.figure(plt.subplots(figsize=(4, 2))[1], name='curve', alt='A \"curve\"')",
    "page.decisions(pd.DataFrame({'customer_id': ['001', '=2+3', '<b>'], 'why': ['@x', 'y', 'z'],"
    " 'value_at_stake': [1.0, 2.0, 3.0]}), name='invest', caption='Invest')",
    "import sys; print('noise', file=sys.stderr)",
    "page.say('headline', n=3)\npage.close()",
]
SUMMARY = [
    "page = Page('management_summary', workspace=ws, period=period)",
    "page.text.content.setdefault('management_summary', {})['headline'] = 'Nothing moved.'",
    "page.metric('profit', 10.0, unit='money')",
    "page.say('headline')\npage.close()",
]
FIRM_PARAMETERS = 'workspace = "small"\nperiod = "2025-11"\nfirm = "a"\ntimes = 1.0'
PARAMETERS = 'workspace = "small"\nperiod = "2025-11"'


def small_report(folder: Path, *, pages: str = '["management_summary", "rfm_segmentation"]',
                 language: str = "en") -> Path:  # fmt: skip
    """Write workspace, data and notebooks under `folder`; returns the workspace's path."""
    data = folder / "data"
    data.mkdir()
    (data / "small.toml").write_text(WORKSPACE.format(pages=pages, language=language))
    (data / "orders.csv").write_text(ORDERS)
    notebook(folder / "notebooks" / "rfm_segmentation.ipynb", *FIRM_PAGE, parameters=FIRM_PARAMETERS)
    notebook(
        folder / "notebooks" / "management_summary.ipynb",
        *SUMMARY,
        title="# What happened?",
        parameters=PARAMETERS,
    )
    return data / "small.toml"
