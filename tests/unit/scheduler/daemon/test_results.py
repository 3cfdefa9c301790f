from pathlib import Path

import pytest

from idleq.ids import Fence, JobId, SnapshotId
from idleq.scheduler.paths import JobPaths, ServerPaths
from idleq.scheduler.results import LinkedResults


@pytest.fixture(params=["17", "17_3"])
def job(request: pytest.FixtureRequest) -> JobId:
    return JobId(request.param)


@pytest.fixture
def paths(weird_tmp_path: Path) -> ServerPaths:
    return ServerPaths(weird_tmp_path)


@pytest.fixture
def where(paths: ServerPaths, job: JobId) -> JobPaths:
    """The job's directory, with two segments and a snapshot."""
    where = paths.job(job)
    for fence in (1, 2):
        output = where.segment(Fence(fence)).output
        output.mkdir(parents=True)
        (output / "answer").write_text(str(fence))
    where.snapshot(SnapshotId("s1")).files.mkdir(parents=True)
    return where


def test_the_result_is_the_accepted_segments_output(paths: ServerPaths, job: JobId, where: JobPaths) -> None:
    LinkedResults(paths).publish(job, Fence(2))
    assert (where.result / "answer").read_text() == "2"
    assert str(where.result.readlink()) == "segments/0002/output"


def test_the_snapshots_of_a_finished_job_are_removed(paths: ServerPaths, job: JobId, where: JobPaths) -> None:
    LinkedResults(paths).publish(job, Fence(1))
    assert sorted(child.name for child in where.root.iterdir()) == ["result", "segments"]


def test_to_publish_twice_changes_nothing(paths: ServerPaths, job: JobId, where: JobPaths) -> None:
    results = LinkedResults(paths)
    results.publish(job, Fence(1))
    made = where.result.lstat()
    results.publish(job, Fence(1))
    assert where.result.lstat() == made


def test_what_a_crash_left_half_done_is_finished(paths: ServerPaths, job: JobId, where: JobPaths) -> None:
    (where.root / ".result").symlink_to("nowhere")
    LinkedResults(paths).publish(job, Fence(2))
    assert (where.result / "answer").read_text() == "2"


def test_a_job_without_output_has_a_result_all_the_same(paths: ServerPaths) -> None:
    LinkedResults(paths).publish(JobId("5"), Fence(1))
    assert str(paths.job(JobId("5")).result.readlink()) == "segments/0001/output"
