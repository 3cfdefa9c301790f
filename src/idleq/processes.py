"""The processes of this machine as /proc shows them: the one place that knows what its files mean."""

import ctypes
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
PAGE = os.sysconf("SC_PAGE_SIZE")
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc/PID/stat, as far as we need it; *resident* in bytes, *started* in clock ticks since boot."""

    pid: int
    parent: int
    group: int
    session: int
    started: int
    resident: int
    is_zombie: bool


def parse_stat(line: bytes) -> Process:
    """Return the process that *line* describes; its name may hold spaces, brackets and newlines."""
    head, _, rest = line.rpartition(b")")
    fields = rest.split()
    return Process(
        pid=int(head.split(maxsplit=1)[0]),
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        started=int(fields[19]),
        resident=int(fields[21]) * PAGE,
        # A process whose first thread alone has ended looks like a zombie, and goes on.
        is_zombie=fields[0] in {b"Z", b"X"} and int(fields[17]) <= 1,
    )


def read_process(pid: int) -> Process | None:
    """Return the process, a zombie too; None if there is none of that number that we may see."""
    try:
        return parse_stat((PROC / str(pid) / "stat").read_bytes())
    except OSError:
        return None


def read_processes() -> dict[int, Process]:
    """Return every process there is, zombies too."""
    found = (read_process(int(name)) for name in os.listdir(PROC) if name.isdigit())  # noqa: PTH208 - names only, and quick
    return {process.pid: process for process in found if process is not None}


def started(pid: int) -> int | None:
    """Return when *pid* started, in clock ticks since boot; None if it lives no more."""
    process = read_process(pid)
    return None if process is None or process.is_zombie else process.started


def boot_id() -> str:
    """Return what names this machine's present boot."""
    return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


MOST_DIGITS = 10
"""Of the number of a process."""


def keeper() -> str:
    """Return what names this very process, for whoever finds later what it has left (see `is_gone`)."""
    return f"{os.uname().nodename} {os.getuid()} {boot_id()} {_numbering()} {os.getpid()} {started(os.getpid())}"


def is_gone(other: str) -> bool:
    """Whether it is certain that what `keeper` said is about a process of this user on this machine that lives no more."""
    match other.split():
        case [host, user, boot, numbering, pid, since] if (host, user) == (os.uname().nodename, str(os.getuid())):
            if boot != boot_id():
                return True
            is_number = pid.isdecimal() and len(pid) <= MOST_DIGITS
            return numbering == _numbering() and is_number and str(started(int(pid))) != since
        case _:
            return False


def _numbering() -> str:
    """Return which numbering of processes ours is: a number of another one says nothing here."""
    return str((PROC / "self/ns/pid").readlink())


def read_program(pid: int) -> str:
    """Return the name of the program file that *pid* runs; empty if it lives no more or is not ours to look at."""
    try:
        return (PROC / str(pid) / "exe").readlink().name
    except OSError:
        return ""


def read_argv(pid: int) -> list[str]:
    """Return the words that *pid* was started with; none if it lives no more or is not ours to look at."""
    try:
        text = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in text.split(b"\0")[:-1]]


def children_of(pid: int) -> set[int]:
    """Return the children of the first thread of *pid*, which has one thread."""
    try:
        return set(map(int, (PROC / f"{pid}/task/{pid}/children").read_bytes().split()))
    except OSError:
        return set()


def read_descendants(pid: int) -> list[Process]:
    """Return *pid* and all that descends from it; of a family in which somebody is just ending, the kernel may leave out some."""
    found: list[Process] = []
    waiting = [pid]
    while waiting:
        if (process := read_process(waiting.pop())) is not None:
            found.append(process)
            waiting += _children_of_threads(process.pid)
    return found


def _children_of_threads(pid: int) -> Iterator[int]:
    try:
        for thread in os.listdir(f"{PROC}/{pid}/task"):  # noqa: PTH208 - names only, and quick
            yield from map(int, Path(f"{PROC}/{pid}/task/{thread}/children").read_bytes().split())
    except OSError:
        return


def caught_signals(pid: int) -> int:
    """Return the signals that *pid* has handlers for, as a bit mask (signal 1 is bit 0)."""
    try:
        lines = (PROC / str(pid) / "status").read_bytes().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1], 16) for line in lines if line.startswith(b"SigCgt:")), 0)


def read_children() -> set[int]:
    """Return the children of this process, those that it adopted and those that wait to be reaped included.

    They are its first thread's: only that one starts any, and the kernel gives orphans to it. The list is exact as long
    as nobody reaps in the meantime.
    """
    me = os.getpid()
    return set(map(int, (PROC / f"{me}/task/{me}/children").read_bytes().split()))


class Doing(NamedTuple):
    """What the first thread of a process does, by the kernel's letter (R: it runs or waits for a core), and for how many clock ticks it has run."""

    letter: str
    ticks: int


def read_doing(pid: int) -> Doing | None:
    """Return what *pid* does; None if there is none of that number that we may see."""
    try:
        fields = (PROC / f"{pid}/task/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return Doing(fields[0].decode(), int(fields[11]) + int(fields[12]))


def read_variables(pid: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the variables of a process's first environment, names and values; none if it is not ours to look at."""
    try:
        environment = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return
    for entry in environment.split(b"\0"):
        name, _, value = entry.partition(b"=")
        yield name, value


def read_variable(pid: int, name: str) -> str | None:
    """Return the variable *name* of a process's first environment; None if it has none or is not ours to look at."""
    wanted = os.fsencode(name)
    return next((os.fsdecode(value) for known, value in read_variables(pid) if known == wanted), None)


def resident_share(pids: Iterable[int]) -> int:
    """Return the bytes that *pids* hold in memory, pages that several of them share counted once."""
    return sum(map(_proportional, pids))


def adopt_orphans() -> None:
    """Make every process below this one that loses its parent a child of this one.

    Raises:
        OSError: this kernel does not do that.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"this kernel lets no process adopt orphans: {os.strerror(error)}")


def _proportional(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_bytes().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:")), 0)
