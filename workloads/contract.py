"""The guest's half of the workload contract: where things are, what this segment allows, when to stop.

Facts that shape this module: the environment is constant for the life of the process, even across a transparent
thaw, so everything that changes per segment is read again from `$IDLEQ_CONTROL/segment.json`; and a signal handler
may do nothing but set a flag, because it can run between any two bytecodes of a training step.
"""

import json
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from idleq.workloads.errors import BadOption
from idleq.workloads.messages import say

EXIT_DONE = 0
EXIT_SAVED = 85

SEGMENT_FORMAT = 1
DEFAULT_SIGNAL = "SIGUSR1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a job reads and writes; *control* is None in a plain run, outside idleq."""

    checkpoints: Path
    output: Path
    control: Path | None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], output: str | None) -> Self:
        """The folders that idleq names, or a plain run's: everything below *output*."""
        place = environ.get("IDLEQ_OUTPUT_DIR") or output
        if not place:
            raise BadOption("no place for the results: give --output DIR (idleq gives it as IDLEQ_OUTPUT_DIR)")
        control = environ.get("IDLEQ_CONTROL")
        return cls(
            checkpoints=Path(environ.get("IDLEQ_CHECKPOINT_DIR") or Path(place) / ".checkpoints"),
            output=Path(place),
            control=Path(control) if control else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What the agent says about the present segment; times are Unix milliseconds, None = unknown."""

    number: int = 0
    freeze_at: int | None = None
    ends_at: int | None = None
    save_every_ms: int | None = None
    signal: str = DEFAULT_SIGNAL
    cores: int | None = None
    memory: int | None = None
    gpus: int = 0


def parse_segment(text: str) -> Segment:
    """The segment in *text*; ValueError says what is wrong with it."""
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("not an object")
    if values.get("format") != SEGMENT_FORMAT:
        raise ValueError(f"format {values.get('format')!r} is not {SEGMENT_FORMAT}")
    name = values.get("signal", DEFAULT_SIGNAL)
    if name not in signal.Signals.__members__:
        raise ValueError(f"unknown signal {name!r}")
    return Segment(
        number=_whole(values, "segment") or 0,
        freeze_at=_whole(values, "freeze_at"),
        ends_at=_whole(values, "ends_at"),
        save_every_ms=_whole(values, "save_every_ms"),
        signal=name,
        cores=_whole(values, "cores"),
        memory=_whole(values, "memory"),
        gpus=_whole(values, "gpus") or 0,
    )


def _whole(values: Mapping[str, Any], key: str) -> int | None:
    value = values.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise ValueError(f"{key} must be a whole number or null, not {value!r}")


@dataclass(slots=True)
class SegmentFile:
    """`segment.json`, read again whenever the agent has replaced it."""

    path: Path | None
    tell: Callable[[str], None] = say
    _seen: tuple[int, int] | None = None
    _segment: Segment = field(default_factory=Segment)

    def current(self) -> Segment:
        """The newest readable segment; the last one stays in force while the file is missing or unreadable."""
        if self.path is None:
            return self._segment
        try:
            status = self.path.stat()
            version = (status.st_mtime_ns, status.st_ino)
            if version == self._seen:
                return self._segment
            self._seen = version
            self._segment = parse_segment(self.path.read_text())
        except FileNotFoundError:
            return self._segment
        except (OSError, ValueError) as error:
            self.tell(f"cannot read {self.path}: {error}; going on with what was known before")
        return self._segment


class StopFlag:
    """Set by the freeze signal, in a plain run by what asks a process to end, too; the handlers that were there before are put back at the end."""

    def __init__(self) -> None:
        self.is_set = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._previous.clear()

    def listen_for(self, name: str) -> None:
        """From here on the signal *name* sets the flag, too: a segment may bring another signal."""
        number = signal.Signals[name]
        if number not in self._previous:
            self._previous[number] = signal.signal(number, self._set)

    def listen_to_people(self) -> None:
        """From here on SIGTERM and Ctrl-C set the flag, too; those that whoever started the process has ignored stay so."""
        for number, handler in ((signal.SIGTERM, self._set), (signal.SIGINT, self._interrupt)):
            if number not in self._previous and signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, handler)

    def _set(self, _number: int, _frame: FrameType | None) -> None:
        self.is_set = True

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        # Who presses it once more does not want to wait for the step.
        if self.is_set:
            raise KeyboardInterrupt
        self.is_set = True


def append_line(path: Path, values: Mapping[str, Any]) -> None:
    """Append one JSON line, so that a reader never sees half of one."""
    append_whole(path, (json.dumps(values, sort_keys=False, allow_nan=False) + "\n").encode())


def append_whole(path: Path, record: bytes) -> None:
    """Append *record* with a single write; what the disk does not take of it at once follows."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        written = os.write(descriptor, record)
        while written < len(record):
            written += os.write(descriptor, record[written:])
    finally:
        os.close(descriptor)
