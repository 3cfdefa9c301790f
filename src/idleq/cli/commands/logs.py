"""`idleq logs`: what a job printed, through all its segments, read from the server directory itself."""

import codecs
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.commands.jobs import JobArgument, named
from idleq.cli.errors import NoOutput
from idleq.cli.options import session_of
from idleq.cli.result import Result
from idleq.ids import Fence, JobId
from idleq.scheduler.errors import DaemonAway

if TYPE_CHECKING:
    from idleq.cli.session import Session
    from idleq.scheduler.paths import JobPaths, ServerPaths

GLANCE_SECONDS = 0.25
LOOKS_PER_QUESTION = 8
"""The daemon is asked whether the job is over only now and then; the files tell the rest."""

CHUNK = 65_536


def logs(
    context: typer.Context,
    job: JobArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the job prints, until it is over.")] = False,
    segment: Annotated[int | None, typer.Option(min=1, help="Only this segment.")] = None,
    stderr: Annotated[bool, typer.Option("--stderr", help="What it printed as errors instead.")] = False,
) -> Result | None:
    """Show what a job printed, through all its segments."""
    session, name = session_of(context), named(job)
    if follow and session.wants_json:
        raise typer.BadParameter(
            "--follow has no end, and --json prints one value; leave out one of them", param_hint="--follow"
        )
    session.paths.check()
    tail = Tail(session.paths.job(name), "stderr" if stderr else "stdout", segment)
    if not follow:
        return shown(session, tail, name)
    is_empty = True
    for text in followed(session, tail, name):
        is_empty = is_empty and not text
        session.stdout.write(text)
        session.stdout.flush()
    if is_empty:
        raise nothing_printed(tail, name, is_over=True)
    return None


def shown(session: "Session", tail: "Tail", name: JobId) -> Result:
    """Return what there is by now; raise NoOutput if there is nothing to read."""
    found = {fence: file.read_text(encoding="utf-8", errors="replace") for fence, file in tail.files()}
    if not found:
        require_job(session, name)
        raise NoOutput(f"job {name} has no output: {tail.absence(name)}")
    if not any(found.values()):
        raise nothing_printed(tail, name, is_over=require_job(session, name))
    value = {"job": name, "segments": [{"segment": fence, tail.stream: text} for fence, text in found.items()]}
    return Result(value=value, text=("".join(found.values()).removesuffix("\n"),))


def nothing_printed(tail: "Tail", name: JobId, *, is_over: bool) -> NoOutput:
    """Return what to raise where a job's files are empty; where it printed errors, how to see them."""
    if tail.stream != "stderr" and any(file.stat().st_size for _, file in replace(tail, stream="stderr").files()):
        return NoOutput(f"job {name} printed errors only; `idleq logs --stderr {name}` shows them")
    what = "errors" if tail.stream == "stderr" else "output"
    return NoOutput(
        f"job {name} has no {what}: {'it is over and printed none' if is_over else 'it has printed none yet'}"
    )


def said_errors(paths: "ServerPaths", job: JobId) -> bool:
    """Whether the job has printed any errors."""
    return any(file.stat().st_size for file in paths.job(job).segments.glob("*/stderr"))


def require_job(session: "Session", name: JobId) -> bool:
    """Whether *name* is over, so far as the daemon can be asked; raise UnknownTarget if there is no such job."""
    try:
        return session.client().wait((name,), timeout_ms=0).is_over
    except DaemonAway:
        return False


def followed(session: "Session", tail: "Tail", name: JobId) -> Iterator[str]:
    """Yield what is printed, as it comes, until the job is over; without a daemon until somebody stops it."""
    is_over, looks = require_job(session, name), 0
    while True:
        yield from tail.read()
        if is_over:
            yield from tail.read()
            return
        time.sleep(GLANCE_SECONDS)
        looks += 1
        if looks % LOOKS_PER_QUESTION == 0:
            is_over = require_job(session, name)


@dataclass(slots=True)
class Tail:
    """Reads a job's output from where it stopped reading.

    Attributes:
        job: where the job's files are.
        stream: stdout or stderr.
        segment: the only segment to read, None for all.
    """

    job: "JobPaths"
    stream: str
    segment: int | None
    _read: dict[Fence, int] = field(default_factory=dict)
    _decoders: dict[Fence, codecs.IncrementalDecoder] = field(default_factory=dict)

    def files(self) -> list[tuple[Fence, Path]]:
        """The output of each segment that has begun to print, oldest first."""
        if not self.job.segments.is_dir():
            return []
        fences = sorted(Fence(int(path.name)) for path in self.job.segments.iterdir() if path.name.isdecimal())
        found = [
            (fence, getattr(self.job.segment(fence), self.stream)) for fence in fences if self.segment in {None, fence}
        ]
        return [(fence, file) for fence, file in found if file.is_file()]

    def absence(self, name: JobId) -> str:
        """Say why there is nothing to read."""
        if self.segment is not None:
            return f"there is no segment {self.segment}"
        tasks = sorted(int(path.name) for path in self.job.root.glob("*/") if path.name.isdecimal())
        if tasks:
            return f"it is an array; name one of its tasks, like {name}_{tasks[0]}"
        return f"it has not started yet (`idleq explain {name}` says where it is)"

    def read(self) -> Iterator[str]:
        """Yield what is new, segment by segment."""
        for fence, file in self.files():
            decoder = self._decoders.setdefault(fence, codecs.getincrementaldecoder("utf-8")("replace"))
            with file.open("rb") as opened:
                opened.seek(self._read.get(fence, 0))
                while data := opened.read(CHUNK):
                    self._read[fence] = self._read.get(fence, 0) + len(data)
                    yield decoder.decode(data)
