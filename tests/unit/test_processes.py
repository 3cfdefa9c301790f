import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from idleq.ids import NodeName
from idleq.processes import (
    PAGE,
    PROC,
    Process,
    boot_id,
    is_gone,
    keeper,
    parse_stat,
    read_argv,
    read_descendants,
    read_process,
    read_variable,
    started,
)
from idleq.scheduler.agent.presence import Presence, is_alive
from idleq.scheduler.lock import Owner
from idleq.simulator.proc import living
from testbed.waiting import wait_for

FIRST_THREAD_ENDS = """
import ctypes, sys, threading
thread = threading.Thread(target=lambda: (print("up", flush=True), sys.stdin.read()))
thread.start()
ctypes.CDLL(None).pthread_exit(None)
"""


A_THREAD_BEGINS_ONE = """
import subprocess, sys, threading
def begin():
    asleep = "import time; time.sleep(600)"
    middle = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {asleep!r}])"
    subprocess.Popen([sys.executable, "-c", middle])
    print("up", flush=True)
    sys.stdin.read()
threading.Thread(target=begin).start()
"""


def stat_line(state: str = "S", threads: int = 1) -> bytes:
    fields = [state, "1", "17", "18", *["0"] * 13, str(threads), "0", "987", "1", "25"]
    return f"42 (a) b) (\n) {' '.join(fields)} 0 0".encode()


def test_a_stat_line_is_read_whatever_the_program_calls_itself() -> None:
    assert parse_stat(stat_line()) == Process(
        pid=42, parent=1, group=17, session=18, started=987, resident=25 * PAGE, is_zombie=False
    )


def test_a_zombie_is_one_only_when_no_thread_of_it_goes_on() -> None:
    assert parse_stat(stat_line("Z")).is_zombie
    assert not parse_stat(stat_line("Z", threads=2)).is_zombie


def test_our_own_line_is_readable() -> None:
    me = read_process(os.getpid())
    assert me is not None
    assert (me.pid, me.parent, me.session) == (os.getpid(), os.getppid(), os.getsid(0))
    assert me.resident > 0


def test_this_process_has_a_start_and_this_machine_a_boot() -> None:
    assert started(os.getpid()) is not None
    assert started(2**22 + 1) is None
    assert len(boot_id()) == 36


def test_a_variable_is_read_whole_and_one_that_is_not_there_is_none() -> None:
    environment = {**os.environ, "IDLEQ_A": "1=2", "IDLEQ_AB": "3"}
    with subprocess.Popen(
        ["sh", "-c", "echo up; read line"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = [read_variable(process.pid, name) for name in ("IDLEQ_A", "IDLEQ_AB", "IDLEQ_B")]
        process.kill()
    assert found == ["1=2", "3", None]


@pytest.fixture
def headless() -> Iterator[int]:
    """A process whose first thread has ended and whose second goes on."""
    with subprocess.Popen(
        [sys.executable, "-c", FIRST_THREAD_ENDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while b"State:\tZ" not in (PROC / str(process.pid) / "status").read_bytes():
            time.sleep(0.01)
        yield process.pid
        process.kill()


def test_a_process_whose_first_thread_has_ended_lives_for_everybody_who_looks(headless: int) -> None:
    began, me = started(headless), Owner.this_process()
    assert began is not None
    assert is_alive(Presence(headless, began, boot_id(), NodeName("n1")))
    assert Owner(pid=headless, host=me.host, boot=me.boot, started=began).is_alive_here()
    assert headless in living()


def test_a_process_that_only_waits_to_be_reaped_lives_for_nobody() -> None:
    process, me = subprocess.Popen(["true"]), Owner.this_process()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    found = read_process(process.pid)
    assert found is not None
    assert started(process.pid) is None
    assert not is_alive(Presence(process.pid, found.started, boot_id(), NodeName("n1")))
    assert not Owner(pid=process.pid, host=me.host, boot=me.boot, started=found.started).is_alive_here()
    assert process.pid not in living()
    process.wait()


def test_descendants_are_found_whichever_thread_has_begun_them() -> None:
    command = [sys.executable, "-c", A_THREAD_BEGINS_ONE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True) as root:
        try:
            family = wait_for("three generations", lambda: three_of(root.pid), seconds=30)
        finally:
            os.killpg(root.pid, signal.SIGKILL)

    eldest, middle, youngest = family
    assert (eldest.pid, middle.parent, youngest.parent) == (root.pid, eldest.pid, middle.pid)


def three_of(pid: int) -> list[Process]:
    found = read_descendants(pid)
    return found if len(found) == 3 else []


def test_of_a_process_that_is_gone_nobody_descends() -> None:
    assert read_descendants(2**22 + 1) == []


def test_the_words_of_a_process_are_as_it_was_started_with_them_and_none_of_one_that_is_gone() -> None:
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    argv = [sys.executable, "-I", "-c", code, "a b", ""]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # for an instant after its start the kernel knows no words of it
        assert read_argv(process.pid) == [sys.executable, "-I", "-c", code, "a b", ""]
    assert read_argv(process.pid) == []


def test_whoever_left_something_is_gone_only_if_that_is_certain() -> None:
    host, user, boot, numbering, pid, since = keeper().split()
    gone = str(2**22 + 1)
    assert not is_gone(keeper())
    assert is_gone(f"{host} {user} {boot} {numbering} {gone} {since}")
    assert is_gone(f"{host} {user} {boot} {numbering} {pid} {int(since) + 1}"), "the number is another process's now"
    assert is_gone(f"{host} {user} an-earlier-boot {numbering} {pid} {since}")
    assert not is_gone(f"{host} {int(user) + 1} {boot} {numbering} {gone} {since}"), "it is another user's"
    assert not is_gone(f"{host} {user} {boot} pid:[1] {gone} {since}"), "its numbers are not ours"
    assert not is_gone(f"another {user} {boot} {numbering} {gone} {since}"), "stores may be shared, and boots differ"
    assert not is_gone("<no value>")
    assert not is_gone("")
