import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idleq.ids import AllocationId, CommandId, EntryId, Fence, JobId, NodeName, SnapshotId, job_id
from idleq.scheduler.errors import BadMessage, ServerDirectoryUnsafe, ServerDirectoryUnusable
from idleq.scheduler.paths import ServerPaths

ROOT = ServerPaths(Path("/s"))
HOSTILE = ["", ".", "..", "../x", "a/b", "/etc", ".hidden", "a\0b", "x" * 201, "é" * 101]


@pytest.mark.parametrize(
    ("environment", "root"),
    [
        ({"IDLEQ_SERVER_DIR": "/srv/q", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/srv/q"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/idleq"),
        ({"HOME": "/h", "IDLEQ_SERVER_DIR": "", "XDG_STATE_HOME": ""}, "/h/.local/state/idleq"),
    ],
)
def test_the_directory_is_the_named_one_else_the_users_state(environment: dict[str, str], root: str) -> None:
    assert ServerPaths.from_environment(environment) == ServerPaths(Path(root))


def test_a_relative_directory_is_taken_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert ServerPaths.from_environment({"IDLEQ_SERVER_DIR": "q"}).root == tmp_path / "q"


def test_every_file_has_its_place() -> None:
    allocation = ROOT.allocation(AllocationId("a12"))
    task = ROOT.job(JobId("17_3"))
    segment = task.segment(Fence(2))
    snapshot = task.snapshot(SnapshotId("s1"))
    cluster = ROOT.cluster
    names = [ROOT.config, ROOT.access, ROOT.key, ROOT.certificate, ROOT.journal, ROOT.log, ROOT.lock]
    names += [allocation.question, allocation.answer, allocation.agent_lock]
    names += [allocation.token, allocation.agent, allocation.reports, allocation.log, allocation.command(CommandId(7))]
    names += [
        ROOT.job(JobId("17")).result,
        task.result,
        segment.stdout,
        segment.stderr,
        segment.output,
        segment.manifest,
    ]
    names += [snapshot.manifest, snapshot.files, snapshot.checkpoint, snapshot.output]
    names += [cluster.settings, cluster.socket, cluster.lock, cluster.log, cluster.allocations]
    names += [cluster.scratch(NodeName("n3"), AllocationId("a12"))]
    assert [str(name.relative_to("/s")) for name in names] == [
        "config.toml",
        "access.json",
        "key.pem",
        "cert.pem",
        "journal.db",
        "daemon.log",
        "lock",
        "allocations/a12/question.json",
        "allocations/a12/answer.json",
        "allocations/a12/agent.lock",
        "allocations/a12/token",
        "allocations/a12/agent.json",
        "allocations/a12/reports.jsonl",
        "allocations/a12/agent.log",
        "allocations/a12/inbox/000000000007.json",
        "jobs/17/result",
        "jobs/17/3/result",
        "jobs/17/3/segments/0002/stdout",
        "jobs/17/3/segments/0002/stderr",
        "jobs/17/3/segments/0002/output",
        "jobs/17/3/segments/0002/manifest.json",
        "jobs/17/3/snapshots/s1/manifest.json",
        "jobs/17/3/snapshots/s1/files",
        "jobs/17/3/snapshots/s1/files/checkpoint",
        "jobs/17/3/snapshots/s1/files/output",
        "cluster/settings.json",
        "cluster/socket",
        "cluster/lock",
        "cluster/cluster.log",
        "cluster/allocations.jsonl",
        "cluster/nodes/n3/scratch/a12",
    ]


@given(entry=st.integers(1, 10**18 - 1), index=st.none() | st.integers(0, 10**9 - 1))
@settings(deadline=None)
def test_two_jobs_never_share_a_directory_name(entry: int, index: int | None) -> None:
    parts = [str(entry)] if index is None else [str(entry), str(index)]
    assert ROOT.job(job_id(EntryId(entry), index)).root == Path("/s/jobs", *parts)


@pytest.mark.parametrize(
    "name",
    [
        *HOSTILE,
        "17_",
        "_3",
        "17_3_4",
        "-1",
        "1_-1",
        " 17",
        "017",
        "0",
        "1_07",
        f"1_{10**9}",
        "1.5",
        "17\n",
        "\u0661\u0667",
    ],
)
def test_what_is_no_jobs_name_gets_no_path(name: str) -> None:
    with pytest.raises(BadMessage, match="no job's name"):
        ROOT.job(JobId(name))


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leads_out_of_its_directory(name: str) -> None:
    with pytest.raises(BadMessage, match="cannot be a file's name"):
        ROOT.allocation(AllocationId(name))
    with pytest.raises(BadMessage, match="cannot be a file's name"):
        ROOT.job(JobId("1")).snapshot(SnapshotId(name))
    with pytest.raises(BadMessage, match="cannot be a file's name"):
        ROOT.cluster.scratch(NodeName(name), AllocationId("a1"))


def test_created_directories_are_for_nobody_else_whatever_the_umask(tmp_path: Path) -> None:
    paths = ServerPaths(tmp_path / "a" / "b" / "idleq")
    before = os.umask(0)
    try:
        paths.create()
        paths.create()
    finally:
        os.umask(before)
    made = (paths.root, paths.allocations, paths.jobs, paths.cluster.root)
    assert [path.stat().st_mode & 0o777 for path in made] == [0o700] * 4
    paths.check()


def test_where_there_is_no_directory_nothing_is_wrong(tmp_path: Path) -> None:
    ServerPaths(tmp_path / "none").check()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o720, 0o701, 0o777])
