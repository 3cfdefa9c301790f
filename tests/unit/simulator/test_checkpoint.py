import json
import pickle
import re
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import idleq
from idleq.simulator.checkpoint import DECIDING_FOLDERS, DECIDING_MODULES, digest_of_files, pack, unpack
from idleq.simulator.errors import CheckpointDamaged, CheckpointForeign, CheckpointNotKept, SimulationLeft
from idleq.simulator.jobs import MainJob
from idleq.simulator.keeper import Keeper
from idleq.simulator.kernel import Between
from idleq.simulator.queueing import easy
from idleq.simulator.queueing.main_queue import QueueRun


class Shelf:
    def __init__(self, *packed: bytes, is_full: bool = False) -> None:
        self.packed, self.is_full = list(packed), is_full

    def kept(self) -> list[tuple[str, Callable[[], bytes]]]:
        return [(f"place {number}", partial(bytes, one)) for number, one in enumerate(self.packed)]

    def write(self, packed: bytes) -> None:
        if self.is_full:
            raise CheckpointNotKept("the disk is full")
        self.packed.insert(0, packed)


class Trap:
    """Leaves a trace where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def begin() -> QueueRun:
    return QueueRun([MainJob(id=1, submit=0, run=5, limit=5, size=1)], 1, easy)


@pytest.mark.parametrize(
    "packed", [b"", b"\n", b"{}\n", b"[]\nx", b"no header", pack({}, "a")[:-1], pack({}, "a") + b"x"]
)
def test_what_is_damaged_is_refused(packed: bytes) -> None:
    with pytest.raises(CheckpointDamaged):
        unpack(packed, "a")


def test_what_belongs_to_other_settings_is_refused() -> None:
    with pytest.raises(CheckpointForeign, match="other settings"):
        unpack(pack({}, "a"), "b")


@pytest.mark.parametrize(
    ("key", "wording"),
    [
        ("idleq", "another version of idleq"),
        ("python", "version of Python"),
        ("numpy", "version of NumPy"),
        ("cloudpickle", "version of cloudpickle"),
        ("code", "other code"),
        ("format", "format"),
    ],
)
def test_what_another_version_has_made_is_refused(key: str, wording: str) -> None:
    header, body = pack({}, "a").split(b"\n", 1)
    changed = json.loads(header) | {key: "another"}
    with pytest.raises(CheckpointForeign, match=wording):
        unpack(json.dumps(changed).encode() + b"\n" + body, "a")


def test_a_digest_of_code_tells_where_each_line_stands(tmp_path: Path) -> None:
    def digest(**contents: str) -> str:
        for name, content in contents.items():
            (tmp_path / name).write_text(content)
        return digest_of_files(tmp_path, [tmp_path / name for name in contents])

    assert len({digest(a="x", b="yz"), digest(a="xy", b="z"), digest(a="x", c="yz"), digest(a="xyz")}) == 4


OF_LIVE_CLUSTERS_AND_PAGES = {
    "errors", "processes", "scheduler.atomic", "scheduler.clock", "scheduler.errors", "scheduler.nearest", "scheduler.palette",
    "scheduler.paths", "scheduler.ports",
}  # fmt: skip
"""What the simulator imports and no simulation's course depends on."""


def test_a_digest_of_code_has_every_module_that_a_simulation_is_made_of() -> None:
    package = Path(idleq.__file__).parent
    sources = [path for folder in DECIDING_FOLDERS for path in (package / folder).rglob("*.py")]
    imported = {
        found
        for path in sources
        for found in re.findall(r"^ *from idleq\.([\w.]+) import", path.read_text(), re.MULTILINE)
    }
    elsewhere = {name for name in imported if not name.startswith(("simulator", "scheduler.core"))}
    named = {name.removesuffix(".py").replace("/", ".") for name in DECIDING_MODULES}
    assert elsewhere - OF_LIVE_CLUSTERS_AND_PAGES <= named


def test_nothing_is_unpickled_of_what_is_refused(tmp_path: Path) -> None:
    packed = pack(Trap(tmp_path / "sprung"), "a")
    damaged = packed.split(b"\n", 1)[0] + b"\n" + pickle.dumps(Trap(tmp_path / "sprung"))
    with pytest.raises(CheckpointForeign):
        unpack(packed, "b")
    with pytest.raises(CheckpointDamaged):
        unpack(damaged, "a")
    assert not (tmp_path / "sprung").exists()
    unpack(packed, "a")
    assert (tmp_path / "sprung").exists()


def test_an_older_one_is_taken_where_the_newest_is_damaged_and_that_is_said() -> None:
    shelf, said = Shelf(), list[str]()
    with pytest.raises(SimulationLeft):
        Keeper(shelf, "a", clock=lambda: 0.0, is_leaving=lambda: True).carry_out("x", begin)
    shelf.packed.insert(0, shelf.packed[0][:-1])

    keeper = Keeper(shelf, "a", clock=lambda: 0.0, warn=said.append)

    assert keeper.carry_out("x", lambda: pytest.fail("it was to go on")) == ({1: 0}, 1)
    assert [("place 0" in line, line.endswith("going on from place 1")) for line in said] == [(True, True)]


def test_an_insurance_that_cannot_be_kept_is_told_and_the_run_goes_on() -> None:
    said, now = list[str](), iter(range(100))
    keeper = Keeper(Shelf(is_full=True), "a", clock=lambda: next(now), every_s=1, warn=said.append)
    assert (keeper.carry_out("x", begin)[0], said) == ({1: 0}, ["the disk is full"])


def test_who_is_told_to_leave_and_cannot_keep_it_says_so() -> None:
    keeper = Keeper(Shelf(is_full=True), "a", clock=lambda: 0.0, is_leaving=lambda: True)
    with pytest.raises(CheckpointNotKept, match="full"):
        keeper.carry_out("x", begin)


class Large:
    """A result that somebody might hold on to."""


class Making:
    """A simulation that is over at once."""

    started = 0

    def finish(self, _between: Between | None = None, /) -> Large:
        return Large()


def test_without_a_store_no_result_is_held_on_to() -> None:
    keeper = Keeper(None, "a", clock=lambda: 0.0)
    result = keeper.carry_out("x", Making)
    held = weakref.ref(result)
    del result
    assert held() is None


def test_results_are_kept_before_something_is_done_with_them() -> None:
    shelf = Shelf()
    keeper = Keeper(shelf, "a", clock=lambda: 0.0)
    found = keeper.carry_out("x", begin)
    keeper.keep_results()
    again = Keeper(shelf, "a", clock=lambda: 0.0)
    assert again.carry_out("x", lambda: pytest.fail("it was done")) == found
