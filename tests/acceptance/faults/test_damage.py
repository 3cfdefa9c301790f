"""Disks that are full or forget, and servers that must not start: said, and nothing lost."""

import contextlib
import itertools
import json
import os
import random
import resource
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from idleq.ids import EntryId
from idleq.scheduler.api.client import Client
from idleq.scheduler.core.facts import EntryAdded, JobDone, SegmentLost, SegmentStarted, SnapshotDropped
from idleq.scheduler.errors import DaemonRunning, JournalUnavailable, PortInUse, ServerDirectoryUnsafe
from support.accepted import Crowd, count, freeze, job_of, row_of, running, script, starts, state_of
from support.faults import SAME
from support.real_server import GLANCE_S, RealServer, quick

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("cluster")]

FULL_WITHIN_S = 120
"""Of writes and of the daemon's pauses between its own; some seconds on an idle machine."""


def until_full(server: RealServer, write: Callable[[Client, int], object]) -> str:
    """Have something written, again and again, until the journal takes no more; return what the daemon says then."""
    given_up_at = time.monotonic() + FULL_WITHIN_S
    for number in itertools.takewhile(lambda _: time.monotonic() < given_up_at, itertools.count()):
        try:
            write(server.keep_up(), number)
        except JournalUnavailable as error:
            # In between it only says that it has given up for a moment.
            if "disk is full" in str(error):
                return str(error)
            time.sleep(GLANCE_S)
    raise AssertionError("the journal never was full")


def fill(server: RealServer) -> str:
    """Fill the journal's disk to the last row: first with large ones, then with the smallest that there is."""
    server.faults.disk_is_full.touch()
    until_full(server, lambda client, number: client.submit([count(number + 1)], f"filler {number}", "ada"))
    return until_full(server, lambda client, number: client.resume() if number % 2 else client.pause())


def test_with_a_full_disk_under_the_journal_guests_go_on_and_what_they_did_is_taken_later(server: RealServer) -> None:
    server.keep_up()
    goes_on, its_pid = running(server, count(100_000))
    may_end = server.folder / "may-end"
    ends, other_pid = running(server, script(f'until [ -e "{may_end}" ]; do sleep 0.1; done; echo whole > out'))
    server.ask(lambda client: client.pause())
    said = fill(server)
    may_end.touch()
    known = server.facts_of(EntryAdded)
    server.await_end(other_pid)
    assert "the disk is full: free some space" in said
    assert server.facts_of(JobDone) == []
    assert server.guest_of(str(goes_on)) == its_pid
    server.faults.disk_is_full.unlink()
    server.until_over([ends])
    assert server.facts_of(EntryAdded) == known
    assert server.guest_of(str(goes_on)) == its_pid
    assert [len(starts(server, entry)) for entry in (goes_on, ends)] == [1, 1]
    assert [(done.job, done.fence) for done in server.facts_of(JobDone)] == [(str(ends), 1)]
    assert server.paths.job(job_of(ends)).result.joinpath("out").read_text() == "whole\n"
    for added in known:
        if added.entry != ends:
            job = job_of(added.entry)
            server.ask(lambda client: client.cancel(job))  # noqa: B023 - asked before the loop goes on
    server.until_over([goes_on])
    assert (server.end(), server.faults.verdict.read_text()) == ({}, SAME)


