"""Freezes and thaws plain process trees by criu."""

import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from idleq.migration import criu, enclosure
from idleq.migration.enclosure import LEADER, RESTORED
from idleq.migration.errands import Done, Errands
from idleq.migration.errors import FreezeFailed, ThawFailed
from idleq.migration.goingon import wait_until_it_goes_on
from idleq.migration.patience import BEGIN_SECONDS, FREEZE_SECONDS, thaw_seconds
from idleq.migration.ports import INSIDE, FrozenState, Order
from idleq.processes import children_of, read_argv, read_descendants, read_processes, started

OUTPUTS = "idleq.json"
"""Where what was frozen had written to, and what its clocks said, beside criu's images."""

TERMINALS = ("/dev/pts/", "/dev/ptmx", "/dev/tty")
"""Begin the names of what criu gives back to root alone, and finds that out at the thaw."""

ROOM_BYTES = 8192
"""More than that needs: written over, it needs no more of the disk."""

GLANCE_SECONDS = 0.01
"""Between two looks at one that has just been started."""

SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where criu lies; not everybody's PATH has them."""


def find_criu(path: str | None = None) -> str | None:
    """Return criu's place on this machine, None if it has none; *path* is searched first."""
    searched = os.environ.get("PATH", os.defpath) if path is None else path
    return shutil.which("criu", path=os.pathsep.join((searched, *SYSTEM_FOLDERS)))


def enclosed_argv(
    order: Order,
    restore: list[str] | None = None,
    patience: float = 0,
    clocks: Mapping[str, float] | None = None,
    answer: int | None = None,
) -> list[str]:
    """Return what starts *order* in namespaces of its own, or lets it go on there by *restore*."""
    spec = enclosure.spec_text(
        parent=os.getpid(),
        argv=list(order.argv),
        folder=str(order.folder),
        mounts=[(str(mount.source), str(mount.target), mount.is_writable) for mount in order.mounts],
        restore=restore or [],
        patience=patience,
        clocks=clocks,
        answer=answer,
    )
    return _by_python(spec)


def _by_python(*words: str) -> list[str]:
    return [sys.executable, "-I", "-S", enclosure.__file__, *words]


