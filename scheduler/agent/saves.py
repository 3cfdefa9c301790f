"""What belongs together in a snapshot that is taken while the workload goes on.

A snapshot must hold the checkpoint and the output of one instant. The checkpoint is easy: a generation never changes
after its rename. The output may have gone on since, so it is taken only where it can be had as it was then:
progress.jsonl up to the step that was saved, and every other file only if it was not written after the checkpoint.
Otherwise this one snapshot is left out; the next save or the freeze brings another.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from idleq.migration.copying import read_plain
from idleq.migration.errors import FolderRefused
from idleq.migration.tree import Item, list_folder
from idleq.scheduler.agent.folders import Folders
from idleq.scheduler.agent.staged import list_output

CHECKPOINT, OUTPUT = "checkpoint", "output"
TEMPORARY, CONTROL, IMAGES = "tmp", "control", "images"


class Inconsistent(FolderRefused):
    """Checkpoint and output cannot be had as they were at one instant."""


def whole(folders: Folders) -> list[Item]:
    """Return all of a workload that has ended."""
    return [
        Item(path=CHECKPOINT, source=folders.checkpoint, is_folder=True),
        *list_folder(folders.checkpoint, CHECKPOINT),
        Item(path=OUTPUT, source=folders.output, is_folder=True),
        *list_output(folders, OUTPUT),
    ]


def from_outside(folders: Folders) -> list[Item]:
    """Return all of a guest that criu has frozen (or is to freeze: *images* are not there yet): its process, and all its folders.

    Raises:
        FolderRefused: one of its folders holds something that is not kept.
    """
    found: list[Item] = []
    for name, folder in sorted(places(folders).items()):
        held = list_output(folders, name) if name == OUTPUT else list_folder(folder, name)
        found += [Item(path=name, source=folder, is_folder=True), *held]
    # What it is told of its segment is another thing in the next.
    return [item for item in found if item.source != folders.segment_file]


def places(folders: Folders) -> dict[str, Path]:
    """Return where the parts of any of these snapshots belong."""
    return {
        CHECKPOINT: folders.checkpoint,
        OUTPUT: folders.output,
        CONTROL: folders.control,
        IMAGES: folders.images,
        TEMPORARY: folders.temporary,
    }


def as_saved(folders: Folders) -> list[Item]:
    """Return the newest checkpoint that was told, with the output as it was then.

    Raises:
        Inconsistent: they cannot be had as they were then.
        OSError: the workload has moved something away meanwhile; the same applies.
    """
    told = folders.saved_file.stat().st_mtime_ns
    step = _last_step(read_plain(folders.saved_file))
    generation = _newest(folders.checkpoint, told)
    if folders.saved_file.stat().st_mtime_ns != told:
        raise Inconsistent("the workload saved again meanwhile")
    name, instant = f"{CHECKPOINT}/{generation.name}", generation.stat().st_mtime_ns
    return [
        Item(path=CHECKPOINT, source=folders.checkpoint, is_folder=True),
        Item(path=name, source=generation, is_folder=True),
        *list_folder(generation, name, below=folders.checkpoint),
        Item(path=OUTPUT, source=folders.output, is_folder=True),
        *(_as_it_was(item, folders, step, instant) for item in list_output(folders, OUTPUT)),
    ]


def check_unchanged(items: Sequence[Item], folders: Folders) -> None:
    """After the items of `as_saved` were copied: raise Inconsistent if an output has been written to meanwhile."""
    instant = items[1].source.stat().st_mtime_ns
    for item in items:
        if item.path.startswith(f"{OUTPUT}/") and not item.is_folder and item.source != folders.progress_file:
            _check_age(item, instant)


def _newest(checkpoint: Path, told: int) -> Path:
    """Return the newest generation that the workload has told of: one that is renamed and not told yet is too new."""
    with os.scandir(checkpoint) as entries:
        found = [
            (entry.stat().st_ctime_ns, entry.path)
            for entry in entries
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
        ]
    known = [path for renamed, path in sorted(found) if renamed <= told]
    if not known:
        raise Inconsistent("the workload told of a save, but there is no such checkpoint")
    return Path(known[-1])


def _last_step(content: bytes) -> int:
    lines = content.splitlines()
    try:
        return int(json.loads(lines[-1])["step"])
    except (IndexError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise Inconsistent("the last line of saved.jsonl names no step") from None


def _as_it_was(item: Item, folders: Folders, step: int, instant: int) -> Item:
    if item.is_folder:
        return item
    if item.source == folders.progress_file:
        length = _length_up_to(read_plain(item.source), step)
        return replace(item, length=length)
    _check_age(item, instant)
    return item


def _check_age(item: Item, instant: int) -> None:
    if item.source.stat().st_mtime_ns >= instant:
        raise Inconsistent(f"{item.path} was written to after the checkpoint")


def _length_up_to(content: bytes, step: int) -> int:
    """Return how many bytes of progress.jsonl are lines of steps up to *step*."""
    length = 0
    for line in content.splitlines(keepends=True):
        try:
            is_later = json.loads(line)["step"] > step
        except (ValueError, KeyError, TypeError, RecursionError):
            is_later = True
        if is_later:
            break
        length += len(line)
    return length
