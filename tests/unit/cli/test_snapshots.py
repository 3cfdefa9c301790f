"""`idleq snapshot`."""

import shutil
from pathlib import Path

import pytest
from msgspec import structs

from idleq.ids import Fence, JobId, Millis, SnapshotId
from idleq.machines import Machine
from idleq.migration import snapshot
from idleq.migration.manifest import Origin
from idleq.migration.packer import Packer
from idleq.migration.sealing import Key, Keyring
from idleq.migration.tree import Item
from idleq.scheduler.core.rows import SnapshotRow
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.errors import Refused
from support.command_line import NOW, SECOND, CommandLine, FakeWire

MACHINE = Machine(architecture="x86_64", kernel="6.1.0", cpu="abc", gpu="NVIDIA H100")


def left(idleq: CommandLine, tmp_path: Path, job: str, fence: int, packer: Packer, *, is_newest: bool) -> SnapshotRow:
    """A snapshot on the disk, as the daemon knows it."""
    (tmp_path / "state").write_bytes(b"state " * 1000)
    name = SnapshotId(f"{fence:04d}-0001")
    published = snapshot.publish(
        [
            Item(path="output", source=tmp_path, is_folder=True),
            Item(path="output/state", source=tmp_path / "state", is_folder=False),
        ],
        idleq.paths.job(JobId(job)).snapshot(name).root,
        kind="app",
        origin=Origin(created=1, machine=MACHINE, job=job, fence=fence, parent="0001-0001" if fence > 1 else ""),
        packer=packer,
    )
    taken = Snapshot(
        id=name, fence=Fence(fence), digest=published.digest, bytes=published.bytes,
        taken_at=Millis(NOW - 70 * SECOND), run_ms=Millis(20 * SECOND), step=340 * fence,
    )  # fmt: skip
    return SnapshotRow(
        job=JobId(job),
        name="count",
        snapshot=taken,
        is_newest=is_newest,
        in_use=is_newest and job == "17",
        is_over=False,
    )


@pytest.fixture
def stocked(idleq: CommandLine, tmp_path: Path) -> CommandLine:
    """Job 17 has two snapshots, the newer one compressed and encrypted; job 18 has one."""
    idleq.paths.create()
    sealed = Packer(compression="on", keys=Keyring((Key(bytes(32)),)))
    assert idleq.wire is not None
    idleq.wire.snapshot_rows = (
        left(idleq, tmp_path, "17", 1, Packer(), is_newest=False),
        left(idleq, tmp_path, "17", 2, sealed, is_newest=True),
        left(idleq, tmp_path, "18", 1, Packer(), is_newest=True),
    )
    return idleq


def folder(idleq: CommandLine, job: str, name: str) -> Path:
    return idleq.paths.job(JobId(job)).snapshots / name


def test_all_snapshots_are_listed_with_what_they_are_to_their_jobs(stocked: CommandLine) -> None:
    lines = [line.split("  ") for line in stocked("snapshot", "ls").out.splitlines()]
    found = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert found[0] == ["JOB", "NAME", "SNAPSHOT", "SIZE", "AGE", "WORK", "STEP", "USE"]
    assert [(line[0], line[2], line[-1]) for line in found[1:4]] == [
        ("17", "0001-0001", "to fall back to"), ("17", "0002-0001", "in use"), ("18", "0001-0001", "newest"),
    ]  # fmt: skip
    assert stocked("snapshot", "ls", "18", "--quiet").out == "18/0001-0001\n"
    assert [row["snapshot"]["id"] for row in stocked("snapshot", "ls", "17", "--json").json] == [
        "0001-0001",
        "0002-0001",
    ]


def test_one_is_shown_by_its_manifest(stocked: CommandLine) -> None:
    shown = stocked("snapshot", "show", "17").out
    assert "0002-0001 of job 17 (count): in use" in shown
    assert "compression  zstd" in shown
    assert f"encryption   aes-256-gcm-stream, key {Key(bytes(32)).id}" in shown
    assert "made on      x86_64, kernel 6.1.0, CPU class abc" in shown
    assert "GPU          NVIDIA H100" in shown
    assert "thawed from  0001-0001" in shown
    value = stocked("snapshot", "show", "17", "0001-0001", "--json").json
    assert (value["manifest"]["compression"], value["manifest"]["files"][0]["size"]) == ("", 6000)


