import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.resources import Resources
from idleq.simulator.errors import BadSettings, BadTrace
from idleq.simulator.jobs import MainJob, NodeSpec, numbered_nodes, scaled
from idleq.simulator.placement import SizeUnit
from idleq.simulator.settings import (
    ClusterSettings,
    MainLoad,
    busy_settings,
    local_settings,
    main_jobs,
    read_settings,
    write_settings,
)

ARGV = ("idleq", "agent", "{allocation}")
NODE = Resources(2, 1_000)
BUSY = busy_settings(start=Millis(5), agent_argv=ARGV, node=NODE, seed=7)


def test_settings_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_settings(tmp_path, BUSY)
    assert read_settings(tmp_path) == BUSY
    assert (tmp_path / "cluster" / "settings.json").stat().st_mode & 0o777 == 0o600


def test_the_presets_are_the_demonstration_and_this_machine() -> None:
    assert ClusterSettings(start=Millis(5), nodes=numbered_nodes(4, NODE), agent_argv=ARGV, seed=7) == BUSY
    local = local_settings(start=Millis(5), agent_argv=ARGV, node=NODE)
    assert (local.nodes, list(main_jobs(local))) == ((NodeSpec(name=NodeName("n1"), resources=NODE),), [])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nodes": ()}, "at least one node"),
        ({"nodes": (*numbered_nodes(1, NODE), *numbered_nodes(1, NODE))}, "same name"),
        ({"nodes": numbered_nodes(1, Resources(0, 1))}, "at least one core"),
        ({"grace_ms": -1}, "grace"),
        ({"load": 0.0}, "load"),
        ({"mean_run_ms": 0}, "mean run time"),
        ({"speed_up": 0}, "slowed down"),
        ({"slow_down": 0}, "slow_down is at least 1"),
        ({"main": MainLoad.TRACE}, "need its file"),
        ({"agent_argv": ()}, "agents need a command"),
        ({"format": 99}, "another version"),
    ],
)
def test_settings_that_make_no_world_are_refused_before_they_are_written(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    with pytest.raises(BadSettings, match=words):
        write_settings(tmp_path, replace(BUSY, **change))  # type: ignore[arg-type]  # wrong on purpose
    assert not (tmp_path / "cluster").exists()


def test_settings_that_cannot_be_written_say_why(tmp_path: Path) -> None:
    (tmp_path / "cluster").write_text("in the way")
    with pytest.raises(BadSettings, match="cannot be written"):
        write_settings(tmp_path, BUSY)


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"start": 1}), '{"start": "soon"}'])
def test_a_damaged_settings_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "settings.json").write_text(text)
    with pytest.raises(BadSettings, match="cannot be used"):
        read_settings(tmp_path)


def test_a_log_goes_by_faster_and_without_its_beginning(tmp_path: Path) -> None:
    trace = tmp_path / "log.swf"
    trace.write_text("1 100 0 40 1 -1 -1 1 60\n2 160 0 50 2 -1 -1 2 90\n3 190 0 50 9 -1 -1 9 90\n")
    settings = replace(BUSY, main=MainLoad.TRACE, trace=str(trace), speed_up=10, skip_ms=Millis(60_000))
    assert list(main_jobs(settings)) == [MainJob(id=2, submit=0, run=5_000, limit=9_000, size=2)]
    shared = replace(settings, sharing=SizeUnit.CORES, nodes=numbered_nodes(5, NODE), skip_ms=Millis(0))
    assert [job.id for job in main_jobs(shared)] == [1, 2, 3]


def test_a_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = replace(BUSY, main=MainLoad.TRACE, trace=str(tmp_path / "none.swf"))
    with pytest.raises(BadTrace, match=r"none\.swf"):
        main_jobs(settings)


@pytest.mark.parametrize("count", [1, 2, 64])
def test_synthetic_main_jobs_fit_any_number_of_nodes(count: int) -> None:
    settings = replace(BUSY, main=MainLoad.SYNTHETIC, nodes=numbered_nodes(count, NODE))
    assert max(job.size for job in islice(main_jobs(settings), 500)) <= count


def test_times_are_scaled_and_no_duration_vanishes() -> None:
    job = MainJob(id=1, submit=10, run=1, limit=1, size=1)
    assert list(scaled([job], 1, 100)) == [MainJob(id=1, submit=0, run=1, limit=1, size=1)]


def test_busy_main_jobs_take_as_many_times_longer_as_is_said() -> None:
    usual, slow = (list(islice(main_jobs(replace(BUSY, slow_down=times)), 20)) for times in (1, 3))
    assert [(job.submit, job.run, job.limit) for job in slow] == [
        (3 * job.submit, 3 * job.run, 3 * job.limit) for job in usual
    ]
