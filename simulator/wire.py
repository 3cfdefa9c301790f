"""What the daemon's half and the cluster's process say to each other: one message a line, one answer to each."""

import contextlib
import json
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any

from idleq.ids import AllocationId
from idleq.scheduler.codec import decode_plain
from idleq.scheduler.core.commands import ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.inputs import Input
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.plain import to_plain

LONGEST_LINE = 64 * 1024 * 1024
"""A peer that sends more without an end of line is not one of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """Tell what is new; *life* is the cluster's life that was last heard of, *taken* the last news taken of it."""

    life: str
    taken: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End every allocation and leave."""


Call = RequestAllocation | ReleaseAllocation | Poll | Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """It is so, and stays so through a crash of the cluster's process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """It cannot be done; *transient* if trying again may help."""

    reason: str
    transient: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What has happened.

    Attributes:
        life: of the cluster's process; another one than asked for means that all is told from the beginning.
        last: the number of the last of *inputs*.
        inputs: what the engine is to hear, each as its kind and its body.
        allocations: all that exist now, waiting or granted.
    """

    life: str
    last: int
    inputs: tuple[tuple[str, Any], ...]
    allocations: tuple[AllocationId, ...]


Answer = Done | Refusal | News


def pack(message: Call | Answer) -> bytes:
    """Return *message* as a line."""
    return json.dumps({"kind": type(message).__name__, "body": to_plain(message)}).encode() + b"\n"


def unpack(line: bytes, family: UnionType) -> Any:  # noqa: ANN401 - a union as a value has no static type
    """Return the message of *family* that *line* holds; raise BadMessage if it holds none."""
    try:
        plain = json.loads(line)
        kind, body = str(plain["kind"]), plain["body"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadMessage(f"this line is no message: {error}") from error
    return decode_plain(kind, body, family)


def packed_input(said: Input) -> tuple[str, Any]:
    """Return *said* as a part of News."""
    return type(said).__name__, to_plain(said)


def unpacked_input(kind: str, body: object) -> Input:
    """Return what `packed_input` packed; raise BadMessage if it is no input."""
    said: Input = decode_plain(kind, body, Input)
    return said


@contextlib.contextmanager
def short_name(path: Path) -> Iterator[str]:
    """Give *path* a name that is short enough for a socket (108 bytes), however deep its folder lies."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def exchange(path: Path, call: Call, timeout_s: float) -> Answer:
    """Send *call* to the cluster that listens at *path* and return its answer.

    Raises:
        OSError: nobody listens, or no answer came in time.
        BadMessage: the answer is none.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer, short_name(path) as name:
        peer.settimeout(timeout_s)
        peer.connect(name)
        peer.sendall(pack(call))
        with peer.makefile("rb") as stream:
            line = stream.readline(LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise ConnectionError("the cluster's process went away in the middle of its answer")
    answer: Answer = unpack(line, Answer)
    return answer


def process_at(path: Path) -> int | None:
    """Return the process that listens at *path*, None if none does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        try:
            with short_name(path) as name:
                peer.connect(name)
        except OSError:
            return None
        pid, _, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
        return int(pid)
