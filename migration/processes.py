"""The processes of this machine, from /proc, and which of them belong together."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PAGE = os.sysconf("SC_PAGE_SIZE")


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
    """Return the process, None if there is none of that number."""
    try:
        return parse_stat((PROC / str(pid) / "stat").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return None


def read_processes() -> dict[int, Process]:
    """Return every process there is."""
    found = (read_process(int(name)) for name in os.listdir(PROC) if name.isdigit())  # noqa: PTH208 - names only, and quick
    return {process.pid: process for process in found if process is not None}


def read_children() -> set[int]:
    """Return the children of this process, those that it adopted and those that wait to be reaped included.

    They are its first thread's: only that one starts any, and the kernel gives orphans to it. The list is exact as long
    as nobody reaps in the meantime.
    """
    me = os.getpid()
    return set(map(int, Path(f"/proc/{me}/task/{me}/children").read_bytes().split()))


def read_variable(pid: int, name: str) -> str | None:
    """Return the variable *name* of a process's first environment; None if it has none or is not ours to look at."""
    try:
        environment = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    prefix = os.fsencode(name) + b"="
    return next(
        (os.fsdecode(entry[len(prefix) :]) for entry in environment.split(b"\0") if entry.startswith(prefix)), None
    )


def resident_share(pids: Iterable[int]) -> int:
    """Return the bytes that *pids* hold in memory, pages that several of them share counted once."""
    return sum(map(_proportional, pids))


def owners(processes: Mapping[int, Process], roots: Mapping[int, str]) -> dict[int, str]:
    """Return whom each process belongs to: the root in whose session or group it is, or that it descends from."""
    found: dict[int, str] = {}
    for pid in processes:
        path: list[int] = []
        owner = None
        while owner is None and pid in processes and pid not in path:
            path.append(pid)
            process = processes[pid]
            owner = roots.get(pid) or roots.get(process.session) or roots.get(process.group) or found.get(pid)
            pid = process.parent  # noqa: PLW2901 - the walk up the tree starts at each process
        if owner is not None:
            found.update(dict.fromkeys(path, owner))
    return found


def _proportional(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_bytes().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:")), 0)
