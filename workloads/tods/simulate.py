"""`simulate-tods`: one file of simulated TODs; as an array of jobs, one file for each task.

The folder of the results has `tods-NNNNN.h5` and its manifest, where NNNNN is the task's number. A task that finds its
file whole has nothing to do.
"""

import argparse
import io
import os
from typing import TYPE_CHECKING

from idleq.workloads.contract import EXIT_DONE, EXIT_SAVED, Places
from idleq.workloads.errors import CheckpointRefused
from idleq.workloads.guest import Guest, require_parts
from idleq.workloads.messages import say
from idleq.workloads.shards import array_task
from idleq.workloads.training.options import between

if TYPE_CHECKING:
    from idleq.workloads.tods.dataset import TodSpec
    from idleq.workloads.tods.simulation import Tods

# A part of every checkpoint: the blocks that are done, as arrays.
BLOCKS_DONE = "blocks"

MAX_FILES = 100_000

SPLITS = ("train", "held-out", "second", "selection")
MIXES = ("natural", "balanced")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `simulate-tods`."""
    parser.add_argument("--tods", type=int, default=500, help="TODs in the file (default 500)")
    parser.add_argument("--task", type=int, help="the file's number (default IDLEQ_ARRAY_INDEX, else 0)")
    parser.add_argument("--seed", type=int, default=1, help="the set's seed (default 1)")
    parser.add_argument(
        "--split", choices=SPLITS, default="train", help="which set: seeds of different splits never meet"
    )
    parser.add_argument(
        "--hits", choices=MIXES, default="balanced", help="as rare as in orbit, or a third each with 0, 1 and 2+"
    )
    parser.add_argument("--output", metavar="DIR", help="where the file goes; needed in a plain run")


def run(options: argparse.Namespace) -> int:
    """Make the file, or save and leave when asked to."""
    places = Places.from_environment(os.environ, options.output)
    task = options.task if options.task is not None else array_task(os.environ) or 0
    between("--task", task, 0, MAX_FILES - 1)
    from idleq.workloads.tods.dataset import TodSpec, facts, is_made
    from idleq.workloads.tods.files import file_name, write_tods
    from idleq.workloads.tods.simulation import Tods

    spec = TodSpec(seed=options.seed, split=options.split, mix=options.hits, tods_per_file=options.tods)
    with Guest(places=places, kind="simulate-tods", identity=spec.made_for(task)) as guest:
        done = _restored(guest, spec)
        if is_made(guest.output, spec, task):
            say(f"{guest.output / file_name(task)} is there already")
        elif not _make_blocks(guest, spec, task, done):
            return EXIT_SAVED
        else:
            write_tods(guest.output, task, Tods.joined(done), spec.made_for(task), facts())
        guest.finish()
    return EXIT_DONE


def _make_blocks(guest: Guest, spec: "TodSpec", task: int, done: "list[Tods]") -> bool:
    """All blocks into *done*; False = asked to leave, and saved."""
    from idleq.workloads.tods.dataset import make_block

    while guest.may_go_on(len(done), lambda: {BLOCKS_DONE: _to_bytes(done)}):
        if len(done) == spec.blocks:
            return True
        done.append(make_block(spec, task, len(done)))
        guest.report(len(done), spec.blocks, {"tods": float(sum(map(len, done)))})
    return False


def _to_bytes(done: "list[Tods]") -> bytes:
    import numpy as np

    from idleq.workloads.tods.simulation import Tods

    buffer = io.BytesIO()
    np.savez(buffer, **(Tods.joined(done).arrays() if done else {}))  # type: ignore[arg-type] # names are no keywords of its own
    return buffer.getvalue()


def _restored(guest: Guest, spec: "TodSpec") -> "list[Tods]":
    """The blocks that were done, as one."""
    import numpy as np

    from idleq.workloads.tods.simulation import BLOCK_TODS, Tods

    checkpoint = guest.restore()
    if checkpoint is None:
        return []
    require_parts(checkpoint, (BLOCKS_DONE,))
    with np.load(io.BytesIO(checkpoint.parts[BLOCKS_DONE]), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    whole = Tods(**arrays) if arrays else None
    if (len(whole) if whole else 0) != min(checkpoint.step * BLOCK_TODS, spec.tods_per_file):
        raise CheckpointRefused(f"the checkpoint at step {checkpoint.step} holds other blocks than it says")
    if whole is None:
        return []
    cuts = range(0, len(whole), BLOCK_TODS)
    return [Tods(**{name: array[cut : cut + BLOCK_TODS] for name, array in arrays.items()}) for cut in cuts]
