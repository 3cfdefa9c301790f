"""Drills: a copy goes on, or it is said why not, and nothing is left of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from idleq.ids import Fence, JobId, Millis, SnapshotId
from idleq.migration import snapshot
from idleq.migration.errors import SnapshotDamaged
from idleq.migration.here import machine_here, origin_here
from idleq.migration.manifest import APP
from idleq.migration.process import ProcessRuntime
from idleq.migration.sealing import NO_KEYS
from idleq.migration.tree import Item, list_folder
from idleq.processes import read_children
from idleq.scheduler.agent import saves
from idleq.scheduler.agent.alone import Alone, lone_guest
from idleq.scheduler.agent.drill import Drill, Drilled
from idleq.scheduler.agent.folders import Folders
from idleq.scheduler.agent.main import alone_here
from idleq.scheduler.agent.saving import FROM_OUTSIDE
from idleq.scheduler.clock import SteadyClock
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import JobSpec, Mount, RuntimeWish
from support.agents import MEBI, python, saver, spec
from support.containers import CRIU, IMAGE, PODMAN
from testbed.waiting import wait_for

NO_CRIU = "there is none"
LONG, SHORT = Millis(60_000), Millis(300)


def drilled(
    tmp_path: Path,
    job_spec: JobSpec,
    *,
    step: int = 7,
    kind: str = APP,
    patience_ms: Millis = LONG,
    damaged: bool = False,
) -> Drilled:
    """Drill a snapshot that the job of *job_spec* could have left at *step*."""
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "state").write_text(str(step))
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "progress.jsonl").write_text(f'{{"step": {step}}}\n')
    items = [
        part
        for name in ("checkpoint", "output")
        for part in (Item(path=name, source=tmp_path / name, is_folder=True), *list_folder(tmp_path / name, name))
    ]
    source = tmp_path / "snapshots" / "0001-0001"
    published = snapshot.publish(items, source, kind=kind, origin=origin_here(1))
    if damaged:
        (source / "files" / "checkpoint" / "state").write_text("8")
    taken = Snapshot(
        id=SnapshotId("0001-0001"), fence=Fence(1), digest=published.digest, bytes=1, taken_at=Millis(0),
        run_ms=Millis(0), step=step,
    )  # fmt: skip
    scratch = tmp_path / "scratch"
    alone = Alone(
        runtime=ProcessRuntime(),
        clock=SteadyClock(),
        scratch=scratch,
        patience_ms=patience_ms,
        environment={},
        without_criu=NO_CRIU,
    )
    drill = Drill(alone, machine_here())
    try:
        return drill.of(JobId("1"), job_spec, source, taken, NO_KEYS)
    finally:
        assert list(scratch.iterdir()) == [] if scratch.exists() else True
        assert read_children() == set()


def test_a_program_that_goes_on_and_saves_itself_is_good(tmp_path: Path) -> None:
    came = drilled(tmp_path, saver(100_000))
    assert (came.is_good, came.step, came.code) == (True, 7, 85)
    assert came.came_to > 7
    assert came.found == f"it went on from step 7 to {came.came_to} and saved itself"


def test_a_program_that_comes_to_its_end_is_good(tmp_path: Path) -> None:
    assert drilled(tmp_path, saver(8)).found == "it went on to its end"


def test_a_program_that_begins_anew_is_not_good(tmp_path: Path) -> None:
    forgetful = """
import signal, time
signal.signal(signal.SIGUSR1, lambda *_: exit(85))
for step in (1, 2):
    open("progress.jsonl", "a").write('{"step": %d}\\n' % step)
time.sleep(600)
"""
    came = drilled(tmp_path, python(forgetful))
    assert (came.is_good, came.came_to) == (False, 2)
    assert came.found.endswith("and came to step 2 only, where the snapshot says 7")


def test_a_program_that_fails_is_not_good_and_what_it_said_is_told(tmp_path: Path) -> None:
    came = drilled(tmp_path, spec("/bin/sh", "-c", "echo no such state >&2; exit 3"))
    assert came == Drilled(
        is_good=False, step=7, came_to=7, code=3, found="it ended with exit code 3", errors="no such state\n"
    )


def test_a_program_that_does_not_listen_is_not_good(tmp_path: Path) -> None:
    came = drilled(tmp_path, spec("/bin/sh", "-c", "trap '' USR1; while :; do sleep 1; done"), patience_ms=SHORT)
    assert (came.is_good, came.found) == (False, "it did not save itself in time")


def test_a_damaged_snapshot_is_not_tried(tmp_path: Path) -> None:
    with pytest.raises(SnapshotDamaged):
        drilled(tmp_path, saver(8), damaged=True)


def test_processes_as_they_ran_are_not_thawed_where_nobody_can(tmp_path: Path) -> None:
    came = drilled(tmp_path, saver(8), kind="criu")
    why = f"a snapshot of criu cannot be thawed here, {NO_CRIU}; it was not tried"
    assert (came.is_good, came.found) == (False, why)


TELLS = """
import time
for step in range(1, 5_000):
    with open("progress.jsonl", "a") as told:
        told.write('{"step": %d}\\n' % step)
    time.sleep(0.02)
