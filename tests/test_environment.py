"""`pyproject.toml` and `uv.lock` are the truth; `environment.yml` and the README follow them."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = tomllib.loads((ROOT / "uv.lock").read_text())


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0].lower()


def conda_pins() -> dict[str, str]:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    return dict(re.sub(r"\[.*?\]", "", pin).lower().split("==") for pin in pip if "==" in pin)


def test_conda_users_get_every_direct_dependency_and_no_other():
    wanted = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    assert set(conda_pins()) == {name_of(requirement) for requirement in wanted}


def test_conda_users_get_the_locked_versions():
    locked: dict[str, set[str]] = {}
    for package in LOCK["package"]:
        locked.setdefault(package["name"], set()).add(package.get("version", ""))
    wrong = {name: pin for name, pin in conda_pins().items() if pin not in locked[name]}
    assert not wrong


def test_the_lock_names_no_private_index():
    sources = {package["source"].get("registry") for package in LOCK["package"]} - {None}
    assert len(sources) == 1
    assert "simple" in sources.pop()


def test_the_packages_the_project_promises_are_dependencies():
    wanted = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    promised = {
        "jupyterlab",
        "pandas",
        "scikit-learn",
        "matplotlib",
        "seaborn",
        "lifetimes",
        "papermill",
        "nbval",
    }
    assert set(promised) <= {name_of(requirement) for requirement in wanted}
