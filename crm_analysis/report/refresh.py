"""Execute the notebooks in place, as they are committed: `python run.py refresh [NAME ...]`.

The notebooks in git hold their outputs, so that nbval can compare them. Nothing that changes from run to run
(times, versions of the kernel) is stored.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def refresh(path: Path) -> None:
    """Run `path` in its own folder with a fresh kernel and store the outputs in it."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


def main(names: list[str]) -> None:
    """Refresh the named notebooks, or all of them, the exercises' sources included."""
    folder = Path("notebooks")
    for path in sorted([*folder.glob("*.ipynb"), *folder.glob("exercises/source/*/*.ipynb")]):
        if not names or path.stem in names:
            refresh(path)
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