def flip_a_bit(server: RealServer, entry: EntryId, snapshot: str) -> None:
    """Change one bit of the newest generation in a snapshot."""
    folder = server.paths.job(job_of(entry)).snapshots / snapshot / "files" / "checkpoint"
    newest = max(path for path in folder.iterdir() if path.is_dir())
    file = max((path for path in newest.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damaged", [1, 2])
def test_a_damaged_snapshot_falls_back_to_the_one_before_and_the_result_is_right(
    server: RealServer, damaged: int
) -> None:
    crowd = Crowd(server, random.Random(0))
    entry = crowd.add(count(80))
    freeze(server, entry, 1)
    server.ask(lambda client: client.release(job_of(entry)))
    freeze(server, entry, 20)
    snapshots = sorted(path.name for path in server.paths.job(job_of(entry)).snapshots.iterdir())
    assert len(snapshots) == 2
    broken = snapshots[::-1][:damaged]
    for name in broken:
        flip_a_bit(server, entry, name)
    server.ask(lambda client: client.release(job_of(entry)))
    crowd.check()
    dropped = server.facts_of(SnapshotDropped)
    assert [fact.snapshot for fact in dropped] == broken
    assert all("checksum" in fact.reason for fact in dropped)
    came_from = [fact.thaw_from for fact in server.facts_of(SegmentStarted)][2:]
    assert came_from == [*broken, snapshots[0] if damaged == 1 else None]
    assert (server.end(), server.faults.verdict.read_text()) == ({}, SAME)


KEYS = {name: digits * 32 for name, digits in (("old", "11"), ("new", "22"))}


def largest(folder: Path) -> list[Path]:
    """The files of a snapshot, largest first."""
    files = [path for path in (folder / "files").rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: path.stat().st_size, reverse=True)


def await_no_agent(server: RealServer) -> None:
    server.until(lambda: server.ask(lambda client: client.status())["summary"]["allocations"] == {})


def swap(folder: Path) -> None:
    """Let two files take each other's place, of different sizes: which of two are equally long depends on how well they are compressed."""
    first, *others = largest(folder)
    second = next(path for path in others if path.stat().st_size != first.stat().st_size)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda folder: os.truncate(largest(folder)[0], 100), "has 100 bytes instead of"),
    "swapped": (swap, "bytes instead of"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "its manifest cannot be read"),
    "another key": (lambda _: None, "and here is"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_encrypted_snapshot_that_cannot_be_used_is_refused_with_the_reason_and_the_one_before_is_used(
    make_server: Callable[[str], RealServer], damage: str
) -> None:
    server = make_server(quick() + '\n[snapshots]\nkey_file = "keys"\ncompression = "on"\n')
    keys = server.paths.root / "keys"
    keys.touch(mode=0o600)
    keys.write_text(KEYS["old"])
    crowd = Crowd(server, random.Random(0))
    entry = crowd.add(count(80))
    freeze(server, entry, 1)
    await_no_agent(server)  # it keeps the keys that it has read
    keys.write_text(KEYS["new"] + "\n" + KEYS["old"])
    saved = row_of(server, entry)["step"]
    server.ask(lambda client: client.release(job_of(entry)))
    freeze(server, entry, saved + 1)
    older, newest = sorted(server.paths.job(job_of(entry)).snapshots.iterdir())
    spoil, reason = DAMAGES[damage]
    spoil(newest)
    await_no_agent(server)
    if damage == "another key":
        keys.write_text(KEYS["old"])
    server.ask(lambda client: client.release(job_of(entry)))
    crowd.check()
    (dropped,) = server.facts_of(SnapshotDropped)
    assert (dropped.snapshot, reason in dropped.reason) == (newest.name, True)
    assert [fact.thaw_from for fact in server.facts_of(SegmentStarted)][2:] == [newest.name, older.name]
    assert (server.end(), server.faults.verdict.read_text()) == ({}, SAME)


def limit_files(server: RealServer, most: int) -> None:
    """Let files that agents write, and what they start from now on, have at most so many bytes (-1: any number)."""
    for path in server.paths.allocations.glob("*/agent.json"):
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(json.loads(path.read_bytes())["pid"], resource.RLIMIT_FSIZE, (most, -1))


def test_with_a_full_disk_in_the_middle_of_a_freeze_the_job_goes_on_from_the_snapshot_before(
    server: RealServer,
) -> None:
    crowd = Crowd(server, random.Random(0))
    entry = crowd.add(count(150, memory_mb=1))
    freeze(server, entry, 1)
    snapshots = server.paths.job(job_of(entry)).snapshots
    (first,) = snapshots.iterdir()
    saved = row_of(server, entry)["step"]
    server.ask(lambda client: client.release(job_of(entry)))
    server.until(lambda: row_of(server, entry)["step"] > saved)
    limit_files(server, 300_000)
    server.ask(lambda client: client.hold(job_of(entry)))
    server.until(lambda: state_of(server, entry) == "held")
    limit_files(server, -1)
    (lost,) = server.facts_of(SegmentLost)
    assert "free some space" in lost.reason
    assert [path.name for path in snapshots.iterdir()] == [first.name]
    server.ask(lambda client: client.release(job_of(entry)))
    crowd.check()
    assert [fact.thaw_from for fact in starts(server, entry)] == [None, first.name, first.name]
    assert (server.end(), server.faults.verdict.read_text()) == ({}, SAME)


def refusal(server: RealServer) -> tuple[int, str]:
    """Start one more daemon; return its exit code and what it says."""
    before = (server.folder / "said").read_text() if (server.folder / "said").exists() else ""
    process: subprocess.Popen[bytes] = server.spawn("daemon", "run")
    try:
        code = process.wait(60)
    finally:
        process.kill()
        process.wait()
    return code, (server.folder / "said").read_text().removeprefix(before)


def test_a_second_daemon_is_refused_and_the_first_one_goes_on(server: RealServer) -> None:
    server.keep_up()
    first = server.daemon_pid
    code, said = refusal(server)
    assert code == DaemonRunning.exit_code
    assert str(first) in said
    assert server.ask(lambda client: client.status())["pid"] == first


def test_a_port_in_use_is_refused_by_name_and_nothing_is_begun(server: RealServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server.paths.config.write_text(f"{server.config}\n[server]\nport = {port}\n")
        code, said = refusal(server)
    assert code == PortInUse.exit_code
    assert str(port) in said
    assert not server.paths.access.exists()
    assert server.members() == {}
    server.keep_up()


def test_a_server_directory_that_others_can_read_is_refused_with_the_command_that_mends_it(server: RealServer) -> None:
    server.paths.root.chmod(0o755)
    code, said = refusal(server)
    assert code == ServerDirectoryUnsafe.exit_code
    assert f"chmod 700 {server.paths.root}" in said.replace("\n", " ")
    assert sorted(path.name for path in server.paths.root.iterdir()) == [
        "allocations",
        "cluster",
        "config.toml",
        "jobs",
    ]
