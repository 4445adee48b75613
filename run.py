"""Report, test and lab from a bare checkout: `python run.py report` installs what is missing, then runs.

Needs Python 3.11 or later and a package index, nothing else. The Makefile calls this file, so that both
ways in are one.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
BIN = "Scripts" if os.name == "nt" else "bin"
ENVIRONMENT = ROOT / ".venv"
TOOLS = ENVIRONMENT / BIN
UV = "uv>=0.9,<1"

LAB = ["jupyter", "lab", "--ServerApp.ip=127.0.0.1", "--LabApp.default_url=/lab/tree/notebooks"]
CHECKS = [
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy"],
    # Two processes, each file in one of them; the cells of a notebook need their order.
    ["pytest", "-n2", "--dist=loadfile", "--nbval", "--nbval-cell-timeout=120", "tests", "notebooks"],
]
COMMANDS = {
    "report": lambda rest: [["crm-analysis", "report", *(rest or ["data/demo.toml"])]],
    "test": lambda rest: [["pytest", *rest]] if rest else CHECKS,
    "lab": lambda rest: [[*LAB, *rest]],
    "refresh": lambda rest: [["python", "-m", "crm_analysis.report.refresh", *rest]],
    "install": lambda rest: [],
}


def main(arguments: list[str]) -> int:
    """Install what is missing, run one command of `COMMANDS`; returns its exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the bare checkout may meet any Python
        return refuse(f"Python {sys.version.split()[0]} is too old: run this file with Python 3.11 or later")
    if not arguments or arguments[0] not in COMMANDS:
        return refuse(f"say one of: {', '.join(f'python run.py {name}' for name in COMMANDS)}")
    install()
    return run(COMMANDS[arguments[0]](arguments[1:]))


def install() -> None:
    """Bring `.venv` to the state of `uv.lock`; instant when it is there already."""
    stamp = ENVIRONMENT / "installed"
    wanted = hashlib.sha256(
        b"".join((ROOT / f).read_bytes() for f in ("pyproject.toml", "uv.lock"))
    ).hexdigest()
    if stamp.is_file() and stamp.read_text() == f"{wanted} {ROOT}":
        return
    print("Installing the packages of uv.lock into .venv ...", flush=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")}
    # Kernels start seconds faster with compiled bytecode, also where Python is told not to write it.
    environment |= {"UV_COMPILE_BYTECODE": "1", "UV_PYTHON": sys.executable}
    done = subprocess.run([find_uv(), "sync", "--locked", "--quiet"], cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise SystemExit(refuse("the packages could not be installed; uv says why above"))
    subprocess.run([TOOLS / "python", "-m", "compileall", "-q", ROOT / "crm_analysis"], check=False)
    stamp.write_text(wanted)


def find_uv() -> str:
    """Path of uv: the one on PATH, else one in a folder of its own, `.venv-uv`."""
    if found := shutil.which("uv"):
        return found
    folder = ROOT / ".venv-uv"
    uv = folder / BIN / ("uv.exe" if os.name == "nt" else "uv")
    if not uv.is_file():
        if subprocess.run([sys.executable, "-m", "venv", folder], check=False).returncode:
            raise SystemExit(
                refuse("Python's venv module is missing; on Debian: apt-get install python3-venv")
            )
        pip = [folder / BIN / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV]
        if subprocess.run(pip, check=False).returncode:
            raise SystemExit(refuse("uv could not be installed; pip says why above"))
    return str(uv)


def run(commands: list[list[str]]) -> int:
    """Run the commands from the project's folder, until one fails."""
    os.chdir(ROOT)
    os.environ["PATH"] = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    os.environ["VIRTUAL_ENV"] = str(ENVIRONMENT)
    for command in commands:
        if command is commands[-1] and os.name != "nt":
            sys.stdout.flush()
            os.execvp(command[0], command)  # signals reach the command itself
        if code := subprocess.run(command, check=False).returncode:
            return code
    return 0


def refuse(sentence: str) -> int:
    """Say why nothing was done."""
    print(f"run.py: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
