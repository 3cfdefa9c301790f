"""The daemon as a process of its own, with the cluster of this machine, real agents and real guests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from idleq.bootstrap import stop_cluster
from idleq.ids import Fence, JobId
from idleq.scheduler.api.client import Client
from idleq.scheduler.core.submission import PYTHON
from idleq.scheduler.errors import DaemonAway
from idleq.scheduler.paths import ServerPaths
from support.daemon import a_job

JOB = a_job().submissions[0]
PATIENCE_S = 60


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[ServerPaths]:
    paths = ServerPaths(tmp_path / "server")
    yield paths
    stop_cluster(paths.root)


class Started:
    """A daemon process."""

    def __init__(self, paths: ServerPaths) -> None:
        argv = [sys.executable, "-m", "idleq", "--server-dir", str(paths.root), "daemon", "run", "--cluster", "local"]
        self._paths = paths
        self._process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def client(self) -> Client:
        """Return a client, once this very process answers."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                client = Client.for_directory(self._paths)
                if client.access.pid == self._process.pid:
                    return client
            except DaemonAway:
                pass
            time.sleep(0.05)
        pytest.fail(f"the daemon did not come up: {self.end(signal.SIGKILL)}")

    def end(self, how: signal.Signals | None = None) -> tuple[int, str]:
        """Send it a signal, if one is named; return its exit code and what it printed."""
        if how is not None:
            self._process.send_signal(how)
        printed, _ = self._process.communicate(timeout=PATIENCE_S)
        return self._process.returncode, printed.decode()


def outlook(client: Client, job: str) -> tuple[int, int, bool]:
    """Wait for a job; return how many of its jobs are done and failed, and whether it is over."""
    deadline = time.monotonic() + PATIENCE_S
    seen = client.wait([JobId(job)], timeout_ms=5_000)
    while not seen["is_over"] and time.monotonic() < deadline:
        seen = client.wait([JobId(job)], timeout_ms=5_000)
    return seen["jobs"][0]["done"], seen["jobs"][0]["failed"], seen["is_over"]


@pytest.mark.slow
def test_a_daemon_that_is_killed_goes_on_where_it_was_and_one_that_is_asked_leaves_in_order(paths: ServerPaths) -> None:
    first = Started(paths)
    client = first.client()
    assert client.submit([JOB], "r1", "ada")["entries"] == [1]
    first.end(signal.SIGKILL)
    client.close()
    assert paths.access.exists()

    second = Started(paths)
    client = second.client()
    try:
        assert client.submit([JOB], "r1", "ada")["entries"] == [1]
        assert client.submit([JOB], "r2", "ada")["entries"] == [2]
        assert (outlook(client, "1"), outlook(client, "2")) == ((1, 0, True), (1, 0, True))
        assert os.path.lexists(paths.job(JobId("1")).result)
        code, printed = Started(paths).end()
        assert (code, "serves" in printed) == (13, True)
    finally:
        client.close()
        code, printed = second.end(signal.SIGTERM)
    assert (code, printed) == (0, "")
    assert not paths.access.exists()


def test_a_guest_of_this_machines_own_cores_runs_when_nobody_else_here_wants_to(paths: ServerPaths) -> None:
    says_niceness = (PYTHON, "-c", "import os; print(os.nice(0))")
    job = structs.replace(JOB, spec=structs.replace(JOB.spec, argv=says_niceness))
    started = Started(paths)
    client = started.client()
    try:
        assert client.submit([job], "r1", "ada")["entries"] == [1]
        assert outlook(client, "1") == (1, 0, True)
    finally:
        client.close()
        started.end(signal.SIGTERM)
    assert paths.job(JobId("1")).segment(Fence(1)).stdout.read_text() == "19\n"


@pytest.mark.parametrize("command", ["start", "once"])
def test_a_cluster_named_on_the_command_line_reaches_the_daemon(paths: ServerPaths, command: str) -> None:
    argv = [sys.executable, "-m", "idleq", "--server-dir", str(paths.root), "daemon", command, "--cluster", "moon"]
    run = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert (run.returncode, run.stderr.splitlines()[-1]) == (
        20,
        "idleq: there is no cluster 'moon': it may be embedded or local or slurm",
    )
