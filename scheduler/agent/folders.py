"""One segment's folders on the node's own disk, and what the workload is told: the agent's half of the workload contract."""

import contextlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from idleq.ids import Fence, JobId, index_of
from idleq.migration import copying
from idleq.migration.tree import empty, is_empty
from idleq.scheduler.core.commands import SegmentPlan
from idleq.scheduler.core.submission import PYTHON, JobSpec
from idleq.scheduler.paths import AGENT_PID

SEGMENT_FORMAT = 1

PRIVATE = 0o700

CONTROL = "IDLEQ_CONTROL"
"""Tells the guest where its control folder is, and anybody else whose guest a process is."""

PASSED_ON = ("PATH", "HOME", "LANG")
"""All that a guest gets of the agent's own environment: no token, and no way to the server directory."""


@dataclass(frozen=True, slots=True)
class Folders:
    """A segment's scratch; gone at the segment's end."""

    root: Path

    @property
    def checkpoint(self) -> Path:
        """The workload's own checkpoints."""
        return self.root / "checkpoint"

    @property
    def output(self) -> Path:
        """Its results; also where it starts."""
        return self.root / "output"

    @property
    def input(self) -> Path:
        """What it is given, to be read; there only if its job has inputs."""
        return self.root / "input"

    @property
    def control(self) -> Path:
        """Shared between workload and agent."""
        return self.root / "control"

    @property
    def temporary(self) -> Path:
        """Its TMPDIR."""
        return self.root / "tmp"

    @property
    def images(self) -> Path:
        """What a freeze from outside has left, or a thaw goes on from; there only then."""
        return self.root / "images"

    @property
    def mounted(self) -> tuple[Path, ...]:
        """What a guest in namespaces of its own is given of them."""
        return self.checkpoint, self.output, self.control, self.temporary

    @property
    def segment_file(self) -> Path:
        """What the workload is told about this segment."""
        return self.control / "segment.json"

    @property
    def saved_file(self) -> Path:
        """What the workload tells about its saves."""
        return self.control / "saved.jsonl"

    @property
    def progress_file(self) -> Path:
        """What the workload tells about its progress."""
        return self.output / "progress.jsonl"

    @property
    def all(self) -> tuple[Path, ...]:
        """Every folder, the one that the others are in first."""
        return self.root, self.checkpoint, self.output, self.control, self.temporary

    def create(self) -> None:
        """Make them."""
        for folder in self.all:
            folder.mkdir(mode=PRIVATE)

    def tell(self, text: str) -> None:
        """Replace segment.json; a workload that reads it sees the old one or the new one.

        The folder is the guest's to write: the new one gets a name that it cannot have made a link or a pipe of before.
        """
        beside = self.segment_file.with_suffix(f".{secrets.token_hex(8)}")
        try:
            with copying.new_file(beside) as writing:
                copying.write_all(writing, text.encode())
            beside.replace(self.segment_file)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    @property
    def has_checkpoint(self) -> bool:
        """Whether the workload has left anything to go on from; so it counts, too, if nobody can look: who takes it says why."""
        try:
            return not is_empty(self.checkpoint)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True

    @property
    def are_gone(self) -> bool:
        """Whether somebody has removed them, with all that a guest has left there: any one alone it may have removed itself."""
        return _is_gone(self.root) or all(map(_is_gone, (self.control, self.output, self.checkpoint)))

    def is_pristine(self) -> bool:
        """Whether the workload has left nothing but them, as they were made; what the agent wrote is removed."""
        try:
            self.segment_file.unlink()
            return (
                all(folder.lstat().st_mode == stat.S_IFDIR | PRIVATE for folder in self.all)
                and all(is_empty(folder) for folder in self.all[1:])
                and len(os.listdir(self.root)) == len(self.all) - 1  # noqa: PTH208 - their number is all that counts
            )
        except OSError:
            return False

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.root, ignore_errors=True)


@dataclass(slots=True)
class Scratch:
    """The node's own disk: hands out folders, and those again that came back as they were made."""

    root: Path
    _made: int = 0
    _pristine: list[Folders] = field(default_factory=list)

    def clear(self) -> None:
        """Make it an empty folder."""
        self._pristine.clear()
        self.root.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
        empty(self.root)

    def move_in(self, pid: int) -> None:
        """Make it the empty folder of the agent with that number, which stands in it until it is cleared: nobody else removes it before."""
        self.clear()
        with contextlib.suppress(OSError):  # a disk that is full: guests are refused with that reason
            (self.root / AGENT_PID).write_text(f"{pid}\n", encoding="utf-8")

    def take(self) -> Folders:
        """Return empty folders.

        Raises:
            OSError: the disk gives none.
        """
        if self._pristine:
            return self._pristine.pop()
        self._made += 1
        folders = Folders(self.root / str(self._made))
        try:
            folders.create()
        except OSError:
            folders.remove()
            raise
        return folders

    def give_back(self, folders: Folders) -> bool:
        """Keep them for another guest if nothing is in them; False if somebody must take the time to remove them."""
        is_pristine = folders.is_pristine()
        if is_pristine:
            self._pristine.append(folders)
        return is_pristine


def segment_text(fence: Fence, plan: SegmentPlan, spec: JobSpec) -> str:
    """Return what segment.json says."""
    return json.dumps(
        {
            "format": SEGMENT_FORMAT,
            "segment": fence,
            "freeze_at": plan.freeze_at,
            "ends_at": plan.ends_at,
            "save_every_ms": plan.save_every_ms,
            "signal": spec.signal,
            "cores": spec.resources.cores,
            "memory": spec.resources.memory,
            "gpus": spec.resources.gpus,
        }
    )


def environment_of(
    job: JobId, spec: JobSpec, folders: Folders, gpus: Sequence[str], own: Mapping[str, str]
) -> dict[str, str]:
    """Return the guest's environment: a clean one, then what was asked for, then the contract's, which nothing overrides."""
    clean = {name: own[name] for name in PASSED_ON if name in own}
    contract = {
        "IDLEQ_JOB_ID": job,
        "IDLEQ_CHECKPOINT_DIR": str(folders.checkpoint),
        "IDLEQ_OUTPUT_DIR": str(folders.output),
        CONTROL: str(folders.control),
        "CUDA_VISIBLE_DEVICES": ",".join(gpus),
    }
    if spec.inputs is not None:
        contract["IDLEQ_INPUT_DIR"] = str(folders.input)
    index = index_of(job)
    if index is not None:
        contract["IDLEQ_ARRAY_INDEX"] = str(index)
    return {**clean, "TMPDIR": str(folders.temporary), **dict(spec.environment), **contract}


def argv_of(spec: JobSpec, python: str) -> tuple[str, ...]:
    """Return the program and its arguments as they are where the interpreter is *python*."""
    return tuple(argument.replace(PYTHON, python) for argument in spec.argv)


def _is_gone(folder: Path) -> bool:
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False  # closed, and there
    return False
