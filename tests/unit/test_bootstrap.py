"""What a daemon finds in its server directory before it begins."""

import os
from pathlib import Path
from typing import Literal

import pytest

from idleq import bootstrap
from idleq.ids import AllocationId, CommandId, Millis, NodeName
from idleq.processes import boot_id, started
from idleq.scheduler.clock import SystemClock
from idleq.scheduler.config import Config, EmbeddedSettings, LocalSettings, ServerSettings, SlurmSettings
from idleq.scheduler.core.commands import Mode, RequestAllocation
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.errors import BadConfig
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.slurm.errors import SlurmRefused
from idleq.simulator.beginning import begin
from idleq.simulator.book import AgentStarted, Begun, Book, Over
from idleq.simulator.settings import read_settings

Transport = Literal["auto", "api", "spool"]

A1, NOON = AllocationId("a1"), Millis(1_767_607_200_000)
LOCAL, EMBEDDED = LocalSettings(cores=1), EmbeddedSettings()


def make_world(
    paths: ServerPaths, cluster: LocalSettings | EmbeddedSettings, at: int = NOON, transport: Transport = "auto"
) -> None:
    """Begin with that cluster, as a daemon does."""
    config = Config(cluster=cluster, server=ServerSettings(transport=transport))
    begin(paths.root, bootstrap._world(paths, config, cluster, Millis(at)), lambda: bootstrap.stop_cluster(paths.root))


@pytest.fixture
def paths(tmp_path: Path) -> ServerPaths:
    """A server directory whose local cluster hosts one agent: this very process."""
    paths = ServerPaths(tmp_path / "server")
    paths.create()
    make_world(paths, LOCAL)
    book = Book(paths.cluster.allocations)
    book.add(
        RequestAllocation(
            id=CommandId(1), allocation=A1, mode=Mode.PREEMPTIBLE, node=None, resources=Resources(1, 1),
            min_ms=Millis(1), max_ms=Millis(2),
        )
    )  # fmt: skip
    book.add(Begun(allocation=A1, node=NodeName("n1"), until=NOON))
    book.add(
        AgentStarted(allocation=A1, pid=os.getpid(), started=started(os.getpid()) or 0, machine_boot=boot_id()),
    )
    book.close()
    return paths


def test_another_cluster_is_refused_while_allocations_live(paths: ServerPaths) -> None:
    before = read_settings(paths.root)
    with pytest.raises(BadConfig, match=r"1 of our allocations .* start as before, .*`idleq daemon stop --cluster`"):
        make_world(paths, EMBEDDED)
    assert read_settings(paths.root) == before


def test_the_same_cluster_goes_on_as_it_began(paths: ServerPaths) -> None:
    make_world(paths, LOCAL, NOON + 1)
    assert read_settings(paths.root).start == NOON


def test_agents_are_started_another_way_once_none_of_before_lives(paths: ServerPaths) -> None:
    before = read_settings(paths.root)
    make_world(paths, LOCAL, NOON + 1, transport="spool")
    assert read_settings(paths.root) == before

    book = Book(paths.cluster.allocations)
    book.add(Over(allocation=A1, reason="its agent has left"))
    book.close()
    make_world(paths, LOCAL, NOON + 1, transport="spool")
    after = read_settings(paths.root)
    assert (after.start, "spool" in after.agent_argv, "spool" in before.agent_argv) == (NOON + 1, True, False)


def test_another_cluster_begins_when_no_allocation_lives(paths: ServerPaths) -> None:
    book = Book(paths.cluster.allocations)
    book.add(Over(allocation=A1, reason="its agent has left"))
    book.close()
    make_world(paths, EMBEDDED)
    assert len(read_settings(paths.root).nodes) == 4


def test_slurm_is_refused_while_allocations_live_on_this_machine(paths: ServerPaths) -> None:
    with pytest.raises(BadConfig, match="1 of our allocations"):
        bootstrap._cluster(paths, Config(cluster=SlurmSettings()), SystemClock())


def test_a_daemon_that_has_no_commands_of_slurms_says_where_it_must_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    paths = ServerPaths(tmp_path / "server")
    paths.create()

    with pytest.raises(SlurmRefused, match="must run where Slurm's commands are"):
        bootstrap._cluster(paths, Config(cluster=SlurmSettings()), SystemClock())


def test_a_site_is_asked_as_rarely_as_was_set_and_this_machine_often() -> None:
    assert bootstrap._pace(Config(cluster=SlurmSettings(poll_ms=Millis(9000)))) == (9000, 9000)
    assert bootstrap._pace(Config(cluster=LOCAL)) == (bootstrap.POLL_MS, bootstrap.CALM_MS)


def test_where_agents_are_heard_by_files_their_machine_is_never_asked_more_rarely() -> None:
    by_files = Config(cluster=LOCAL, server=ServerSettings(transport="spool"))
    assert bootstrap._pace(by_files) == (bootstrap.POLL_MS, bootstrap.POLL_MS)
