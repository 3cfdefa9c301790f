"""One segment of one job under a real agent: how it starts, and every way in which it ends."""

import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from idleq.ids import Fence, JobId, Millis
from idleq.machines import Machine
from idleq.migration.manifest import decode, digest_of, encode
from idleq.migration.sealing import Key
from idleq.scheduler.core.commands import Launch, Replan, SegmentPlan
from idleq.scheduler.core.inputs import (
    AgentLeaving,
    CommandFailed,
    Exited,
    Frozen,
    Launched,
    Progressed,
    SnapshotRejected,
)
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import FreezeMethod, Inputs
from idleq.scheduler.paths import JobPaths, SegmentPaths
from support.agents import MEBI, NO_END, FakeDaemon, StartAgent, now, python, saver, shell, spec, survivors

DEAF = (
    "import signal, time; signal.signal(signal.SIGUSR1, signal.SIG_IGN); "
    "open('progress.jsonl', 'w').write('{\"step\": 1}\\n'); time.sleep(600)"
)

# Leaves the session, the group and its parent behind it.
DAEMONISE = "import os, sys, time\nif os.fork(): sys.exit(int(sys.argv[1]))\nos.setsid()\nif os.fork(): sys.exit()\n"


def job_of(daemon: FakeDaemon, job: str = "1") -> JobPaths:
    return daemon.paths.job(JobId(job))


def segment_of(daemon: FakeDaemon, job: str = "1", fence: int = 1) -> SegmentPaths:
    return job_of(daemon, job).segment(Fence(fence))


def frozen(daemon: FakeDaemon, fence: int = 1) -> Frozen:
    end = daemon.wait_for_end(fence=fence)
    assert isinstance(end, Frozen), end
    return end


def exited(daemon: FakeDaemon, job: str = "1", fence: int = 1) -> Exited:
    end = daemon.wait_for_end(job, fence)
    assert isinstance(end, Exited), end
    return end


def how(end: Exited) -> tuple[int, str, str]:
    return end.code, end.cause, end.reason


def plan(freeze_in: int | None, ends_in: int | None) -> SegmentPlan:
    start = now()
    return SegmentPlan(
        freeze_at=None if freeze_in is None else Millis(start + freeze_in),
        ends_at=None if ends_in is None else Millis(start + ends_in),
        save_every_ms=None,
    )


def replan_once_it_runs(daemon: FakeDaemon, launch: Launch, freeze_in: int, ends_in: int) -> None:
    """However slow the machine is, the guest is up and listens before its plan comes to an end."""
    daemon.wait_for_kind(Progressed)
    sooner = plan(freeze_in, ends_in)
    daemon.post(
        Replan(id=daemon.next_id(), allocation=launch.allocation, job=launch.job, fence=launch.fence, plan=sooner)
    )