"""


HANGS = TELLS.replace("5_000", "8") + "\ntime.sleep(600)\n"


def drilled_as_it_ran(
    tmp_path: Path, job_spec: JobSpec, *, damaged: bool = False, patience_ms: Millis = LONG
) -> Drilled:
    """Freeze a job of *job_spec* with all that it holds once it has told of some steps, and drill what is left."""
    with alone_here((), LONG / 1000) as first:
        folders = Folders(tmp_path / "guest")
        folders.create()
        guest = lone_guest("first", JobId("1"), Fence(1), job_spec, folders, is_enclosed=True)
        first.runtime.start(first.order(guest))
        wait_for("some steps", lambda: len(steps_told(folders)) > 6, seconds=60)
        folders.images.mkdir()
        first.runtime.freeze(guest.name, folders.images)
        first.runtime.close()
    for image in folders.images.glob("core-*.img") if damaged else ():
        image.write_bytes(b"of no use")
    source = tmp_path / "snapshots" / "0001-0001"
    published = snapshot.publish(saves.from_outside(folders), source, kind=FROM_OUTSIDE, origin=origin_here(1))
    taken = Snapshot(
        id=SnapshotId("0001-0001"), fence=Fence(1), digest=published.digest, bytes=1, taken_at=Millis(0),
        run_ms=Millis(0), step=steps_told(folders)[-1],
    )  # fmt: skip
    with alone_here((), patience_ms / 1000) as alone:
        came = Drill(alone, machine_here()).of(JobId("1"), job_spec, source, taken, NO_KEYS)
        assert list(alone.scratch.iterdir()) == []
    assert came.step == taken.step
    return came


def steps_told(folders: Folders) -> list[int]:
    path = folders.progress_file
    return [json.loads(line)["step"] for line in path.read_text().splitlines()] if path.exists() else []


@CRIU
@pytest.mark.parametrize(
    "given", [{}, pytest.param({"image": IMAGE, "runtime": RuntimeWish.PODMAN, "memory": 256 * MEBI}, marks=PODMAN)]
)
def test_processes_as_they_ran_go_on_and_are_thrown_away(tmp_path: Path, given: dict[str, Any]) -> None:
    came = drilled_as_it_ran(tmp_path, python(TELLS, **given))

    assert came.found == f"it went on from step {came.step} to {came.came_to}"
    assert (came.is_good, came.came_to > came.step, came.code) == (True, True, None)
    assert read_children() == set()


@CRIU
def test_processes_that_cannot_be_thawed_are_not_good(tmp_path: Path) -> None:
    came = drilled_as_it_ran(tmp_path, python(TELLS), damaged=True)

    assert (came.is_good, came.came_to) == (False, came.step)
    assert came.found.startswith("criu")


@CRIU
def test_processes_that_do_nothing_any_more_are_not_good(tmp_path: Path) -> None:
    came = drilled_as_it_ran(tmp_path, python(HANGS), patience_ms=Millis(3_000))

    assert (came.is_good, came.found) == (False, "it went on and told of no step in 3 s")


@pytest.mark.parametrize("kind", [APP, FROM_OUTSIDE])
def test_a_program_that_may_write_to_what_is_no_copy_is_not_tried(tmp_path: Path, kind: str) -> None:
    mounts = (Mount(source="/data", target="/data"), Mount(source="/data/out", target="/out", is_writable=True))

    came = drilled(tmp_path, saver(8, image=IMAGE, mounts=mounts), kind=kind)

    assert came.found == "its program may write to /data/out, which is no copy; it was not tried"
    assert came.is_good is False
