"""Ctrl-C and SIGTERM end a run at once, whatever it is doing."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any, TypeVar

Result = TypeVar("Result")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_interruptibly(work: Callable[[ExitStack], Result]) -> Result:
    """Return `work(cleanup)`; on Ctrl-C or SIGTERM close `cleanup` and end the process at once.

    The work is done in a thread of its own: a signal is heard by the main thread only, and only between two
    steps of Python, which may be long when DuckDB is at work. The exit code is 128 plus the signal's number,
    as a shell has it.
    """
    cleanup = ExitStack()
    outcome: Future[Result] = Future()

    def stop(number: int, frame: Any) -> None:
        sys.stderr.write(f"stopped by {signal.Signals(number).name}; the last good report is in place\n")
        cleanup.close()
        sys.stderr.flush()
        os._exit(128 + number)

    def finish() -> None:
        try:
            outcome.set_result(work(cleanup))
        except BaseException as error:
            outcome.set_exception(error)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        threading.Thread(target=finish, daemon=True).start()
        return outcome.result()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