def test_a_job_that_ends_has_its_output_published_whole_and_its_scratch_removed(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    script = "echo out; echo err >&2; mkdir deep; echo result > deep/file; echo $TMPDIR >&2"
    daemon.launch(shell(script), job="7_3")
    end = exited(daemon, "7_3")
    assert how(end) == (0, "workload", "")
    segment = segment_of(daemon, "7_3")
    assert (segment.stdout.read_text(), segment.stderr.read_text().splitlines()[0]) == ("out\n", "err")
    assert (segment.output / "deep" / "file").read_text() == "result\n"
    manifest = json.loads(segment.manifest.read_bytes())
    assert [entry["path"] for entry in manifest["files"]] == ["deep/file"]
    assert sorted(path.name for path in segment.root.iterdir()) == ["manifest.json", "output", "stderr", "stdout"]
    daemon.leave = True
    assert [type(said) for said in daemon.said[1:]] == [Launched, Exited]


def test_a_guest_sees_a_clean_environment_without_token_or_server_directory(
    daemon: FakeDaemon, start_agent: StartAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDLEQ_SERVER_DIR", str(daemon.paths.root))
    monkeypatch.setenv("SECRET", "x")
    start_agent()
    daemon.launch(shell("env -0 > env"))
    exited(daemon)
    names = {line.partition("=")[0] for line in (segment_of(daemon).output / "env").read_text().split("\0")}
    assert names - {"", "PWD", "SHLVL", "_", "OLDPWD", "LANG"} == {
        "PATH", "HOME", "TMPDIR", "CUDA_VISIBLE_DEVICES", "IDLEQ_MARK",
        "IDLEQ_JOB_ID", "IDLEQ_CHECKPOINT_DIR", "IDLEQ_OUTPUT_DIR", "IDLEQ_CONTROL",
    }  # fmt: skip


def test_a_job_whose_inputs_are_gone_has_failed_by_that(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent()
    daemon.launch(shell("true", inputs=Inputs(sources=("/x",), id="0" * 32, digest="0" * 64)))
    code, cause, reason = how(exited(daemon))
    assert (code, cause) == (66, "workload")
    assert reason.startswith("its inputs cannot be had back: ")


def test_a_job_that_was_frozen_on_demand_goes_on_where_it_was(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent()
    daemon.launch(saver(100_000))
    daemon.wait_for_kind(Progressed)
    daemon.freeze()
    end = frozen(daemon)
    assert end.reason == "asked"
    assert end.snapshot.fence == 1
    assert end.snapshot.run_ms > 0
    reached = int((job_of(daemon).snapshot(end.snapshot.id).checkpoint / "state").read_text())
    daemon.launch(saver(reached + 3, 0), fence=2, thaw_from=end.snapshot)
    assert how(exited(daemon, fence=2)) == (0, "workload", "")
    lines = (segment_of(daemon, fence=2).output / "progress.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, reached + 4))


def test_a_job_is_frozen_by_its_plan_without_a_word_from_the_daemon(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    replan_once_it_runs(daemon, daemon.launch(saver(100_000)), 1000, 50_000)
    end = frozen(daemon)
    assert end.reason == "the gap ends"
    assert end.freeze_ms <= end.at


def test_a_plan_that_moves_is_followed_and_told_to_the_workload(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent()
    replan_once_it_runs(daemon, daemon.launch(saver(100_000), plan=plan(500_000, 600_000)), 0, 50_000)
    assert frozen(daemon).reason == "the gap ends"


def test_on_notice_everything_is_frozen_and_the_agent_leaves(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    agent = start_agent()
    daemon.launch(saver(100_000), job="1")
    daemon.launch(saver(100_000), job="2")
    daemon.launch(shell("sleep 600"), job="3")
    daemon.wait_for(lambda said: {each.job for each in said if isinstance(each, Progressed)} == {"1", "2"})
    agent.notify()
    assert agent.wait() == (0, "")
    ends = [daemon.wait_for_end("1"), daemon.wait_for_end("2")]
    assert [end.reason for end in ends if isinstance(end, Frozen)] == ["preempted", "preempted"]
    assert how(exited(daemon, "3")) == (-9, "agent", "preempted")
    assert survivors(daemon) == []


def test_a_guest_that_does_not_listen_is_killed_when_the_gap_ends(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent()
    replan_once_it_runs(daemon, daemon.launch(python(DEAF)), 0, 3000)
    assert how(exited(daemon)) == (-9, "agent", "the gap ended before it had saved")


def test_a_guest_that_does_not_listen_is_killed_when_the_grace_is_over(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    agent = start_agent(grace_ms=1500)
    daemon.launch(python(DEAF))
    daemon.wait_for_kind(Launched)
    agent.notify()
    assert agent.wait() == (0, "")
    # Python itself may have been ended by the signal, had it not come to the first line yet.
    assert exited(daemon).cause == "agent"
    assert survivors(daemon) == []


def test_the_signal_that_a_job_asks_for_is_used(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent()
    code = (
        "import os, signal, sys, time\n"
        "def save(*_):\n    open(os.environ['IDLEQ_CHECKPOINT_DIR'] + '/s', 'w').close(); os._exit(99)\n"
        "signal.signal(signal.SIGUSR2, save)\nopen('progress.jsonl', 'w').write('{\"step\": 1}\\n')\ntime.sleep(600)"
    )
    daemon.launch(python(code, signal="SIGUSR2"))
    daemon.wait_for_kind(Progressed)
    daemon.freeze()
    assert frozen(daemon).snapshot.bytes == len('{"step": 1}\n')


def test_saying_saved_without_a_checkpoint_is_a_failure_of_the_workload(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    daemon.launch(spec("/bin/sh", "-c", "exit 85"))
    assert how(exited(daemon)) == (
        85, "workload", "said that it has saved (exit 85), but its checkpoint folder is empty",
    )  # fmt: skip


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", ["flip", "truncate", "missing", "manifest"])
def test_a_damaged_snapshot_is_rejected_and_nothing_is_started(
    daemon: FakeDaemon, start_agent: StartAgent, damage: str
) -> None:
    start_agent()
    script = "echo 12 > $IDLEQ_CHECKPOINT_DIR/state; exit 85"
    daemon.launch(spec("/bin/sh", "-c", script))
    taken = frozen(daemon).snapshot
    where = job_of(daemon).snapshot(taken.id)
    match damage:
        case "flip":
            flip(where.checkpoint / "state")
        case "truncate":
            os.truncate(where.checkpoint / "state", 1)
        case "missing":
            (where.checkpoint / "state").unlink()
        case _:
            flip(where.manifest)
    daemon.launch(saver(1), fence=2, thaw_from=taken)
    end = daemon.wait_for_end(fence=2)
    assert isinstance(end, SnapshotRejected), end
    assert end.snapshot == taken.id
    assert not [said for said in daemon.said if isinstance(said, Launched) and said.fence == 2]


def key_file(daemon: FakeDaemon, content: str) -> str:
    path = daemon.paths.root / "keys"
    path.write_text(content)
    path.chmod(0o600)
    return str(path)


def test_a_snapshot_is_encrypted_and_compressed_where_that_is_set_and_thawed_again(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent(key_file=key_file(daemon, "11" * 32), compression="on")
    daemon.launch(saver(100_000))
    daemon.wait_for_kind(Progressed)
    daemon.freeze()
    taken = frozen(daemon).snapshot
    where = job_of(daemon).snapshot(taken.id)
    manifest = decode(where.manifest.read_bytes())
    assert (manifest.compression, manifest.encryption) == ("zstd", "aes-256-gcm-stream")
    assert manifest.origin is not None
    assert (manifest.origin.job, manifest.origin.fence, manifest.origin.parent) == ("1", 1, "")
    assert b"step" not in (where.output / "progress.jsonl").read_bytes()
    daemon.launch(saver(taken.step + 1), fence=2, thaw_from=taken)
    assert how(exited(daemon, fence=2)) == (0, "workload", "")


def test_a_snapshot_that_no_key_here_opens_is_rejected_with_the_names_of_the_keys(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    agent = start_agent(key_file=key_file(daemon, "11" * 32))
    daemon.launch(spec("/bin/sh", "-c", "echo 12 > $IDLEQ_CHECKPOINT_DIR/state; exit 85"))
    taken = frozen(daemon).snapshot
    agent.process.kill()
    agent.process.wait()
    key_file(daemon, "22" * 32)
    start_agent(key_file=str(daemon.paths.root / "keys"))
    daemon.launch(saver(1), fence=2, thaw_from=taken)
    end = daemon.wait_for_end(fence=2)
    assert isinstance(end, SnapshotRejected), end
    assert f"encrypted with key {Key(bytes([0x11] * 32)).id}, and here is {Key(bytes([0x22] * 32)).id}" in end.reason


@pytest.mark.parametrize("content", ["11", "zz" * 32], ids=["short", "no number"])
def test_an_agent_whose_keys_cannot_be_read_does_not_start(
    daemon: FakeDaemon, start_agent: StartAgent, content: str
) -> None:
    code, output = start_agent(key_file=key_file(daemon, content)).wait()
    assert code == 80
    assert "openssl rand -hex 32" in output


def as_if_made_elsewhere(daemon: FakeDaemon, taken: Snapshot, kind: str, machine: Machine) -> Snapshot:
    """Return the snapshot as a machine like *machine* would have made it."""
    where = job_of(daemon).snapshot(taken.id)
    manifest = decode(where.manifest.read_bytes())
    assert manifest.origin is not None
    text = encode(replace(manifest, kind=kind, origin=replace(manifest.origin, machine=machine)))
    where.manifest.write_bytes(text)
    return structs.replace(taken, digest=digest_of(text))


@pytest.mark.parametrize(
    ("kind", "machine", "reproducible", "reason"),
    [
        ("criu", Machine(flags=("a_feature_of_the_future",)), False, "the CPU lacks a_feature_of_the_future"),
        ("criu", Machine(kernel="99.1"), False, "is older than 99.1"),
        ("app", Machine(cpu="another"), True, "its results are to come out bit for bit, and the CPU is of class"),
    ],
    ids=["cpu", "kernel", "reproducible"],
)
def test_a_snapshot_of_a_machine_that_this_one_cannot_stand_in_for_is_rejected_with_the_reason(
    daemon: FakeDaemon,
    start_agent: StartAgent,
    kind: str,
    machine: Machine,
    reproducible: bool,  # noqa: FBT001 - a case
    reason: str,
) -> None:
    start_agent()
    daemon.launch(spec("/bin/sh", "-c", "echo 12 > $IDLEQ_CHECKPOINT_DIR/state; exit 85"))
    taken = as_if_made_elsewhere(daemon, frozen(daemon).snapshot, kind, machine)
    daemon.launch(saver(1, reproducible=reproducible), fence=2, thaw_from=taken)
    end = daemon.wait_for_end(fence=2)
    assert isinstance(end, SnapshotRejected), end
    assert reason in end.reason


def test_what_saved_itself_is_thawed_whatever_machine_it_was_on(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent()
    daemon.launch(spec("/bin/sh", "-c", "echo 12 > $IDLEQ_CHECKPOINT_DIR/state; exit 85"))
    elsewhere = Machine(flags=("a_feature_of_the_future",), kernel="99.1", cpu="another", gpu="another")
    daemon.launch(saver(12), fence=2, thaw_from=as_if_made_elsewhere(daemon, frozen(daemon).snapshot, "app", elsewhere))
    assert how(exited(daemon, fence=2)) == (0, "workload", "")


def test_a_guest_that_uses_more_memory_than_it_asked_for_has_failed(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    # In a child that has left the session: the tree counts, not the process.
    code = "import os, time\nif not os.fork():\n    os.setsid(); x = bytearray(96 << 20)\ntime.sleep(600)"
    daemon.launch(python(code, memory=64 * MEBI))
    end = exited(daemon)
    assert (end.code, end.cause) == (-9, "workload")
    assert end.reason.startswith("used more memory than asked for (")
    assert survivors(daemon) == []


def test_what_a_guest_leaves_running_ends_with_it(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent()
    code = DAEMONISE + "open('alive', 'w').close(); time.sleep(600)"
    daemon.launch(spec("{python}", "-c", code, "0", freeze=FreezeMethod.NONE))
    assert how(exited(daemon)) == (0, "workload", "")
    assert survivors(daemon) == []


def test_what_hides_its_environment_too_ends_with_the_guest(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    agent = start_agent()
    sleeper = "os.execve('/bin/sleep', ['sleep', '600'], {})"
    daemon.launch(spec("{python}", "-c", DAEMONISE + sleeper, "0", freeze=FreezeMethod.NONE))
    exited(daemon)
    children = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
    assert children == []


def test_a_whole_tree_is_killed_with_its_guest_and_no_other_guest_is(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    code = "import os, time\nfor i in range(3):\n    if not os.fork():\n        os.setsid()\n        break\n"
    tell = "open(f'progress.jsonl', 'a').write('{\"step\": 1}\\n')\ntime.sleep(600)"
    daemon.launch(python(code + tell), job="1")
    daemon.launch(saver(100_000), job="2")
    daemon.wait_for(lambda said: {each.job for each in said if isinstance(each, Progressed)} == {"1", "2"})
    daemon.kill("1")
    assert how(exited(daemon, "1")) == (-9, "agent", "unwanted")
    names = {mark_of(pid) for pid in survivors(daemon)}
    assert [name.rpartition("/")[0] for name in names] == ["a1/2/1"]


def mark_of(pid: int) -> str:
    lines = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next(line.partition(b"=")[2].decode() for line in lines if line.startswith(b"IDLEQ_MARK="))


def test_a_flood_on_stdout_is_written_and_holds_nothing_up(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent()
    daemon.launch(shell(f"head -c {20 * MEBI} /dev/zero; echo done >&2"))
    assert exited(daemon).code == 0
    assert segment_of(daemon).stdout.stat().st_size == 20 * MEBI
    assert segment_of(daemon).stderr.read_text() == "done\n"


def test_a_program_that_is_missing_or_is_none_fails_like_in_a_shell(
    daemon: FakeDaemon, start_agent: StartAgent, tmp_path: Path
) -> None:
    start_agent()
    (tmp_path / "text").write_text("no program")
    daemon.launch(spec("no-such-program", "-x"), job="1")
    daemon.launch(spec(str(tmp_path / "text")), job="2")
    daemon.launch(spec("nul\0byte"), job="3")
    assert how(exited(daemon, "1")) == (127, "workload", "there is no program 'no-such-program' on this node")
    assert how(exited(daemon, "2")) == (126, "workload", f"'{tmp_path}/text' cannot be run here: Permission denied")
    assert exited(daemon, "3").code == 127


def test_files_with_hostile_names_are_published_as_they_are(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent()
    names = ["a b", "new\nline", "'\"$(x)`", "-rf", "ü", ".hidden", "\\"]
    code = f"for name in {names!r}: open(name, 'w').write(name)\nopen(b'\\xff\\xfe', 'w').write('bytes')"
    daemon.launch(python(code))
    assert exited(daemon).code == 0
    found = {path.name: path.read_text() for path in segment_of(daemon).output.iterdir()}
    assert found == {**{name: name for name in names}, os.fsdecode(b"\xff\xfe"): "bytes"}


def test_a_link_in_the_output_is_refused_with_its_name(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent()
    daemon.launch(shell("mkdir d; ln -s /etc/passwd d/evil"))
    code, cause, reason = how(exited(daemon))
    assert (code, cause) == (65, "workload")
    assert "'d/evil' is a symbolic link (to '/etc/passwd')" in reason
    assert not segment_of(daemon).output.exists()


def test_a_full_disk_leaves_no_half_snapshot_and_no_half_result_and_is_nobodys_failure(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    agent = start_agent()
    daemon.wait_until_ready()
    resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    # The guest's own limit is the agent's; it may raise it again, as its disk is not the full one.
    raise_limit = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n"
    write = "open(os.environ[sys.argv[1]] + '/big', 'wb').write(b'x' * 200_000); sys.exit(int(sys.argv[2]))"
    daemon.launch(spec("{python}", "-c", raise_limit + write, "IDLEQ_CHECKPOINT_DIR", "85"), job="1")
    daemon.launch(spec("{python}", "-c", raise_limit + write, "IDLEQ_OUTPUT_DIR", "0"), job="2")
    for job in ("1", "2"):
        code, cause, reason = how(exited(daemon, job))
        assert (code, cause) == (74, "agent")
        assert "free some space" in reason
    assert list(job_of(daemon, "1").snapshots.iterdir()) == []
    assert sorted(path.name for path in segment_of(daemon, "2").root.iterdir()) == ["stderr", "stdout"]


def test_no_more_is_started_than_there_is_room_for(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent()
    large = daemon.launch(shell("true", cores=5))
    failed = daemon.wait_for_kind(CommandFailed)
    assert (failed.command, failed.transient) == (large.id, True)
    assert "is more than there is" in failed.reason


def test_what_does_not_fit_yet_waits_for_room_and_starts_in_the_order_in_which_it_came(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    first = daemon.launch(shell("sleep 0.5", cores=4))
    others = [daemon.launch(shell("true", cores=3), job=job) for job in ("2", "3")]
    daemon.wait_for_end("3")
    order = [(type(said).__name__, said.job) for said in daemon.said if isinstance(said, Launched | Exited)]
    jobs = [first.job, *(other.job for other in others)]
    assert order == [(kind, job) for job in jobs for kind in ("Launched", "Exited")]


def test_what_waits_for_room_is_sent_back_when_it_is_not_wanted_or_the_agent_must_go(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    agent = start_agent(grace_ms=2000)
    daemon.launch(saver(100_000, cores=4))
    for job in ("2", "3"):
        daemon.launch(shell("true", cores=4), job=job)
    daemon.wait_for_kind(Progressed)
    daemon.kill("2")
    assert "it had not started" in exited(daemon, "2").reason
    agent.notify()
    assert exited(daemon, "3").reason == "preempted, and it had not started"
    leaving, *_ = [place for place, said in enumerate(daemon.said) if isinstance(said, AgentLeaving)]
    assert leaving < daemon.said.index(exited(daemon, "3"))
    frozen(daemon)


def test_a_launch_that_comes_twice_starts_one_process_and_is_answered_with_its_end(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    command = daemon.launch(saver(100_000))
    daemon.wait_for_kind(Progressed)
    daemon.post(again(daemon, command))
    daemon.freeze()
    end = frozen(daemon)
    daemon.post(again(daemon, command))
    assert daemon.wait_for_kind(Frozen, 2) == end
    assert len([said for said in daemon.said if isinstance(said, Launched)]) == 1


def again(daemon: FakeDaemon, command: Launch) -> Launch:
    return structs.replace(command, id=daemon.next_id())


def test_killing_or_freezing_what_is_not_there_is_answered_so_that_nobody_waits(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    daemon.kill("8")
    assert how(exited(daemon, "8")) == (-9, "agent", "unknown segment")
    daemon.launch(shell("exit 3"), job="9")
    end = exited(daemon, "9")
    assert how(end) == (3, "workload", "exit code 3")
    daemon.freeze("9")
    assert daemon.wait_for(lambda said: [each for each in said if each == end][1:]) == [end]


def test_a_job_that_does_not_follow_the_contract_is_not_blamed_when_the_signal_ends_it(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    daemon.launch(spec("sleep", "600"))
    daemon.wait_for_kind(Launched)
    daemon.freeze()
    end = exited(daemon)
    assert (end.code, end.cause) == (-10, "agent")


def test_a_workload_that_saves_while_it_runs_leaves_snapshots_to_go_on_from(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    plan_with_saves = structs.replace(NO_END, save_every_ms=Millis(300))
    command = ("{python}", "-m", "idleq.workloads.cli", "count", "--step-seconds", "0.02", "--memory-mb", "1")
    daemon.launch(spec(*command, "--steps", "100000"), plan=plan_with_saves)
    saved = daemon.wait_for(lambda said: [each for each in said if isinstance(each, Progressed) and each.saved][1:])[0]
    assert saved.saved is not None
    assert saved.saved.run_ms > 0
    daemon.kill()
    exited(daemon)
    newest = daemon.wait_for(lambda said: [each.saved for each in said if isinstance(each, Progressed) and each.saved])[
        -1
    ]
    assert newest is not None
    assert len(list(job_of(daemon).snapshots.iterdir())) == 2
    kept = json.loads((job_of(daemon).snapshot(newest.id).output / "progress.jsonl").read_text().splitlines()[-1])
    daemon.launch(spec(*command, "--steps", "100000"), fence=2, thaw_from=newest)
    going_on = daemon.wait_for(
        lambda said: [each for each in said if isinstance(each, Progressed) and each.fence == 2]
    )[0]
    assert going_on.step >= kept["step"]


def test_the_count_workload_gives_the_same_result_frozen_or_not(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent()
    command = ("{python}", "-m", "idleq.workloads.cli", "count", "--steps", "60", "--step-seconds", "0.05")
    daemon.launch(spec(*command), job="1")
    daemon.launch(spec(*command), job="2")
    daemon.wait_for(lambda said: [each for each in said if isinstance(each, Progressed) and each.job == "2"])
    daemon.freeze("2")
    end = daemon.wait_for_end("2")
    assert isinstance(end, Frozen)
    daemon.launch(spec(*command), job="2", fence=2, thaw_from=end.snapshot)
    assert exited(daemon, "1").digest == exited(daemon, "2", 2).digest != ""


ANOTHER_CALLER = """
import pathlib, sys
from idleq.migration.ports import ContainerName, Order
from idleq.migration.process import ProcessRuntime
folder, name, runtime = pathlib.Path(sys.argv[1]), ContainerName("a1/1/1"), ProcessRuntime()
log = folder / "log"
runtime.start(Order(name=name, argv=("sleep", "60"), environment={}, folder=folder, stdout=log, stderr=log, cores=frozenset()))
runtime.kill([name])
runtime.close()
"""


def test_agents_of_two_servers_leave_each_others_guests_alone(
    daemon: FakeDaemon, start_agent: StartAgent, tmp_path: Path
) -> None:
    """Both have an allocation a1 with segment 1 of job 1: names are unique within a server directory only."""
    start_agent()
    daemon.launch(saver(100_000))
    daemon.wait_for_kind(Progressed)
    (guest,) = {pid for pid in survivors(daemon) if mark_of(pid).startswith("a1/1/1/")}
    subprocess.run([sys.executable, "-c", ANOTHER_CALLER, str(tmp_path)], check=True, timeout=60)
    assert mark_of(guest).startswith("a1/1/1/")


@pytest.mark.parametrize("code", [0, 74])
def test_a_guest_whose_folders_are_removed_under_it_has_neither_failed_nor_a_result(
    daemon: FakeDaemon, start_agent: StartAgent, tmp_path: Path, code: int
) -> None:
    start_agent()
    daemon.launch(
        shell(f"echo '{{\"step\": 1}}' > progress.jsonl; while [ -e $IDLEQ_CONTROL ]; do sleep 0.05; done; exit {code}")
    )
    daemon.wait_for_kind(Progressed)
    shutil.rmtree(tmp_path / "scratch" / "1")

    reason = f"its folders on the node were removed while it ran (exit code {code})"
    assert how(exited(daemon)) == (74, "agent", reason)
