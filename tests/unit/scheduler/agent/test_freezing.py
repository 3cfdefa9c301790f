"""A guest that is to be frozen from outside: what is done when that works, and what instead when it does not."""

from pathlib import Path

import pytest

from idleq.ids import AllocationId, CommandId, Fence, JobId
from idleq.migration.errors import FreezeFailed, ThawFailed
from idleq.migration.ports import ContainerName, FrozenState
from idleq.scheduler.agent import freezing
from idleq.scheduler.agent.decide import Phase, Stop
from idleq.scheduler.agent.reactor import on_command
from idleq.scheduler.core.commands import Freeze
from idleq.scheduler.core.inputs import CommandFailed, Exited, Frozen
from idleq.scheduler.core.submission import FreezeMethod
from idleq.scheduler.paths import JobPaths, ServerPaths
from support.one_guest import MEMORY, Bench, Recorder

SIGUSR1 = 10


class Unlisted(ServerPaths, frozen=True):
    """A server directory in which nothing can be listed any more once a snapshot is there."""

    def job(self, job: JobId) -> JobPaths:
        found = super().job(job)
        return JobPaths(self.root / "gone") if list(found.snapshots.glob("0*")) else found


def failed(*, is_broken: bool = False) -> FreezeFailed:
    return FreezeFailed("criu: no", is_broken=is_broken)


def test_what_was_frozen_is_told_with_what_it_needs_and_nothing_of_the_guest_is_left(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder())
    freezing.begin(bench.node, bench.guest, "the gap ends")

    (said,) = bench.said
    assert isinstance(said, Frozen)
    assert (said.reason, said.snapshot.needs, said.snapshot.bytes) == ("the gap ends", ("criu",), len(MEMORY) + 4)
    assert bench.runtime.asked == [("freeze", bench.name)]
    assert (bench.node.guests, list((tmp_path / "scratch").iterdir())) == ({}, [])


def test_one_that_listens_saves_itself_where_it_cannot_be_frozen(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(failure=failed(), is_listening=True), FreezeMethod.AUTO)
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.runtime.asked == [("freeze", bench.name), ("signal", bench.name, SIGUSR1)]
    assert (bench.guest.phase, bench.guest.method, bench.said) == (Phase.FREEZING, FreezeMethod.APP, [])
    assert not bench.guest.folders.images.exists(), "half a freeze would only fill the disk"


def test_one_that_costs_less_by_saving_itself_is_asked_to(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(is_listening=True), FreezeMethod.AUTO, prefers=FreezeMethod.APP)
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.runtime.asked == [("signal", bench.name, SIGUSR1)]
    assert (bench.guest.phase, bench.guest.method, bench.said) == (Phase.FREEZING, FreezeMethod.APP, [])


def test_one_that_would_cost_less_by_saving_itself_but_does_not_listen_is_frozen_from_outside(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(), FreezeMethod.AUTO, prefers=FreezeMethod.APP)
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.runtime.asked == [("freeze", bench.name)]
    assert [type(said) for said in bench.said] == [Frozen]


@pytest.mark.parametrize("method", [FreezeMethod.AUTO, FreezeMethod.CRIU])
def test_one_that_does_not_listen_runs_on_until_its_gap_ends(tmp_path: Path, method: FreezeMethod) -> None:
    # One of CRIU is not asked even if it has a handler: it was not said that this saves it.
    bench = Bench(tmp_path, Recorder(failure=failed(), is_listening=method is FreezeMethod.CRIU), method)
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.runtime.asked == [("freeze", bench.name)]
    assert (bench.guest.phase, bench.guest.method, bench.guest.asked_at) == (Phase.RUNNING, FreezeMethod.NONE, None)
    assert (bench.guest.stop, bench.guest.trouble, bench.said) == (None, "criu: no", [])


def test_one_that_somebody_wants_away_is_ended_then(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(failure=failed()))
    bench.guest.must_go = True
    freezing.begin(bench.node, bench.guest, "held")

    assert bench.runtime.asked == [("freeze", bench.name), ("kill", bench.name)]
    assert bench.guest.stop == Stop(JobId("1"), Fence(1), "held")


def test_one_that_a_freeze_has_broken_is_no_failure_of_the_workload(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(failure=failed(is_broken=True), is_listening=True), FreezeMethod.AUTO)
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.guest.stop == Stop(JobId("1"), Fence(1), "its freeze was broken off half-way", "agent")
    assert bench.runtime.asked == [("freeze", bench.name), ("kill", bench.name)]


def test_one_that_is_being_killed_keeps_the_reason_for_that(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(failure=failed(is_broken=True)))
    bench.guest.stop = stop = Stop(JobId("1"), Fence(1), "the gap ended before it had saved")
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.guest.stop is stop


def test_what_cannot_be_kept_is_found_before_anything_is_stopped(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder())
    (bench.guest.folders.temporary / "link").symlink_to("/etc")
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.runtime.asked == []
    assert "'tmp/link' is a symbolic link" in bench.guest.trouble


