"""What the cluster's process remembers of its allocations through a crash: one record a line, appended.

A killed process loses nothing that it has handed to the kernel, and a machine that went down has no agents left to find:
so nothing here is fsynced.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from idleq.ids import AllocationId, Millis, NodeName
from idleq.scheduler.atomic import write_atomically
from idleq.scheduler.codec import decode_plain
from idleq.scheduler.core.commands import RequestAllocation
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.plain import to_plain
from idleq.simulator.errors import BadRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The allocation was granted; *until* is engine time."""

    allocation: AllocationId
    node: NodeName
    until: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStarted:
    """Its agent is this process, if the machine has not been started anew since."""

    allocation: AllocationId
    pid: int
    started: int
    machine_boot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """The allocation has ended."""

    allocation: AllocationId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldUp:
    """In the world that began at *world* a main job started so much later than the queue had decided."""

    world: Millis
    main_job: int
    waited_ms: Millis


Record = RequestAllocation | Begun | AgentStarted | Over | HeldUp


@dataclass(slots=True, kw_only=True)
class Life:
    """One allocation's records, put together."""

    request: RequestAllocation
    begun: Begun | None = None
    agent: AgentStarted | None = None
    over: Over | None = None


def lives(records: Iterable[Record], world: Millis) -> tuple[dict[AllocationId, Life], dict[int, Millis]]:
    """Return each allocation's life, in the order in which they were asked for, and what main jobs of *world* were held up."""
    found: dict[AllocationId, Life] = {}
    held_up: dict[int, Millis] = {}
    for record in records:
        match record:
            case RequestAllocation():
                found.setdefault(record.allocation, Life(request=record))
            case HeldUp() if record.world == world:
                held_up[record.main_job] = record.waited_ms
            case Begun() if record.allocation in found:
                found[record.allocation].begun = record
            case AgentStarted() if record.allocation in found:
                found[record.allocation].agent = record
            case Over() if record.allocation in found:
                found[record.allocation].over = record
            case _:
                # Of another world, or its request was dropped when the book was last cleared of old ones.
                pass
    return found, held_up


class Book:
    """The records in their file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @staticmethod
    def read(path: Path) -> list[Record]:
        """Return the records in *path*, without a last one that was cut short.

        Raises:
            BadRecords: a line before the last is no record.
        """
        try:
            *whole, _ = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        records: list[Record] = []
        for number, line in enumerate(whole, start=1):
            try:
                plain = json.loads(line)
                record: Record = decode_plain(plain["kind"], plain["body"], Record)
            except (ValueError, KeyError, TypeError, BadMessage) as error:
                raise BadRecords(f"{path}, line {number}, is no record ({error}): move the file away") from error
            records.append(record)
        return records

    @classmethod
    def rewrite(cls, path: Path, records: Iterable[Record]) -> "Book":
        """Replace all that *path* holds by *records*, and go on from there."""
        write_atomically(path, b"".join(_line(record) for record in records))
        return cls(path)

    def add(self, record: Record) -> None:
        """Write *record*.

        Raises:
            OSError: it is not written, nor is a part of it.
        """
        line = _line(record)
        size = os.fstat(self._descriptor).st_size
        try:
            written = os.write(self._descriptor, line)
            if written < len(line):
                raise OSError(28, "the disk is full")
        except OSError:
            os.ftruncate(self._descriptor, size)
            raise

    def close(self) -> None:
        """Write no more."""
        os.close(self._descriptor)


def _line(record: Record) -> bytes:
    return json.dumps({"kind": type(record).__name__, "body": to_plain(record)}).encode() + b"\n"
