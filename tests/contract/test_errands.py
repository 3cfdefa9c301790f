"""The programs that run beside guests, and who waits for whom."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from idleq.migration.errands import Errands

PATIENCE_SECONDS = 30


def test_a_start_that_hangs_keeps_nobody_else_waiting_and_what_it_starts_is_never_taken_for_an_orphan() -> None:
    errands, begun, go_on = Errands(), Event(), Event()

    def start() -> "subprocess.Popen[bytes]":
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        begun.set()
        go_on.wait(PATIENCE_SECONDS)
        return process

    with ThreadPoolExecutor(2) as beside:
        starting = beside.submit(errands.begin, start)
        begun.wait(PATIENCE_SECONDS)
        others = beside.submit(errands.others)
        try:
            assert others.result(PATIENCE_SECONDS / 2) == set()
        finally:
            go_on.set()
        process = starting.result()

    assert process.pid not in errands.others()
    process.communicate()


def test_a_start_that_fails_is_over() -> None:
    errands = Errands()

    with pytest.raises(FileNotFoundError):
        errands.begin(lambda: subprocess.Popen(["no-such-program-here"]))

    orphan = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert orphan.pid in errands.others()
    orphan.communicate()
