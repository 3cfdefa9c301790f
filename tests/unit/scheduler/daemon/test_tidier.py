"""Snapshots that nobody will thaw are removed, the journal first."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec import structs

from idleq.ids import AllocationId, Fence, JobId, Millis, SnapshotId
from idleq.scheduler.core.engine import Decision, Engine
from idleq.scheduler.core.facts import SnapshotDropped
from idleq.scheduler.core.inputs import Frozen, Input, JobCancelled, JobHeld
from idleq.scheduler.core.retention import AFTER_END, SETTLED
from idleq.scheduler.core.submission import Inputs, Submission
from idleq.scheduler.errors import JournalUnavailable
from idleq.scheduler.inputcopies import KEPT_MS
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.tidier import ALLOCATION_KEPT_MS, Tidier
from support.daemon import FakeClock, quiet_log
from support.engines import START, Told, report, snapshot, spec

T = TypeVar("T")
JOB = JobId("1")


class Engines:
    """An engine that answers at once; *is_away* makes its journal unavailable."""

    def __init__(self, told: Told) -> None:
        self.told, self.is_away = told, False

    def ask(self, inputs: Sequence[Input]) -> "Future[tuple[Decision, ...]]":
        return self._reply(lambda: tuple(self.told.tell(one) for one in inputs))

    def look(self, question: Callable[[Engine, Millis], T]) -> "Future[T]":
        return self._reply(lambda: question(self.told.engine, self.told.now), is_written=False)

    def _reply(self, answer: Callable[[], T], *, is_written: bool = True) -> "Future[T]":
        reply: Future[T] = Future()
        if self.is_away and is_written:
            reply.set_exception(JournalUnavailable("the disk is full"))
        else:
            reply.set_result(answer())
        return reply


class World:
    """A job that was frozen twice and is held, its snapshots on a disk."""

    def __init__(self, root: Path, quota: int | None) -> None:
        self.paths, self.clock, self.told = ServerPaths(root), FakeClock(START), Told()
        self.engines = Engines(self.told)
        self.told.see(report("n1"))
        self.told.submit_job()
        self.told.grant("a1", "n1")
        for fence in (1, 2):
            self.told.launched("1", fence)
            taken = snapshot("1", fence, 1, run_ms=fence * 60_000)
            self.told.tell(
                Frozen(job=JOB, fence=Fence(fence), snapshot=taken, at=self.told.now, freeze_ms=Millis(9), reason="x"),
                after_ms=60_000,
            )
            self.leave(taken.id)
        self.told.launched("1", 3)
        self.told.tell(JobHeld(target=JOB, reason="wait"))
        taken = snapshot("1", 3, 1, run_ms=180_000)
        self.told.tell(
            Frozen(job=JOB, fence=Fence(3), snapshot=taken, at=self.told.now, freeze_ms=Millis(9), reason="x")
        )
        self.leave(taken.id)
        self.tidier = Tidier(
            paths=self.paths,
            engines=self.engines,
            clock=self.clock,
            quota=quota,
            every_ms=Millis(1000),
            log=quiet_log(),
        )

    def leave(self, name: str) -> None:
        folder = self.paths.job(JOB).snapshots / name
        (folder / "files").mkdir(parents=True)
        os.utime(folder, (START / 1000, START / 1000))

    @property
    def on_disk(self) -> list[str]:
        return sorted(path.name for path in self.paths.job(JOB).snapshots.iterdir())


@pytest.fixture
def make(tmp_path: Path) -> Callable[[int | None], World]:
    return lambda quota: World(tmp_path, quota)


def test_what_jobs_need_stays(make: Callable[[int | None], World]) -> None:
    world = make(None)
    assert [one.snapshot for one in world.tidier.tidy()] == []
    assert world.on_disk == ["1-1-1", "1-2-1", "1-3-1"]


def test_above_the_quota_the_older_generation_goes_from_the_journal_and_from_the_disk(
    make: Callable[[int | None], World],
) -> None:
    world = make(1 << 20)
    assert [one.snapshot for one in world.tidier.tidy()] == ["1-2-1"]
    dropped = [fact.snapshot for _, fact in world.told.facts if isinstance(fact, SnapshotDropped)]
    assert dropped == ["1-2-1"]
    assert "1-2-1" not in world.on_disk
    assert "1-3-1" in world.on_disk


def test_what_the_journal_does_not_know_goes_after_an_hour(make: Callable[[int | None], World]) -> None:
    world = make(None)
    world.clock.advance(SETTLED)
    assert [(one.snapshot, one.is_known) for one in world.tidier.tidy()] == [(SnapshotId("1-1-1"), False)]
    assert world.on_disk == ["1-2-1", "1-3-1"]


def test_the_folder_of_an_allocation_goes_once_it_is_over_and_its_agent_long_silent(
    make: Callable[[int | None], World],
) -> None:
    world = make(None)
    assert set(world.told.engine.state.allocations) == {"a1"}
    for name in ("a1", "a0", "a00"):
        log = world.paths.allocation(AllocationId(name)).log
        log.parent.mkdir(parents=True)
        log.touch()
        for path in (log, log.parent):
            os.utime(path, (START / 1000, START / 1000))
    os.utime(world.paths.allocation(AllocationId("a00")).log, (START / 1000 + 1, START / 1000 + 1))

    world.clock.advance(ALLOCATION_KEPT_MS)
    assert world.tidier.forget_allocations() == ()
    world.clock.advance(1)
    assert world.tidier.forget_allocations() == ("a0",)
    assert sorted(path.name for path in world.paths.allocations.iterdir()) == ["a00", "a1"]


def test_inputs_go_once_the_job_is_over_and_no_submit_can_be_about_to_name_them(
    make: Callable[[int | None], World],
) -> None:
    world = make(None)
    ids = [f"{number:032x}" for number in range(3)]
    for number, name in enumerate(ids):
        world.paths.input(name).mkdir(parents=True)
        os.utime(world.paths.input(name), (START / 1000 + number // 2, START / 1000 + number // 2))
    given = Inputs(sources=("/x",), id=ids[0])
    world.told.submit(Submission(spec=structs.replace(spec(), inputs=given), held=True))
    world.clock.advance(KEPT_MS + 1)

    assert world.tidier.forget_inputs() == (ids[1],)
    world.told.tell(JobCancelled(target=JobId("2")))
    assert world.tidier.forget_inputs() == (ids[0],)
    assert [path.name for path in world.paths.inputs.iterdir()] == [ids[2]]


def test_the_thread_outlives_a_fault_of_the_engine(make: Callable[[int | None], World]) -> None:
    world = make(0)
    faults, has_tidied, look = [ZeroDivisionError()], threading.Event(), world.engines.look

    def fragile(question: Callable[[Engine, Millis], T]) -> "Future[T]":
        if faults:
            raise faults.pop()
        has_tidied.set()
        return look(question)

    world.engines.look = fragile  # type: ignore[method-assign] # it fails once
    world.tidier.start()
    assert has_tidied.wait(10)
    world.tidier.stop()


def test_while_the_journal_cannot_be_written_nothing_that_it_knows_is_removed(
    make: Callable[[int | None], World],
) -> None:
    world = make(0)
    world.engines.is_away = True
    with pytest.raises(JournalUnavailable):
        world.tidier.tidy()
    assert world.on_disk == ["1-1-1", "1-2-1", "1-3-1"]


def test_of_a_job_that_was_cancelled_nothing_is_left_after_a_day_and_it_is_not_looked_at_again(
    make: Callable[[int | None], World],
) -> None:
    world = make(None)
    world.told.tell(JobCancelled(target=JOB))
    world.clock.advance(AFTER_END + 1_000_000)
    world.tidier.tidy()
    assert world.on_disk == []
    world.tidier.tidy()
    world.leave("9-9-9")
    assert world.tidier.tidy() == ()
