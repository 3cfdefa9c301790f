"""The agent's own life: daemons that go away, leases that run out, agents that are killed and follow each other."""

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from idleq.ids import Fence, JobId, Millis
from idleq.scheduler import codec
from idleq.scheduler.core.inputs import AgentInput, AgentReady, Exited, Frozen, Progressed
from idleq.scheduler.spool import Answer, DaemonSpool
from support.agents import PATIENCE_SECONDS, FakeDaemon, StartAgent, python, saver, shell, spec, survivors
from support.agents import agent as running_agent
from testbed.waiting import wait_for


def written(daemon: FakeDaemon) -> list[AgentInput]:
    lines = daemon.paths.allocation(daemon.allocation).reports.read_bytes().splitlines()
    return [codec.decode_plain(line["kind"], line["body"], AgentInput) for line in map(json.loads, lines)]


def test_guests_outlive_a_daemon_that_goes_away_and_another_one_hears_of_them(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    daemon.wait_until_ready()
    daemon.launch(saver(100_000))
    daemon.wait_for_kind(Progressed)
    daemon.stop(renew=True)
    daemon.start()
    ready = daemon.wait_until_ready(2)
    assert ready.guests == ((JobId("1"), Fence(1)),)
    daemon.freeze()
    assert isinstance(daemon.wait_for_end(), Frozen)


def test_what_happened_while_the_daemon_was_away_is_told_when_it_is_back(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    agent = start_agent()
    daemon.launch(shell("until [ -e $IDLEQ_CONTROL/go ]; do sleep 0.05; done; exit 4"))
    daemon.wait_for(lambda said: len(said) >= 2)
    daemon.stop()
    (control,) = Path(f"/proc/{survivors(daemon)[0]}/cwd").resolve().parent.glob("control")
    (control / "go").touch()
    daemon.start()
    end = daemon.wait_for_end()
    assert isinstance(end, Exited)
    assert (end.code, end.cause) == (4, "workload")
    assert agent.process.poll() is None


def test_when_the_lease_runs_out_everything_is_frozen_and_the_agent_leaves_with_its_reports_on_the_disk(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    daemon.lease_ms = 8000
    agent = start_agent()
    daemon.launch(saver(100_000))
    daemon.wait_for_kind(Progressed)
    daemon.stop()
    assert agent.wait() == (0, "")
    end = next(said for said in written(daemon) if isinstance(said, Frozen))
    assert end.reason == "the daemon is silent"
    assert survivors(daemon) == []


def test_an_agent_whose_allocation_is_over_kills_its_guests_and_leaves(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    agent = start_agent()
    daemon.launch(saver(100_000))
    daemon.wait_for_kind(Progressed)
    daemon.leave = True
    assert agent.wait() == (0, "")
    assert survivors(daemon) == []


def test_an_agent_without_an_allocation_does_not_start(start_agent: StartAgent) -> None:
    agent = start_agent(allocation="a2")
    code, output = agent.wait()
    assert (code, output.partition(":")[0]) == (36, "AllocationUnknown there is no allocation a2")


def test_a_second_agent_of_an_allocation_does_not_start(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    first = start_agent()
    daemon.launch(saver(100_000))
    daemon.wait_for_kind(Progressed)
    code, output = start_agent().wait()
    assert (code, f"process {first.pid}" in output) == (35, True)
    daemon.freeze()
    assert isinstance(daemon.wait_for_end(), Frozen)


def test_a_second_agent_that_sees_no_name_of_the_first_does_not_touch_its_guests(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    daemon.launch(saver(100_000))
    daemon.wait_for_kind(Progressed)
    daemon.paths.allocation(daemon.allocation).agent.unlink()
    code, output = start_agent().wait()
    assert (code, "it has only just begun" in output) == (35, True)
    daemon.freeze()
    assert isinstance(daemon.wait_for_end(), Frozen)


def test_an_agent_that_follows_a_killed_one_ends_its_guests_and_tells_what_it_had_written(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    first = start_agent()
    daemon.launch(shell("exit 5"), job="1")
    daemon.launch(saver(100_000), job="2")
    end = daemon.wait_for_end("1")
    daemon.wait_for_kind(Progressed)
    os.kill(first.pid, signal.SIGKILL)
    first.process.wait()
    (orphan,) = survivors(daemon)
    daemon.said.clear()
    daemon._taken = 0
    start_agent()
    ready = daemon.wait_until_ready(2)
    assert ready.guests == ()
    assert daemon.wait_for_end("1") == end
    assert orphan not in survivors(daemon)


def test_a_full_disk_under_the_log_ends_neither_the_agent_nor_a_guest(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    daemon.paths.allocation(daemon.allocation).log.symlink_to("/dev/full")
    agent = start_agent()
    daemon.launch(saver(100_000), job="1")
    daemon.wait_for_kind(Progressed)
    daemon.launch(shell("exit 3"), job="2")
    end = daemon.wait_for_end("2")
    assert isinstance(end, Exited)
    assert (end.code, end.cause) == (3, "workload")
    daemon.freeze("1")
    assert isinstance(daemon.wait_for_end("1"), Frozen)
    daemon.leave = True
    assert agent.wait() == (0, "")


UNREADABLE = """
import os, pathlib, time
checkpoint, control = (pathlib.Path(os.environ[name]) for name in ("IDLEQ_CHECKPOINT_DIR", "IDLEQ_CONTROL"))
(checkpoint / "generation-1").mkdir()
(control / "saved.jsonl").write_text('{"step": 1}\\n' + "[" * 200_000 + "\\n")
time.sleep(600)
"""


def test_a_guest_that_tells_of_its_saves_in_what_nobody_can_read_harms_nobody(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    daemon.launch(saver(100_000), job="1")
    daemon.launch(python(UNREADABLE), job="2")
    log = daemon.paths.allocation(daemon.allocation).log
    daemon.wait_for_kind(Progressed)
    wait_for("the save to be looked at", lambda: "agent.save_skipped" in log.read_text(), seconds=PATIENCE_SECONDS)
    daemon.freeze("1")
    assert isinstance(daemon.wait_for_end("1"), Frozen)


def test_an_agent_stays_idle_without_asking_all_the_time(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent(pace={"wait_ms": 500})
    daemon.wait_until_ready()
    before = daemon.exchanges
    daemon.launch(shell("sleep 2"))
    daemon.wait_for_end()
    # Each exchange is kept waiting by the daemon; what runs meanwhile makes at most a few more.
    assert daemon.exchanges - before < 20


def test_jobs_run_over_files_alone(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    daemon.stop()
    files = DaemonSpool(daemon.paths, 1)
    agent = start_agent(transport="spool")
    first = daemon.launch(saver(3, 0), job="1")
    second = daemon.launch(spec("no-such-program"), job="2")
    for command in (first, second):
        files.send(command)
    inbox = daemon.paths.allocation(daemon.allocation).inbox
    keep_answering(daemon, files, lambda: _is_over(daemon) and not list(inbox.iterdir()))
    ends = {said.job: said.code for said in written(daemon) if isinstance(said, Exited)}
    assert ends == {"1": 0, "2": 127}
    assert isinstance(written(daemon)[0], AgentReady)
    files.forget(daemon.allocation)
    assert agent.wait() == (0, "")


def _is_over(daemon: FakeDaemon) -> bool:
    path = daemon.paths.allocation(daemon.allocation).reports
    return path.exists() and sum(isinstance(said, Exited) for said in written(daemon)) == 2


def keep_answering(daemon: FakeDaemon, files: DaemonSpool, until: Callable[[], bool]) -> None:
    """Answer each question of the agent until something is so."""
    patience = threading.Event()
    for _ in range(600):
        question = files.question(daemon.allocation)
        if question is not None:
            answer = Answer(beat=question.beat, taken=0, lease_ms=Millis(60_000), leave=False, daemon="d")
            files.answer(daemon.allocation, answer)
        if until():
            return
        patience.wait(0.1)
    raise AssertionError("the agent has not done it")


def test_an_agent_leaves_the_guests_of_another_server_directory_alone(
    daemon: FakeDaemon, start_agent: StartAgent, tmp_path: Path
) -> None:
    start_agent()
    daemon.launch(saver(100_000))
    daemon.wait_for_kind(Progressed)
    other = FakeDaemon(tmp_path / "other" / "server")
    other.start()
    with running_agent(other, tmp_path / "other" / "scratch"):
        other.wait_until_ready()
    other.stop()
    daemon.freeze()
    assert isinstance(daemon.wait_for_end(), Frozen)
