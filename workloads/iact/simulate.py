"""`simulate-showers`: events as Parquet, one file for each task of an array: the kind of job that fills idle nodes.

OUTPUT/gamma-train-seed1-00003.parquet     events of task 3, with units, rules, seed, sources and versions inside
      /gamma-train-seed1-00003.json        what it was made for, its SHA-256 and size; written last

A task that finds its file whole does nothing, and one that finds another set's there is refused. Frozen, it goes on after the last chunk that it had made.
"""

import argparse
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from idleq.workloads import durable
from idleq.workloads.contract import EXIT_DONE, EXIT_SAVED, Places
from idleq.workloads.errors import BadOption, DamagedData
from idleq.workloads.guest import Guest
from idleq.workloads.iact.task import Task
from idleq.workloads.messages import say
from idleq.workloads.shards import array_task
from idleq.workloads.training.options import add_output, between

MAX_EVENTS = 1_000_000


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `simulate-showers`."""
    parser.add_argument(
        "--particle", choices=("gamma", "hadron"), default="gamma", help="what made the showers (default gamma)"
    )
    parser.add_argument(
        "--split",
        choices=("train", "held-out", "judge", "validation"),
        default="train",
        help="which table rows (default train)",
    )
    parser.add_argument("--events", type=int, default=5_000, help="events of each task (default 5000)")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the whole array (default 1)")
    parser.add_argument("--task", type=int, help="which task this is (default IDLEQ_ARRAY_INDEX, else 0)")
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Simulate to the end, or save and leave when asked to."""
    number = options.task if options.task is not None else array_task(os.environ) or 0
    between("--events", options.events, 1, MAX_EVENTS)
    between("--seed", options.seed, 0, 2**32 - 1)
    between("--task", number, 0, 2**31 - 1)
    task = Task(particle=options.particle, split=options.split, events=options.events, seed=options.seed, number=number)
    places = Places.from_environment(os.environ, options.output)
    with Guest(places=places, kind="simulate-showers", identity=task.identity()) as guest:
        if is_done(guest.output, task):
            say(f"{task.file} is there and whole: nothing to do")
            return EXIT_DONE
        from idleq.workloads.iact.events_file import chunks_of, make_events, write_events

        checkpoint = guest.restore()
        done = {} if checkpoint is None else {k: v for k, v in checkpoint.parts.items() if k.startswith("chunk-")}
        chunks = chunks_of(task)
        make = make_events(task)
        while guest.may_go_on(len(done), lambda: done):
            if len(done) == len(chunks):
                break
            name, index, events = chunks[len(done)]
            done[name] = make(index, events)
            guest.report(len(done), len(chunks), {"events": float(sum(count for _, _, count in chunks[: len(done)]))})
        else:
            return EXIT_SAVED
        content = write_events(task, [done[name] for name, _, _ in chunks])
        _publish(guest.output, task, content)
        guest.finish()
    return EXIT_DONE


def is_done(output: Path, task: Task) -> bool:
    """Whether the task's file is there and whole; one of another set is refused, whole or not."""
    path = output / task.file
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DamagedData(f"cannot read {path}: {error.strerror}; remove it, or give another --output") from error
    try:
        manifest = json.loads((output / task.manifest).read_bytes())
        made_for, entry = manifest["made_for"], manifest["files"][task.file]
    except (OSError, ValueError, KeyError, TypeError):
        made_for, entry = _said_inside(path, content, task), None
    if made_for != task.made_for():
        raise BadOption(f"{path} is of another set of events ({made_for}); give another --output")
    return bool(entry == _entry(content))


def _said_inside(path: Path, content: bytes, task: Task) -> dict[str, Any]:
    """What a file without a readable manifest says that it was made for; a damaged one may be replaced."""
    from idleq.workloads.iact.events_file import parse_events

    try:
        _, metadata = parse_events(content, path)
    except DamagedData as damage:
        say(f"{damage} -- making it again")
        return task.made_for()
    return {**metadata.get("identity", {}), "rules": metadata.get("rules")}


def _entry(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def _publish(output: Path, task: Task, content: bytes) -> None:
    manifest = {"format": 1, "made_for": task.made_for(), "files": {task.file: _entry(content)}}
    for name, written in ((task.file, content), (task.manifest, durable.canonical_json(manifest))):
        with durable.explained("the events", output / name):
            durable.replace_file(output / name, written)
