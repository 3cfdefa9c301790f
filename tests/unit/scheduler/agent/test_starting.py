"""From the command to the running process."""

from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from idleq.ids import CommandId, JobId
from idleq.scheduler.agent.folders import Folders, Scratch
from idleq.scheduler.agent.starting import on_launch
from idleq.scheduler.core.inputs import CommandFailed
from support.one_guest import Bench, Recorder


@dataclass(slots=True)
class Full(Scratch):
    """Folders can still be made on it, but nothing be written."""

    def take(self) -> Folders:
        folders = Scratch.take(self)
        folders.segment_file.symlink_to("/dev/full")
        return folders


def test_a_launch_that_a_full_disk_stops_leaves_nothing_there_and_holds_no_room(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder())
    free = bench.node.room.free
    bench.node.scratch = Full(tmp_path / "scratch", _made=1)
    on_launch(bench.node, replace(bench.guest.launch, id=CommandId(2), job=JobId("2")), "")

    (said,) = bench.told
    assert isinstance(said, CommandFailed)
    assert (said.command, "No space left on device" in said.reason) == (CommandId(2), True)
    assert list((tmp_path / "scratch").iterdir()) == [bench.guest.folders.root]
    assert (bench.node.guests, bench.node.room.free) == ({bench.guest.key: bench.guest}, free)
