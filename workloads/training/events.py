"""The metrics for TensorBoard: one event file, which follows from the reports of `progress.jsonl` and from nothing else.

Not by torch's SummaryWriter: it names its files after time, host and process and stamps every value with the time, so
that a moved training would leave other files than one that was not; and it writes from a thread of its own, so that
what is on the disk at a freeze would be chance. Here the file is written whole from the history when a segment begins,
then one record for each report is appended with a single write: no step is there twice, and none is missing.
"""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from idleq.workloads import durable
from idleq.workloads.contract import append_whole
from idleq.workloads.messages import say

EVENT_FILE = "tensorboard/events.out.tfevents.0.training"

# What every event file begins with.
_VERSION = "brain.Event:2"


class Events(Protocol):
    """Where the loop hands its reports."""

    def add(self, step: int, metrics: Mapping[str, float]) -> None: ...


class NoEvents:
    """TensorBoard's package is not installed: the metrics are in `progress.jsonl` alone."""

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        pass


class EventFile:
    """One file at *path*, of the *reports* so far and of those to come."""

    def __init__(self, path: Path, reports: Iterable[Mapping[str, float]]) -> None:
        self._path = path
        content = _record(file_version=_VERSION) + b"".join(
            _report(int(report["step"]), {name: value for name, value in report.items() if name != "step"})
            for report in reports
        )
        with durable.explained("the metrics", path):
            path.parent.mkdir(exist_ok=True)
            durable.remove_leftovers(path.parent)  # TensorBoard would read them too
            if not path.exists() or path.read_bytes() != content:
                durable.replace_file(path, content)

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Append one report."""
        with durable.explained("the metrics", self._path):
            append_whole(self._path, _report(step, metrics))


def events_in(output: Path, reports: Iterable[Mapping[str, float]]) -> Events:
    """The event file below *output*, put to what *reports* say; none at all where TensorBoard is not installed."""
    path = output / EVENT_FILE
    try:
        return EventFile(path, reports)
    except ImportError as error:
        # What another node wrote would stop in the middle.
        path.unlink(missing_ok=True)
        say(f"no event file for TensorBoard ({error}); pip install 'idleq[tensorboard]' where one is wanted")
        return NoEvents()


def _report(step: int, metrics: Mapping[str, float]) -> bytes:
    from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue] # made at import

    values = [Summary.Value(tag=name, simple_value=value) for name, value in sorted(metrics.items())]
    return _record(step=step, summary=Summary(value=values))


def _record(**fields: Any) -> bytes:  # noqa: ANN401 - protobuf's own
    """One event as it stands in the file; its time stays zero, so that a move leaves no trace."""
    from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue] # made at import
    from tensorboard.summary.writer.record_writer import RecordWriter

    buffer = io.BytesIO()
    RecordWriter(buffer).write(Event(**fields).SerializeToString())
    return buffer.getvalue()
