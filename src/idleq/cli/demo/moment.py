"""What the demo looks like at one instant, and what has changed since the one before."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from idleq.cli.views import progress_word, state_word
from idleq.scheduler.core.rows import JobRow, NodeRow

LOSSES = ("generator_loss", "discriminator_loss")
PROGRESS_FILE = "progress.jsonl"
TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One look at the daemon.

    Attributes:
        now: when.
        row: the job.
        nodes: every node.
        losses: the newest losses that the training told, by name.
    """

    now: int
    row: JobRow
    nodes: tuple[NodeRow, ...]
    losses: tuple[tuple[str, float], ...] = ()


def changes(before: Moment | None, after: Moment) -> Iterator[str]:
    """Yield a line for everything that a person would want to be told."""
    was, row = before.row if before else None, after.row
    state = state_word(row)
    if was is not None and (state, row.fence, row.node) == (state_word(was), was.fence, was.node):
        return
    match state:
        case "running":
            how = "thawed" if row.snapshots else "started"
            yield f"{how} on {row.node} (segment {row.fence}), at step {row.step}"
        case "frozen":
            yield f"frozen at step {row.step} ({progress_word(row)}); it waits for another gap"
        case "freezing":
            yield f"being frozen on {row.node}: {row.reason}"
        case "done" | "failed" | "cancelled":
            yield f"{state}" + (f": {row.reason}" if row.reason else "")
        case _:
            pass


def newest_losses(nodes: Path) -> tuple[tuple[str, float], ...]:
    """Return the last losses that a training on one of this machine's virtual nodes wrote; nothing if there are none."""
    # os.walk passes over folders that are removed while it looks, as a guest's are when it leaves; Path.rglob raises.
    paths = [Path(folder, PROGRESS_FILE) for folder, _, names in os.walk(nodes) if PROGRESS_FILE in names]
    files = [(found, path) for path in paths if (found := _mtime(path))]
    if not files:
        return ()
    try:
        with max(files)[1].open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
            lines = file.read().splitlines()
        metrics = json.loads(lines[-1])["metrics"]
        return tuple((name.removesuffix("_loss"), float(metrics[name])) for name in LOSSES if name in metrics)
    except (OSError, ValueError, KeyError, IndexError, TypeError):  # half written, or gone with its node
        return ()


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # its scratch was deleted meanwhile
        return 0.0
