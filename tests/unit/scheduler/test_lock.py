import dataclasses
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from idleq.ids import Millis
from idleq.scheduler import codec
from idleq.scheduler.errors import DaemonRunning, Superseded
from idleq.scheduler.lock import Owner, Pulse, hold, holder, last_held

HOLDER = """
import sys
from pathlib import Path
from idleq.scheduler.lock import Owner, hold
with hold(Path(sys.argv[1]), Owner.this_process()):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def us() -> Owner:
    return Owner.this_process()


@contextmanager
def another_process(path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    argv = [sys.executable, "-c", HOLDER, str(path)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.communicate(timeout=30)


def test_while_one_process_holds_it_another_is_refused_and_told_who_it_is(path: Path, us: Owner) -> None:
    with another_process(path) as process:
        with (
            pytest.raises(DaemonRunning, match=f"on {us.host} .process {process.pid}. serves .*`idleq daemon stop`"),
            hold(path, us),
        ):
            pytest.fail("it was given to two")
        found = holder(path)
        assert found is not None
        assert (found.pid, found.is_alive_here()) == (process.pid, True)
    with hold(path, us):
        assert holder(path) == us
    assert holder(path) is None


def test_who_was_killed_holds_it_no_longer(path: Path, us: Owner) -> None:
    with another_process(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert path.read_bytes() != b""
        assert holder(path) is None
        with hold(path, us):
            assert holder(path) == us


def test_it_is_let_go_of_after_an_error_too(path: Path, us: Owner) -> None:
    with pytest.raises(RuntimeError, match="boom"), hold(path, us):
        raise RuntimeError("boom")
    assert (holder(path), path.read_bytes()) == (None, b"")


@contextmanager
def on_another_host(path: Path, us: Owner, *, beats: bool) -> Iterator[Owner]:
    """A holder on login7, whose locks are not seen here; it may beat."""
    other, is_over = dataclasses.replace(us, host="login7", pid=4711), threading.Event()
    path.write_bytes(codec.to_json(other).ljust(512))

    def beat() -> None:
        number = 0
        while beats and not is_over.wait(0.002):
            number += 1
            with path.open("r+b") as file:
                file.write(codec.to_json(dataclasses.replace(other, beat=number)).ljust(512))

    thread = threading.Thread(target=beat)
    thread.start()
    yield other
    is_over.set()
    thread.join()


def test_a_holder_on_another_host_counts_as_long_as_it_gives_a_sign_of_life(path: Path, us: Owner) -> None:
    with on_another_host(path, us, beats=True) as other:
        with (
            pytest.raises(DaemonRunning, match=r"daemon on login7 .process 4711. serves .* stop it there with"),
            hold(path, us, patience_ms=Millis(30_000)),
        ):
            pytest.fail("it was given to two")
        assert holder(path) == other


def test_a_silent_holder_on_another_host_is_replaced_and_learns_it_when_it_wakes(path: Path, us: Owner) -> None:
    with on_another_host(path, us, beats=False) as other, path.open("r+b") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)  # a file system with locks of all hosts: they outlive a host that hangs
        old = Pulse(path, theirs.fileno(), other, every_ms=1)
        lost = threading.Event()
        old.tell(lost.set)
        with hold(path, us, patience_ms=Millis(60)):
            assert holder(path) == us
            old.start()
            assert lost.wait(30)
            assert old.is_lost
            with pytest.raises(Superseded, match=f"on {us.host} has taken .* over"):
                old.check()
            assert holder(path) == us, "its beat goes nowhere"
            with pytest.raises(DaemonRunning), hold(path, us):
                pytest.fail("it was given to two")
        old.stop()
    assert holder(path) is None
    assert sorted(path.parent.iterdir()) == [path]


def test_a_holder_on_another_host_that_lets_go_is_followed_at_once(path: Path, us: Owner) -> None:
    with on_another_host(path, us, beats=False), path.open("r+b") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        threading.Timer(0.05, lambda: theirs.truncate(0)).start()
        with hold(path, us, patience_ms=Millis(300_000)):
            assert holder(path) == us


def test_it_beats_as_long_as_it_is_held(path: Path, us: Owner) -> None:
    with hold(path, us, patience_ms=Millis(6)) as pulse:
        seen = {codec.from_json(path.read_bytes(), Owner).beat}
        while len(seen) < 3:
            seen.add(codec.from_json(path.read_bytes(), Owner).beat)
            pulse.check()
        assert not pulse.is_lost


def test_half_a_record_hides_no_lock(path: Path, us: Owner) -> None:
    path.write_bytes(b'{"pid": 47')
    assert holder(path) is None
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DaemonRunning, match=r"^a process serves"), hold(path, us):
            pytest.fail("it was given to two")


def test_nobody_holds_a_lock_that_is_not_there(path: Path) -> None:
    assert holder(path) is None
    assert not path.exists()


def test_a_pid_that_came_round_again_is_another_process(us: Owner) -> None:
    assert us.is_alive_here()
    assert not dataclasses.replace(us, started=us.started - 1).is_alive_here()
    assert not dataclasses.replace(us, boot="another boot").is_alive_here()
    assert not dataclasses.replace(us, host="login7").is_alive_here()
    assert not dataclasses.replace(us, pid=2**22 + 1).is_alive_here()


def test_only_we_can_read_who_holds_it_and_no_program_we_start_keeps_it(path: Path, us: Owner) -> None:
    with hold(path, us):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
        assert path.stat().st_mode & 0o777 == 0o600
    assert holder(path) is None
    with hold(path, us):
        assert os.getpid() == us.pid
    child.communicate(b"\n", timeout=30)


def test_when_it_was_last_held_is_known_afterwards(path: Path, us: Owner) -> None:
    assert last_held(path) is None
    with hold(path, us):
        pass
    os.utime(path, (0, 1_767_607_200))
    assert last_held(path) == 1_767_607_200_000
    with hold(path, us):
        assert last_held(path) != 1_767_607_200_000
