"""The kernels of one run: known while they run, so that all of them can be ended at once."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from typing import Any

from crm_analysis.errors import ReportError

# One thread each, since two notebooks run side by side, and sums come out in the same order every time.
STEADY = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


class Kernels:
    """Starts kernels and remembers them."""

    def __init__(self) -> None:
        self._started: list[Any] = []
        self._stopped = False
        self._lock = threading.Lock()

    def manager_class(self, environment: Mapping[str, str]) -> type:
        """Kernel manager for nbclient; its kernels get `environment` added to this process's own."""
        from jupyter_client.manager import AsyncKernelManager

        # Without bytecode every kernel would compile the package again.
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        whole = inherited | STEADY | dict(environment)
        kernels = self

        class Manager(AsyncKernelManager):
            async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
                # Under the lock there is no moment in which a kernel runs and is not known.
                with kernels._lock:
                    kernels._refuse_when_stopped()
                    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                    await super().start_kernel(**options, **quiet, env=dict(whole))
                    kernels._started.append(self)

        return Manager

    def _refuse_when_stopped(self) -> None:
        if self._stopped:
            raise ReportError("the run was stopped")

    def stop(self) -> None:
        """End every kernel, with whatever it started, and start no other."""
        with self._lock:
            self._stopped = True
            for manager in self._started:
                _end(manager)


def _end(manager: Any) -> None:
    """Kill a kernel, which leads its own process group, and its children; remove its connection file."""
    process = getattr(manager.provisioner, "process", None)
    # A kernel that has ended is no kernel left behind; its number may be another process's by now.
    if process is not None and process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
    manager.cleanup_connection_file()
