import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from idleq.migration import goingon
from idleq.migration.goingon import wait_until_it_goes_on
from idleq.processes import read_doing
from testbed.waiting import wait_for

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, PTRACE_DETACH = 16, 17
SECONDS = 30
A_WHILE = 0.2


@pytest.fixture
def sleeper() -> Iterator[int]:
    with subprocess.Popen(["sleep", "600"]) as process:
        wait_for("its sleep", lambda: letter(process.pid) == "S", seconds=SECONDS)
        yield process.pid
        process.kill()


def letter(pid: int) -> str:
    doing = read_doing(pid)
    return doing.letter if doing else ""


def held(pid: int) -> None:
    assert LIBC.ptrace(PTRACE_ATTACH, pid, None, None) == 0
    os.waitpid(pid, os.WUNTRACED)


def test_what_is_held_as_criu_holds_it_is_waited_for_until_it_sleeps_in_its_call_again(sleeper: int) -> None:
    held(sleeper)
    with ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(wait_until_it_goes_on, sleeper)
        time.sleep(A_WHILE)
        was_over = waiting.done()
        LIBC.ptrace(PTRACE_DETACH, sleeper, None, None)
        waiting.result(SECONDS)

    assert not was_over
    assert letter(sleeper) == "S"


def test_what_is_never_let_go_is_left_to_itself_after_a_while(sleeper: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goingon, "GO_ON_SECONDS", A_WHILE)
    held(sleeper)

    wait_until_it_goes_on(sleeper)

    assert letter(sleeper) == "t"
    LIBC.ptrace(PTRACE_DETACH, sleeper, None, None)


def test_what_sleeps_or_computes_or_is_no_more_is_not_waited_for(sleeper: int) -> None:
    began = time.monotonic()
    wait_until_it_goes_on(sleeper)
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        wait_until_it_goes_on(busy.pid)
        busy.kill()
    wait_until_it_goes_on(busy.pid)

    assert time.monotonic() - began < goingon.GO_ON_SECONDS