def test_a_directory_open_to_others_is_refused_with_what_to_type(tmp_path: Path, mode: int) -> None:
    paths = ServerPaths(tmp_path / "my queue")
    paths.root.mkdir()
    paths.root.chmod(mode)
    for act in (paths.check, paths.create):
        with pytest.raises(
            ServerDirectoryUnsafe, match=f"open to others .mode {mode:o}.; type: chmod 700 '.*/my queue'"
        ):
            act()
    assert list(paths.root.iterdir()) == []


def test_a_directory_inside_that_is_open_to_others_is_refused(tmp_path: Path) -> None:
    paths = ServerPaths(tmp_path / "q")
    paths.create()
    paths.allocations.chmod(0o755)
    with pytest.raises(ServerDirectoryUnsafe, match="allocations is open to others"):
        paths.check()


@pytest.mark.parametrize("target", ["real", "missing"])
def test_a_link_is_refused_and_says_where_it_leads(tmp_path: Path, target: str) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    paths = ServerPaths(tmp_path / "q")
    paths.root.symlink_to(tmp_path / target)
    for act in (paths.check, paths.create):
        with pytest.raises(
            ServerDirectoryUnsafe, match=f"is a link; set IDLEQ_SERVER_DIR to where it leads: .*/{target}"
        ):
            act()


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    paths = ServerPaths(tmp_path / "q")
    paths.root.touch()
    with pytest.raises(ServerDirectoryUnsafe, match="is not a directory; move it away"):
        paths.create()


def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    root = Path("/usr")  # root's, so another's for everybody else
    if os.geteuid() == 0:
        root = tmp_path / "q"
        root.mkdir(mode=0o700)
        os.chown(root, 65534, 65534)
    with pytest.raises(
        ServerDirectoryUnsafe, match=r"belongs to user \d+; set IDLEQ_SERVER_DIR to a directory of your own"
    ):
        ServerPaths(root).check()


def test_a_directory_that_cannot_be_made_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    paths = ServerPaths(tmp_path / "file" / "server")

    paths.check()  # nothing is there
    with pytest.raises(ServerDirectoryUnusable) as caught:
        paths.create()

    assert str(caught.value) == (
        f"the server directory {paths.root} cannot be made: File exists at {tmp_path}/file;"
        " set IDLEQ_SERVER_DIR to a place of your own"
    )


def test_a_directory_that_cannot_be_looked_into_is_told_with_what_to_do(tmp_path: Path) -> None:
    paths = ServerPaths(tmp_path / ("x" * 300))  # as for a directory of another user's, the kernel gives no answer

    with pytest.raises(
        ServerDirectoryUnusable, match="cannot be looked into: File name too long; set IDLEQ_SERVER_DIR"
    ):
        paths.check()
