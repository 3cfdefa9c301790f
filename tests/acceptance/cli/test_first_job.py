"""A person's first minutes: the real daemon, agents and jobs, on this machine's own cores."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from idleq.processes import started
from testbed.waiting import wait_for

LOCAL = "[cluster]\nkind = 'local'\ncores = 2\nmemory = '1G'\n"


@pytest.fixture
def running(idleq: Any) -> Any:
    """A daemon runs."""
    idleq.configure(LOCAL)
    begun = idleq("daemon", "start")
    assert begun.code == 0, begun.err
    return idleq


def test_a_job_is_submitted_waited_for_and_read(idleq: Any) -> None:
    idleq.configure(LOCAL)
    script = "echo hello; echo oops >&2; exit 3"

    submitted = idleq("submit", "--start-daemon", "--memory", "64M", "--", "sh", "-c", script)
    waited = idleq("wait", "1")

    assert (submitted.code, submitted.out) == (0, "Submitted job 1 (sh)\n")
    assert (waited.code, waited.out) == (3, "1 failed: exit code 3 (`idleq logs --stderr 1` shows what it said)\n")
    assert idleq("logs", "1").out == "hello\n"
    assert idleq("logs", "1", "--stderr").out == "oops\n"
    assert idleq("ps").out == "No jobs wait or run.\n"
    assert [job["state"] for job in idleq("ps", "--all", "--json").json["jobs"]] == ["failed"]


def test_a_named_workload_leaves_its_result(running: Any) -> None:
    assert running("submit", "count", "--steps", "2").code == 0

    waited = running("wait", "1")

    result = running.server_dir / "jobs" / "1" / "result"
    assert (waited.code, waited.out) == (0, f"1 done: its result is in {result}\n")
    assert f"Output     {result}\n" in running("ps", "1").out
    assert result.is_symlink()
    assert '"steps": 2' in (result / "result.json").read_text()


def test_following_the_logs_ends_with_the_job(running: Any) -> None:
    running("submit", "--memory", "64M", "--", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.4; done")

    followed = running("logs", "1", "--follow")

    assert (followed.code, followed.out) == (0, "1\n2\n3\n")


def test_jobs_of_a_file_run_one_after_the_other(running: Any, tmp_path: Path) -> None:
    file, shared = tmp_path / "jobs.toml", tmp_path / "shared"
    file.write_text(f"""
        [[job]]
        name = "first"
        memory = "64M"
        command = ["sh", "-c", "sleep 0.5; echo made > {shared}"]
        [[job]]
        name = "second"
        memory = "64M"
        command = ["cat", "{shared}"]
        after = ["first"]
    """)

    assert running("submit", "--file", str(file)).out == "Submitted job 1 (first)\nSubmitted job 2 (second)\n"

    assert running("wait", "1", "2").code == 0
    assert running("logs", "2").out == "made\n"


def test_an_array_runs_every_task(running: Any) -> None:
    running("submit", "--memory", "64M", "--array", "0-4%2", "--", "sh", "-c", "echo task $IDLEQ_ARRAY_INDEX")

    over, results = running("wait", "1").out.splitlines()
    assert over == "1 is over: 5 of 5 done, 0 failed, 0 cancelled"
    assert results == f"Its results are in {running.server_dir}/jobs/1/*/result"
    assert [running("logs", f"1_{task}").out for task in range(5)] == [f"task {task}\n" for task in range(5)]


def test_a_job_is_held_released_and_cancelled(running: Any) -> None:
    running("submit", "--hold", "--memory", "64M", "--", "sleep", "60")
    held = running("explain", "1", "--json").json
    assert (held["state"], running("release", "1").code) == ("held", 0)

    assert running("cancel", "1").code == 0

    assert (running("wait", "1").code, running("release", "1").code) == (1, 17)


def test_a_paused_idleq_starts_nothing(running: Any) -> None:
    running("pause", "--reason", "maintenance")
    running("submit", "--memory", "64M", "--", "true")

    assert "idleq is paused: maintenance" in running("explain", "1").out
    assert running("wait", "1", "--timeout", "1s").code == 64

    running("resume")
    assert running("wait", "1").code == 0


def test_what_ran_goes_on_without_the_daemon_and_is_found_again(running: Any) -> None:
    running("submit", "--memory", "64M", "--", "sh", "-c", "sleep 3; echo late")
    deadline = time.monotonic() + 30
    while running("ps", "--json").json["jobs"][0]["state"] != "running" and time.monotonic() < deadline:
        time.sleep(0.2)

    assert running("daemon", "stop").code == 0
    assert running("ps").code == 14
    assert running("daemon", "start").code == 0

    assert running("wait", "1").code == 0
    assert (running("logs", "1").out, len(list((running.server_dir / "jobs/1/segments").iterdir()))) == ("late\n", 1)


def test_stop_with_the_cluster_leaves_no_process(running: Any) -> None:
    running("submit", "--memory", "64M", "--", "sleep", "300")
    cluster = running("daemon", "stop", "--json").json["cluster"]
    assert Path(f"/proc/{cluster}").exists()

    stopped = running("daemon", "stop", "--cluster")

    assert (stopped.code, stopped.out) == (0, f"Stopped the cluster of {running.server_dir}\n")
    deadline = time.monotonic() + 30  # the daemon lets go of the directory a moment before its process is gone
    while processes_of(running.server_dir) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert processes_of(running.server_dir) == []


def processes_of(server_dir: Path) -> list[str]:
    """Command lines of the processes that have to do with *server_dir*."""
    lines = [
        file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        for file in Path("/proc").glob("[0-9]*/cmdline")
        if file.exists()
    ]
    return [line for line in lines if str(server_dir) in line]


def test_two_daemons_do_not_share_a_directory(running: Any) -> None:
    before = running("daemon", "status", "--json").json

    for arguments in (("daemon", "start"), ("daemon", "run"), ("daemon", "once")):
        outcome = running(*arguments)
        assert outcome.code == 13
        assert str(running.server_dir) in outcome.err

    assert running("daemon", "status", "--json").json == before


def test_a_port_in_use_is_told_with_its_exit_code(idleq: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        idleq.configure(f"[server]\nport = {port}\n{LOCAL}")

        outcome = idleq("daemon", "start")

    assert outcome.code == 15
    assert f"127.0.0.1 port {port}: Address already in use; set server.port to another one" in outcome.err
    assert not (idleq.server_dir / "access.json").exists()


def test_a_wrong_config_is_told_with_its_exit_code(idleq: Any) -> None:
    idleq.configure("[policy]\ngarce = '5s'\n")

    outcome = idleq("daemon", "start", "--json")

    assert outcome.code == 20
    assert "policy.grace" in outcome.json["error"]["message"]


def test_cores_over_any_nodes_are_refused(running: Any) -> None:
    outcome = running("submit", "--cores", "64", "count")

    assert outcome.code == 19
    assert "no node is large enough: the largest has 2 cores" in outcome.err
    assert running("ps", "--all", "--json").json["jobs"] == []


def test_the_report_comes_from_the_journal_alone(running: Any, tmp_path: Path) -> None:
    running("submit", "--memory", "64M", "--", "sleep", "1")
    running("wait", "1")
    running("daemon", "stop")
    page = tmp_path / "report.html"

    text, value = running("report", "--html", str(page)), running("report", "--json").json

    assert text.code == 0
    assert text.out.startswith("idleq report: ")
    assert [job["job"] for job in value["jobs"]] == ["1"]
    assert "<html" in page.read_text()


def test_a_job_starts_in_the_folder_that_it_names_and_leaves_its_result_in_its_own(
    running: Any, tmp_path: Path
) -> None:
    (tmp_path / "given").write_text("data\n")
    script = "cat given; cp given $IDLEQ_OUTPUT_DIR/copy"

    running("submit", "--memory", "64M", "--workdir", ".", "--", "sh", "-c", script, folder=tmp_path)

    assert running("wait", "1").code == 0
    assert running("logs", "1").out == "data\n"
    assert [path.name for path in (running.server_dir / "jobs" / "1" / "result").iterdir()] == ["copy"]


def test_a_command_is_tried_before_it_is_submitted_and_no_daemon_is_needed(idleq: Any) -> None:
    counted = idleq("try", "--json", "count", "--steps", "20", "--step-seconds", "0.05")
    assert counted.code == 0, counted.err
    assert counted.json["advice"] in {"app", "auto"}
    assert counted.json["tried"][1]["works"] is True
    plain = idleq("try", "--env", "A=b c", "--", "sh", "-c", "echo begun; sleep 1; echo done > out; trap '' USR1")
    failing = idleq("try", "--", "sh", "-c", "echo no input >&2; exit 3")
    assert plain.code in {84, 0}  # 0 where criu is
    assert "app     no     it has no handler for SIGUSR1" in plain.out
    assert " --env 'A=b c' -- sh -c " in plain.out
    assert (failing.code, failing.err) == (83, "idleq: undisturbed it ends with exit code 3, and says: no input\n")


def test_a_trial_that_is_told_to_end_leaves_nothing_running(tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; sleep 600"
    argv = [sys.executable, "-m", "idleq", "try", "--", "sh", "-c", script]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as trying:
        wait_for("the command", (tmp_path / "pid").exists, seconds=60)
        pid = int((tmp_path / "pid").read_text())
        trying.terminate()
        assert trying.wait(60) == 128 + signal.SIGTERM
    assert started(pid) is None
