"""A running job as its own code sees it: restore, report, and at every step boundary maybe save, maybe leave."""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from idleq.workloads import durable
from idleq.workloads.checkpoint import Checkpoint, CheckpointStore
from idleq.workloads.contract import Places, Segment, SegmentFile, StopFlag, append_line
from idleq.workloads.errors import CannotSave, CheckpointRefused
from idleq.workloads.messages import say

PROGRESS_FILE = "progress.jsonl"

# The segment file is looked at this often: the contract wants at least once a second of work.
SEGMENT_SECONDS = 0.5

Parts = Callable[[], Mapping[str, bytes]]


class Guest:
    """One job under the contract (or a plain run): *kind* and *identity* say which results its state can lead to."""

    def __init__(
        self, *, places: Places, kind: str, identity: Mapping[str, Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.output = places.output
        self._places = places
        self._kind = kind
        self._identity = dict(identity)
        self._clock = clock
        self._store = CheckpointStore(places.checkpoints)
        self._segment_file = SegmentFile(places.control / "segment.json" if places.control else None)
        self._stop = StopFlag()
        self._segment = Segment()
        self._segment_read_at = self._saved_at = clock()

    def __enter__(self) -> Self:
        with durable.explained("results", self.output):
            self.output.mkdir(parents=True, exist_ok=True)
        self._read_segment(self._clock())
        # Under idleq SIGTERM means what it says: the agent asks for a freeze by the freeze signal.
        if self._is_plain:
            self._stop.listen_to_people()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.__exit__(kind, error, trace)

    @property
    def should_stop(self) -> bool:
        """Whether somebody has asked to save and leave."""
        return self._stop.is_set

    @property
    def _is_plain(self) -> bool:
        """Nobody but a person watches this run, outside idleq."""
        return self._places.control is None

    def restore(self) -> Checkpoint | None:
        """The state to go on from, or None at the beginning; `progress.jsonl` is put back to what it was then."""
        checkpoint = self._store.load()
        if checkpoint is not None:
            self._check_owner(checkpoint)
            if self._is_plain:
                say(f"going on from step {checkpoint.step}, saved in {self._places.checkpoints}")
        progress = checkpoint.parts[PROGRESS_FILE] if checkpoint else b""
        path = self.output / PROGRESS_FILE
        if not path.exists() or path.read_bytes() != progress:
            with durable.explained("progress", path):
                durable.replace_file(path, progress)
        return checkpoint

    def report(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        """Append one line of progress: no times and nothing about segments, so that a move leaves no trace."""
        path = self.output / PROGRESS_FILE
        with durable.explained("progress", path):
            append_line(path, {"step": step, "total": total, "metrics": dict(sorted(metrics.items()))})

    def may_go_on(self, step: int, parts: Parts) -> bool:
        """At a step boundary: save where that is asked for or due; False = saved, leave now with `EXIT_SAVED`."""
        now = self._clock()
        if now - self._segment_read_at >= SEGMENT_SECONDS:
            self._read_segment(now)
        if self._stop.is_set:
            self._save(step, parts)
            if self._is_plain:
                say(f"saved at step {step} in {self._places.checkpoints}; the same command goes on from there")
            return False
        every = self._segment.save_every_ms
        if every is not None and (now - self._saved_at) * 1000 >= every:
            self._save_as_insurance(step, parts)
        return True

    def finish(self) -> None:
        """The results are complete: a plain run's checkpoints have served their purpose."""
        if self._places.control is None and self._places.checkpoints.parent == self.output:
            shutil.rmtree(self._places.checkpoints, ignore_errors=True)

    def _save_as_insurance(self, step: int, parts: Parts) -> None:
        try:
            self._save(step, parts)
        except CannotSave as error:
            # Nobody waits for this one, and leaving now would lose more than going on.
            say(f"{error} -- going on without this checkpoint")
            self._saved_at = self._clock()

    def _save(self, step: int, parts: Parts) -> None:
        started = self._clock()
        path = self.output / PROGRESS_FILE
        state = {**parts(), PROGRESS_FILE: path.read_bytes() if path.exists() else b""}
        checkpoint = Checkpoint(kind=self._kind, step=step, identity=self._identity, parts=state)
        written = self._store.save(checkpoint)
        self._saved_at = self._clock()
        if self._places.control is not None:
            seconds = round(self._saved_at - started, 6)
            self._tell_saved(self._places.control / "saved.jsonl", {"step": step, "seconds": seconds, "bytes": written})

    def _tell_saved(self, path: Path, line: Mapping[str, Any]) -> None:
        try:
            append_line(path, line)
        except OSError as error:
            # The checkpoint itself is safe: the agent finds it without this line.
            say(f"cannot write {path}: {error.strerror}")

    def _read_segment(self, now: float) -> None:
        self._segment = self._segment_file.current()
        self._segment_read_at = now
        self._stop.listen_for(self._segment.signal)

    def _check_owner(self, checkpoint: Checkpoint) -> None:
        advice = f"remove {self._places.checkpoints} to start from the beginning"
        if checkpoint.kind != self._kind:
            raise CheckpointRefused(f"the checkpoint is of a '{checkpoint.kind}' job, this is '{self._kind}'; {advice}")
        for key in sorted({*self._identity, *checkpoint.identity}):
            was, wanted = checkpoint.identity.get(key), self._identity.get(key)
            if was != wanted:
                raise CheckpointRefused(
                    f"the checkpoint was made with {key} = {json.dumps(was)}, this job has {json.dumps(wanted)};"
                    f" give the same options, or {advice}"
                )
        require_parts(checkpoint, (PROGRESS_FILE,))


def require_parts(checkpoint: Checkpoint, names: tuple[str, ...]) -> None:
    """Every part in *names* is there: a state with a part left out is never continued from."""
    missing = [name for name in names if name not in checkpoint.parts]
    if missing:
        raise CheckpointRefused(
            f"the checkpoint at step {checkpoint.step} lacks {', '.join(missing)}; it cannot be continued exactly"
        )