def test_all_are_verified_without_a_key_and_a_damaged_one_is_named_with_an_exit_code(stocked: CommandLine) -> None:
    assert stocked("snapshot", "verify").code == 0
    file = folder(stocked, "17", "0002-0001") / "files" / "output" / "state"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    done = stocked("snapshot", "verify")
    assert done.code == 34
    assert "does not match its checksum" in done.out
    assert done.out.endswith("2 snapshots verified, 1 damaged.\n")
    assert stocked("snapshot", "verify", "--quiet").out == "17/0002-0001\n"
    assert stocked("snapshot", "verify", "18").code == 0
    assert stocked("snapshot", "verify", "17", "0001-0001").code == 0


def test_one_that_a_newer_one_has_replaced_while_it_was_read_is_not_called_damaged(stocked: CommandLine) -> None:
    wire = Forgetful(snapshot_rows=stocked.wire.snapshot_rows if stocked.wire else ())
    stocked.wire = wire
    shutil.rmtree(folder(stocked, "17", "0001-0001"))
    done = stocked("snapshot", "verify")
    assert (done.code, done.out.endswith("2 snapshots verified, 0 damaged.\n")) == (0, True)


class Forgetful(FakeWire):
    """A daemon whose oldest snapshot is gone when it is asked again."""

    def snapshots(self) -> dict[str, object]:
        told = super().snapshots()
        self.snapshot_rows = self.snapshot_rows[1:]
        return told


def test_one_is_removed_after_the_daemon_has_agreed(stocked: CommandLine) -> None:
    assert stocked.wire is not None
    assert stocked("snapshot", "rm", "17", "0001-0001").out == "Removed 0001-0001 of job 17\n"
    assert stocked.wire.asked == [("remove_snapshot", "17", "0001-0001")]
    assert not folder(stocked, "17", "0001-0001").exists()
    assert folder(stocked, "17", "0002-0001").exists()


def test_what_the_daemon_refuses_stays(stocked: CommandLine) -> None:
    assert stocked.wire is not None
    stocked.wire.refusal = Refused("it is all that job 18 can go on from")
    done = stocked("snapshot", "rm", "18", "0001-0001")
    assert (done.code, "can go on from" in done.err) == (17, True)
    assert folder(stocked, "18", "0001-0001").exists()


@pytest.mark.parametrize("name", ["../17", "/etc", ".tmp-x", "a/b"])
def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_asked(stocked: CommandLine, name: str) -> None:
    assert stocked.wire is not None
    assert stocked("snapshot", "rm", "17", name).code == 21
    assert stocked.wire.asked == []


@pytest.mark.parametrize(
    "arguments", [("show", "99"), ("show", "17", "0009-0001"), ("drill", "99"), ("verify", "17", "x")]
)
def test_what_is_not_there_is_told_with_its_exit_code(stocked: CommandLine, arguments: tuple[str, ...]) -> None:
    done = stocked("snapshot", *arguments)
    assert done.code == 18
    assert "`idleq snapshot ls` lists all" in done.err


def test_a_manifest_that_is_gone_is_told_with_its_exit_code(stocked: CommandLine) -> None:
    (folder(stocked, "18", "0001-0001") / "manifest.json").unlink()
    assert stocked("snapshot", "show", "18").code == 34


def test_where_there_are_none_that_is_said(idleq: CommandLine) -> None:
    assert idleq("snapshot", "ls").out == "There are no snapshots.\n"
    assert idleq("snapshot", "verify").out == "There are no snapshots.\n"


def test_a_snapshot_whose_job_is_over_is_said_to_be(stocked: CommandLine) -> None:
    assert stocked.wire is not None
    stocked.wire.snapshot_rows = tuple(
        structs.replace(row, is_over=True, in_use=False) for row in stocked.wire.snapshot_rows
    )
    assert stocked("snapshot", "ls").out.count("its job is over") == 3
