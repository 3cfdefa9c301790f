"""What nobody foresaw goes wrong with one guest: that one ends, and no other."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis
from idleq.migration.ports import ContainerName, Ended, Order
from idleq.scheduler.agent import mishaps, reactor
from idleq.scheduler.agent.decide import Ask, Phase, Stop
from idleq.scheduler.core.commands import Freeze
from idleq.scheduler.core.inputs import CommandFailed, Exited
from idleq.scheduler.core.submission import FreezeMethod
from support.one_guest import Bench, Recorder

NOBODY = 65534
REASON = "the agent failed on it: ZeroDivisionError: by zero"


def failed(at: int) -> Exited:
    return Exited(job=JobId("1"), fence=Fence(1), code=74, at=Millis(at), cause="agent", reason=REASON)


def go_wrong(bench: Bench) -> None:
    with mishaps.kept_to(bench.node, bench.guest):
        raise ZeroDivisionError("by zero")


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.FREEZING])
def test_one_that_runs_is_killed_and_told_of_when_it_has_ended(tmp_path: Path, phase: Phase) -> None:
    bench = Bench(tmp_path, Recorder())
    bench.guest.phase = phase
    go_wrong(bench)

    assert bench.runtime.asked == [("kill", bench.name)]
    assert (bench.guest.stop, bench.said) == (Stop(JobId("1"), Fence(1), REASON), [])
    bench.runtime.over_now = [Ended(bench.name, -9)]
    reactor.on_ended(bench.node)
    (said,) = bench.said
    assert isinstance(said, Exited)
    assert (said.code, said.cause, said.reason, bench.node.guests) == (-9, "agent", REASON, {})


def test_one_that_has_ended_is_told_of_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder())
    bench.guest.phase, bench.guest.ended_at = Phase.CLOSING, Millis(7)
    go_wrong(bench)

    assert (bench.said, bench.node.guests) == ([failed(7)], {})


def test_one_that_has_not_begun_is_sent_back_and_holds_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder())
    bench.guest.phase = Phase.PREPARING
    go_wrong(bench)

    assert (bench.said, bench.node.guests, list((tmp_path / "scratch").iterdir())) == ([], {}, [])
    assert bench.node.room.free == bench.node.room.resources
    told = CommandFailed(command=CommandId(1), reason=REASON, transient=True)
    assert bench.told == [told]


def test_one_whose_end_is_told_is_not_told_of_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder())
    bench.node.finish(bench.guest, failed(3))
    go_wrong(bench)

    assert (bench.told, bench.runtime.asked) == ([failed(3)], [])


def test_an_end_that_nobody_waits_for_is_passed_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder())
    bench.node.clear(bench.guest)
    bench.runtime.over_now = [Ended(bench.name, -9)]
    reactor.on_ended(bench.node)

    assert bench.told == []


class Foreign(Recorder):
    """Its guests become another user's processes, and none can be started beside them."""

    def start(self, order: Order) -> None:  # noqa: ARG002 - none can be
        raise ZeroDivisionError("by zero")

    def signal(self, name: ContainerName, number: int) -> None:
        raise PermissionError(1, f"no {number} for {name}")


@pytest.mark.parametrize("is_told", [True, False])
def test_a_guest_that_cannot_be_asked_to_save_ends_alone(tmp_path: Path, *, is_told: bool) -> None:
    bench = Bench(tmp_path, Foreign(), FreezeMethod.APP)
    bench.guest.method = FreezeMethod.APP
    if is_told:
        freeze = Freeze(id=CommandId(2), allocation=AllocationId("a1"), job=JobId("1"), fence=Fence(1), reason="held")
        reactor.on_command(bench.node, freeze, "")
    else:
        reactor.act(bench.node, [Ask(JobId("1"), Fence(1), "the gap ends")])

    assert bench.runtime.asked == [("kill", bench.name)]
    assert bench.guest.stop is not None
    assert bench.guest.stop.reason.endswith("PermissionError: [Errno 1] no 10 for a1/1/1")


def test_a_guest_that_cannot_be_started_is_sent_back_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Foreign())
    reactor.on_command(bench.node, replace(bench.guest.launch, id=CommandId(2), job=JobId("2")), "")

    assert bench.told == [CommandFailed(command=CommandId(2), reason=REASON, transient=True)]
    assert bench.node.guests == {bench.guest.key: bench.guest}


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """Let us look into nothing below *folder* while this lasts, whoever we are."""
    me = os.geteuid()
    folder.chmod(0)
    if me == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(me)
        folder.chmod(0o700)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (3, (3, "workload", "exit code 3")),
        (85, (74, "agent", "what it saved could not be kept: ")),
        (0, (74, "agent", "its output could not be kept: ")),
    ],
)
def test_a_guest_that_closes_its_folders_is_told_of_by_its_exit_code(
    tmp_path: Path, code: int, told: tuple[int, str, str]
) -> None:
    bench = Bench(tmp_path, Recorder(), FreezeMethod.AUTO)
    bench.runtime.over_now = [Ended(bench.name, code)]
    with closed(bench.guest.folders.root):
        reactor.on_ended(bench.node)

    (said,) = bench.said
    assert isinstance(said, Exited)
    assert (said.code, said.cause, said.reason[: len(told[2])]) == told
