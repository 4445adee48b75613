"""The page of two firms, run in this process: what it hands over for a workspace."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import nbformat
import pandas as pd

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "funnel_comparison.ipynb"


@dataclass(frozen=True)
class Handed:
    """Folder of a page, and its metrics.json."""

    folder: Path
    record: dict

    @property
    def sentences(self) -> dict[str, str]:
        return {said["key"]: said["text"] for said in self.record["sentences"]}

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.folder / "tables" / f"{name}.csv")

    @property
    def tables(self) -> list[str]:
        return [table["name"] for table in self.record["tables"]]

    @property
    def words(self) -> list[str]:
        """Every sentence, caption and alternative text."""
        kinds = (("sentences", "text"), ("tables", "caption"), ("figures", "alt"))
        return [given[word] for kind, word in kinds for given in self.record[kind]]


def run_page(workspace: Path, folder: Path, **parameters: object) -> Handed:
    """Run every code cell of the notebook with other parameters; pages go to `folder`."""
    cells = [c for c in nbformat.read(NOTEBOOK, as_version=4).cells if c.cell_type == "code"]
    space: dict[str, object] = {}
    with patch.dict("os.environ", {"CRM_PAGE_FOLDER": str(folder)}), patch("IPython.display.display"):
        for cell in cells:
            exec(compile(cell.source, cell.id, "exec"), space)
            if "parameters" in cell.metadata.get("tags", []):
                space |= {"workspace": str(workspace)} | parameters
    (metrics,) = folder.rglob("metrics.json")
    return Handed(metrics.parent, json.loads(metrics.read_text()))


def demo_workspace(folder: Path, *, language: str = "en", without: tuple[str, ...] = ()) -> Path:
    """The sample workspace in a folder of its own, in a language, without some mapped columns or tables."""
    lines = (ROOT / "data" / "demo.toml").read_text().splitlines()
    kept, skipping = [], False
    for line in lines:
        if line.startswith("["):
            skipping = any(line.endswith(f".{table}]") for table in without)
        if not skipping:
            for name in without:
                line = line.replace(f', {name} = "{name}"', "")
            kept.append(line)
    text = "\n".join(kept).replace('"firm_', f'"{(ROOT / "data").as_posix()}/firm_')
    path = folder / "demo.toml"
    path.write_text(text.replace('language = "en"', f'language = "{language}"'))
    return path
