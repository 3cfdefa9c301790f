"""Runs one benchmark as a process of its own, and sees to it that neither processes nor folders of it stay behind."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil

HERE = Path(__file__).parent
CLEANING_SECONDS = 30.0
"""How long a benchmark that is stopped may take to end its daemons by itself."""

ROUNDS = 10
"""What is killed may have begun something in the meantime; what cannot be killed at all holds nobody up for ever."""

PR_SET_CHILD_SUBREAPER = 36


class BenchmarkFailed(Exception):
    """The benchmark gave no rows."""


def rows_of(name: str, limit_seconds: float) -> str:
    """Run benchmark *name* and return its rows as JSON.

    It is not in our session, so that Ctrl-C reaches us only, and we let it clean up before we go.

    Raises:
        BenchmarkFailed: with the last line that it said.
    """
    with tempfile.TemporaryDirectory(prefix="idleq-bench-", ignore_cleanup_errors=True) as folder:
        file, said = Path(folder) / "rows.json", Path(folder) / "said"
        argv = [sys.executable, "-m", "bench.one", name, str(file)]
        with said.open("w") as errors, _nothing_left():
            process = subprocess.Popen(
                argv, cwd=HERE.parent, stderr=errors, env=os.environ | {"TMPDIR": folder}, start_new_session=True
            )
            try:
                code = process.wait(limit_seconds)
            except subprocess.TimeoutExpired:
                raise BenchmarkFailed(f"took longer than {limit_seconds:.0f} s") from None
            finally:
                _end(process)
        if code:
            lines = said.read_text(errors="replace").strip().splitlines()
            raise BenchmarkFailed(lines[-1] if lines else f"ended with code {code}")
        return file.read_text()


def leave_on_signals() -> None:
    """From here on SIGTERM and SIGHUP end this process as Ctrl-C does: by way of every `finally`."""

    def leave(number: int, _frame: FrameType | None) -> None:
        for again in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(again, signal.SIG_IGN)  # a second one would break off the cleaning up
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, leave)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(CLEANING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _nothing_left() -> Iterator[None]:
    """Adopt every process that is orphaned meanwhile, and kill those that are left at the end."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become the parent of orphans")
    try:
        yield
    finally:
        for _ in range(ROUNDS):
            left = psutil.Process().children(recursive=True)
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(left, timeout=1)
            if not left:
                break