def why_not() -> str:
    """Return why no namespaces can be made here by who asks; empty if they can. It is tried."""
    shown = [(str(Path(enclosure.__file__).parent), str(INSIDE / "tried"), False)]
    ends = enclosure.spec_text(parent=os.getpid(), argv=["true"], folder="/", mounts=shown)
    try:
        ran = subprocess.run(
            _by_python(ends),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BEGIN_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if ran.returncode == 0:
        return ""
    said = ran.stderr.strip().splitlines() or [f"it ended with {ran.returncode}"]
    return said[-1].removeprefix("idleq: ")


def whose_here() -> list[int]:
    """Return what processes of ours are, which criu cannot change for an ordinary user: user, group, and groups as they look inside."""
    user, group = os.geteuid(), os.getegid()
    return [user] if enclosure.is_root() else [user, group, *(one if one == group else -1 for one in os.getgroups())]


def clocks_of(first: int) -> dict[str, float]:
    """Return what the clocks of a guest whose first process is *first* say now, by their names; none where the kernel has one clock for all.

    Raises:
        OSError: it has ended.
    """
    if not enclosure.OFFSETS.exists():
        return {}
    files = (enclosure.OFFSETS, Path(f"/proc/{first}/timens_offsets"))
    here, inside = (enclosure.offsets_in(path.read_text(encoding="ascii")) for path in files)
    return {name: time.clock_gettime(clock) - here[name] + inside[name] for name, clock in enclosure.CLOCKS.items()}


def leader_of(outer: int) -> int | None:
    """Return the number here of the guest's leader, whose outer process is *outer*; None if it has none (yet)."""
    first = first_of(outer)
    if first is None:
        return None
    # The kernel's list of children may lack some while others end; all processes are looked through only then.
    children = children_of(first)
    leader = next((pid for pid in children if _inner_number(pid) == LEADER), None)
    if leader is None:
        everybody = read_processes().values()
        descent = (process.pid for process in everybody if process.parent == first and process.pid not in children)
        leader = next((pid for pid in descent if _inner_number(pid) == LEADER), None)
    return leader


def first_of(outer: int) -> int | None:
    """Return the number here of the first process inside, the only child of *outer*."""
    return next(iter(children_of(outer)), None)


def freeze(errands: Errands, order: Order, outer: int, into: Path) -> FrozenState:
    """Dump the guest of *outer*; when this returns, its processes are dead or dying.

    Raises:
        FreezeFailed: it goes on; *is_broken* says that nobody knows how.
    """
    program = find_criu()
    if program is None:
        raise FreezeFailed("there is no criu on this node")
    first = _begun(outer)
    if not enclosure.is_root() and (terminal := _terminal_in(first)):
        raise FreezeFailed(f"it has {terminal} open, a terminal, which criu gives back to root alone")
    try:
        clocks, begun = clocks_of(first), time.monotonic()
        _write_down(order, clocks, into)
        dump = criu.dump_argv(program, into, is_root=enclosure.is_root())
        ran = errands.run(_by_python(enclosure.ENTER, str(first), *dump), seconds=FREEZE_SECONDS)
    except OSError as error:
        raise FreezeFailed(f"it cannot be frozen into {into}: {error.strerror}") from error
    if ran.code != 0:
        why = _why(ran, into / criu.DUMP_LOG)
        _see_it_go_on(outer)
        raise FreezeFailed(f"criu: {why}", is_broken=ran.code < 0, may_pass=ran.code > 0 and criu.may_pass(why))
    (into / criu.DUMP_LOG).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # a disk that is full by now: its clocks step back then, by what the freeze took
        _write_down(order, {name: clock + time.monotonic() - begun for name, clock in clocks.items()}, into)
    size = sum(path.stat().st_size for path in into.iterdir())
    return FrozenState(bytes=size, stopped_ms=criu.stopped_ms(ran.stdout + ran.stderr))


def _terminal_in(first: int) -> str:
    """Return the terminal that a process inside has open, empty if none has."""
    for process in read_descendants(first):
        files = f"/proc/{process.pid}/fd"
        with contextlib.suppress(OSError):  # it has just ended, or is not to be looked into: criu will say so
            opened = [os.readlink(f"{files}/{name}") for name in os.listdir(files)]  # noqa: PTH115, PTH208 - names only
            if found := next((name for name in opened if name.startswith(TERMINALS)), ""):
                return found
    return ""


def _write_down(order: Order, clocks: Mapping[str, float], into: Path) -> None:
    """Write what a thaw needs besides criu's images, over what may be there, so that it is never less than that."""
    text = json.dumps(
        {"stdout": str(order.stdout), "stderr": str(order.stderr), "clocks": dict(clocks), "whose": whose_here()}
    )
    with os.fdopen(os.open(into / OUTPUTS, os.O_WRONLY | os.O_CREAT, 0o600), "w") as written:
        written.write(text.ljust(ROOM_BYTES))


def _begun(outer: int) -> int:
    """Return the first process inside as soon as its guest's program runs.

    Raises:
        FreezeFailed: it has ended, or does not begin.
    """
    give_up = time.monotonic() + BEGIN_SECONDS
    while time.monotonic() < give_up:
        if started(outer) is None:
            raise FreezeFailed("it has ended")
        first, leader = first_of(outer), leader_of(outer)
        # Until it has become the guest's program, the leader is a copy of the processes around it.
        if first is not None and leader is not None and read_argv(leader) not in ([], read_argv(outer)):
            return first
        time.sleep(GLANCE_SECONDS)
    raise FreezeFailed(f"it had not begun {BEGIN_SECONDS:g} s after it was to be frozen")


def thaw(order: Order, images: Path, start: Callable[[list[str], int], "subprocess.Popen[bytes]"]) -> None:
    """Let what is in *images* go on by *start*, which is given a command and an open file to pass on, and gives the outer process.

    Raises:
        ThawFailed: nothing of it runs. The outer process, if there was one, has ended, and is not waited for yet.
    """
    program = find_criu()
    if program is None:
        raise ThawFailed("there is no criu on this node")
    try:
        had = json.loads((images / OUTPUTS).read_text())
        restore = criu.restore_argv(program, images, had["stdout"], had["stderr"], is_root=enclosure.is_root())
        # What an earlier version has frozen does not tell of clocks and users.
        clocks = {name: float(clock) for name, clock in had.get("clocks", {}).items() if name in enclosure.CLOCKS}
        whose = had.get("whose", whose_here())
        patience = thaw_seconds(sum(path.stat().st_size for path in images.iterdir()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ThawFailed(f"what was frozen is not whole: {error}") from error
    if whose != whose_here():
        # Criu would wait for ever for what cannot change its user or groups.
        raise ThawFailed("the groups of its user are others here than where it was frozen, or its user is")
    answers, told = os.pipe()
    try:
        outer = start(enclosed_argv(order, restore, patience, clocks, told), told)
    finally:
        os.close(told)
    with os.fdopen(answers, "rb") as reading:
        answer = reading.read().decode(errors="replace")
    if answer != RESTORED:
        # The first process's end is the end of all inside; then the outer one ends by itself.
        with contextlib.suppress(ProcessLookupError):
            os.kill(first_of(outer.pid) or outer.pid, signal.SIGKILL)
        os.waitid(os.P_PID, outer.pid, os.WEXITED | os.WNOWAIT)
        raise ThawFailed(f"criu: {_why(Done(1, answer, ''), images / criu.RESTORE_LOG)}")
    _see_it_go_on(outer.pid)


def _see_it_go_on(outer: int) -> None:
    if (leader := leader_of(outer)) is not None:
        wait_until_it_goes_on(leader)


def _why(ran: Done, log: Path) -> str:
    try:
        text = log.read_text(errors="replace")
    except OSError:
        text = ""
    said = (ran.stderr or ran.stdout).strip().splitlines()
    return criu.reason(text, said[-1] if said else _full(log.parent) or f"it ended with {ran.code}")


def _full(folder: Path) -> str:
    """Say so if *folder*'s disk is full: criu cannot write down then what it has failed of."""
    try:
        return "" if os.statvfs(folder).f_bavail else os.strerror(errno.ENOSPC)
    except OSError:
        return ""


def _inner_number(pid: int) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[-1]) for line in lines if line.startswith("NSpid:")), None)
