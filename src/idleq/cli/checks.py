"""What `idleq doctor` looks at: each check says what it found, and what to do where that is not well."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from idleq.cli.session import Session
from idleq.cli.wording import size, span
from idleq.errors import IdleqError
from idleq.scheduler.errors import DaemonAway

OLDEST_PYTHON = (3, 11)
LITTLE_DISK = 2**30
"""A few snapshots of a training fit; less is soon full."""

TOO_LITTLE_DISK = 100 * 2**20
LARGEST_SKEW_MS = 2_000
"""Deadlines are kept to the second; a file server whose clock is further off hints at a machine without NTP."""

TRAINING = ("torch", "ctapipe", "matplotlib")


class Health(StrEnum):
    """How a check came out."""

    OK = "ok"
    #: It is of no use here, and nothing needs it.
    UNUSED = "unused"
    #: It works, but not as well as it could, or not everything does.
    WARNING = "warning"
    #: idleq will not work here before this is put right.
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at; *lines* are what the site's admin would write into Slurm's configuration, or type."""

    name: str
    health: Health
    found: str
    advice: str = ""
    lines: tuple[str, ...] = ()


def all_checks(session: Session, *, is_on_node: bool = False) -> Iterator[Check]:
    """Look at everything, one thing after the other; nothing is changed. From a node (*is_on_node*) the daemon need not be reached."""
    yield python(sys.version_info[:3], sys.executable)
    yield kernel(os.uname().sysname, os.uname().release)
    yield server_directory(session)
    yield disk(_existing(session.paths.root), lambda path: shutil.disk_usage(path).free)
    yield clock(session, _existing(session.paths.root))
    if not is_on_node:
        yield daemon(session)
    yield from freezing()
    yield training(lambda name: find_spec(name) is not None)


def python(version: tuple[int, ...], executable: str) -> Check:
    """Whether this Python is new enough."""
    found, wanted = ".".join(map(str, version)), ".".join(map(str, OLDEST_PYTHON))
    if version < OLDEST_PYTHON:
        advice = f"install Python {wanted} or newer and idleq with it"
        return Check(name="python", health=Health.PROBLEM, found=f"{found} at {executable}", advice=advice)
    return Check(name="python", health=Health.OK, found=f"{found} at {executable}")


def kernel(system: str, release: str) -> Check:
    """Whether this is Linux."""
    if system != "Linux":
        return Check(
            name="kernel", health=Health.PROBLEM, found=f"{system} {release}", advice="idleq runs on Linux only"
        )
    return Check(name="kernel", health=Health.OK, found=f"{system} {release}")


def server_directory(session: Session) -> Check:
    """Whether the server directory is ours alone."""
    root = session.paths.root
    try:
        session.paths.check()
    except IdleqError as error:
        found, _, advice = str(error).rpartition("; ")
        return Check(name="server directory", health=Health.PROBLEM, found=found, advice=advice)
    found = str(root) if root.exists() else f"{root}, not there yet: the daemon makes it"
    return Check(name="server directory", health=Health.OK, found=found)


def disk(place: Path, free_at: Callable[[Path], int]) -> Check:
    """Whether snapshots fit on the server directory's disk."""
    free = free_at(place)
    health = Health.PROBLEM if free < TOO_LITTLE_DISK else Health.WARNING if free < LITTLE_DISK else Health.OK
    advice = "" if health is Health.OK else "make room there, or set IDLEQ_SERVER_DIR to a larger disk"
    return Check(name="disk", health=health, found=f"{size(free)} free at {place}", advice=advice)


def clock(session: Session, place: Path) -> Check:
    """Whether this machine and the server directory's file system agree on the time."""
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".idleq-clock-") as file:
            file.write(b"?")
            file.flush()
            skew = session.now() - Path(file.name).stat().st_mtime_ns // 1_000_000
    except OSError as error:
        advice = "make it writable, or set IDLEQ_SERVER_DIR to another place"
        return Check(
            name="clock", health=Health.PROBLEM, found=f"{place} cannot be written: {error.strerror}", advice=advice
        )
    if abs(skew) > LARGEST_SKEW_MS:
        found = f"this machine is {span(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the file system of {place}"
        advice = "let both keep their time by NTP; freezes are timed by the node's clock"
        return Check(name="clock", health=Health.WARNING, found=found, advice=advice)
    return Check(name="clock", health=Health.OK, found="this machine and the file system agree")


def daemon(session: Session) -> Check:
    """Whether a daemon answers."""
    try:
        answer = session.client().status()
    except DaemonAway:
        return Check(name="daemon", health=Health.WARNING, found="none answers", advice="type: idleq daemon start")
    except IdleqError as error:
        return Check(
            name="daemon", health=Health.PROBLEM, found=str(error), advice="see daemon.log in the server directory"
        )
    if answer.summary.is_paused:
        return Check(name="daemon", health=Health.WARNING, found="paused", advice="type: idleq resume")
    return Check(name="daemon", health=Health.OK, found=f"process {answer.pid} answers")


def freezing() -> Iterator[Check]:
    """What migration can do here; what is not there yet is no problem."""
    from idleq.migration.capabilities import probe

    for one in probe():
        yield Check(name=f"freezing: {one.name}", health=Health.OK if one.works else Health.UNUSED, found=one.detail)


def training(has: Callable[[str], bool]) -> Check:
    """Whether the named training jobs can run."""
    missing = [name for name in TRAINING if not has(name)]
    if missing:
        found, advice = (
            f"{', '.join(missing)} missing: train-cgan and the demo cannot run",
            "pip install 'idleq[train]'",
        )
        return Check(name="training", health=Health.WARNING, found=found, advice=advice)
    return Check(name="training", health=Health.OK, found=f"{', '.join(TRAINING)} are installed")


def _existing(path: Path) -> Path:
    """The directory itself, or the nearest one above it that is there."""
    return next(place for place in (path, *path.parents) if place.is_dir())