def test_what_cannot_be_put_away_goes_on_where_it_is(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder())
    bench.node.paths.job(JobId("1")).snapshots.write_text("no folder")
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.runtime.asked == [("freeze", bench.name), ("thaw", bench.name, MEMORY)]
    assert (bench.guest.phase, bench.guest.method, bench.said) == (Phase.RUNNING, FreezeMethod.NONE, [])
    assert not bench.guest.folders.images.exists()


def test_what_can_neither_be_put_away_nor_go_on_is_the_agents_fault(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(thaw_failure=ThawFailed("criu: not whole")))
    bench.node.paths.job(JobId("1")).snapshots.write_text("no folder")
    freezing.begin(bench.node, bench.guest, "the gap ends")

    (said,) = bench.said
    assert isinstance(said, Exited)
    assert (said.cause, said.code) == ("agent", 74)
    assert said.reason.endswith("and it did not go on here: criu: not whole")


def test_one_whose_method_is_to_save_itself_is_asked_without_more_ado(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(), FreezeMethod.APP)
    bench.guest.method = FreezeMethod.APP
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.runtime.asked == [("signal", bench.name, SIGUSR1)]


def test_a_freeze_that_fails_as_nobody_foresaw_has_failed_and_nothing_else(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(failure=KeyError("pages")))
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.runtime.asked == [("freeze", bench.name)]
    assert (bench.guest.phase, bench.guest.trouble, bench.said) == (Phase.RUNNING, "KeyError: 'pages'", [])


def test_a_snapshot_that_is_written_counts_though_older_ones_cannot_be_removed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(), paths_of=Unlisted)
    freezing.begin(bench.node, bench.guest, "the gap ends")

    (said,) = bench.said
    assert isinstance(said, Frozen)
    assert (said.snapshot.id, bench.node.guests) == ("0001-0001", {})


def test_a_guest_whose_engine_is_gone_ends_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    bench = Bench(tmp_path, Recorder(), image="img")
    freezing.begin(bench.node, bench.guest, "the gap ends")

    (said,) = bench.said
    assert isinstance(said, Exited)
    assert (said.cause, said.code, bench.node.guests) == ("agent", 74, {})
    assert said.reason.startswith("nothing here could thaw it: neither podman nor docker is on this node")


def asked(*, is_wish: bool, number: int = 7) -> Freeze:
    """What the daemon says where somebody wants the guest frozen."""
    return Freeze(
        id=CommandId(number),
        allocation=AllocationId("a1"),
        job=JobId("1"),
        fence=Fence(1),
        reason="moved",
        is_wish=is_wish,
    )


IN_VAIN = CommandFailed(command=CommandId(7), reason="criu: no", transient=False)


def test_one_whose_freeze_was_only_wished_for_runs_on_where_it_fails_and_that_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(failure=failed()))
    on_command(bench.node, asked(is_wish=True), "")

    assert bench.runtime.asked == [("freeze", bench.name)]
    assert (bench.guest.phase, bench.guest.stop, bench.told) == (Phase.RUNNING, None, [IN_VAIN])
    on_command(bench.node, asked(is_wish=True), "")  # told again, after a restart of the daemon
    assert (bench.guest.stop, bench.told) == (None, [IN_VAIN, IN_VAIN])
    on_command(bench.node, asked(is_wish=False, number=8), "")
    assert bench.guest.stop == Stop(JobId("1"), Fence(1), "moved")


def test_one_that_cannot_be_frozen_at_all_is_left_alone_by_a_wish(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder())
    bench.guest.method = FreezeMethod.NONE
    on_command(bench.node, asked(is_wish=True), "")

    because = "it cannot be frozen on this node"
    assert (bench.runtime.asked, bench.guest.stop) == ([], None)
    assert bench.told == [CommandFailed(command=CommandId(7), reason=because, transient=False)]


class Interrupted(Recorder):
    """Somebody says something while it freezes."""

    def freeze(self, name: ContainerName, into: Path) -> FrozenState:
        self.meanwhile()
        return super().freeze(name, into)


def test_whoever_is_to_go_in_any_case_by_the_time_a_wished_freeze_fails_is_ended(tmp_path: Path) -> None:
    bench = Bench(tmp_path, runtime := Interrupted(failure=failed()))
    runtime.meanwhile = lambda: on_command(bench.node, asked(is_wish=False, number=8), "")
    on_command(bench.node, asked(is_wish=True), "")

    assert bench.guest.stop == Stop(JobId("1"), Fence(1), "moved")
    assert bench.told == []


def test_one_that_somebody_wishes_frozen_and_that_does_not_listen_runs_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(), FreezeMethod.APP)
    bench.guest.method, bench.guest.wish = FreezeMethod.APP, CommandId(7)

    freezing.begin(bench.node, bench.guest, "frozen by its user")

    assert (bench.guest.phase, bench.runtime.asked) == (Phase.RUNNING, [])
    reason = "it has no handler for SIGUSR1"
    assert bench.told == [CommandFailed(command=CommandId(7), reason=reason, transient=False)]
