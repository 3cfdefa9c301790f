"""What a guest is given, and what of its output is its result."""

import os
import stat
from pathlib import Path

import pytest

from idleq.machines import Machine
from idleq.migration import snapshot
from idleq.migration.errors import FolderRefused
from idleq.migration.manifest import Origin
from idleq.migration.tree import Item, list_folder
from idleq.scheduler.agent.errors import InputsGone
from idleq.scheduler.agent.folders import Folders
from idleq.scheduler.agent.saves import from_outside, whole
from idleq.scheduler.agent.staged import bring, list_output, list_result
from idleq.scheduler.core.submission import Inputs
from idleq.scheduler.staging import KIND, PLACE

MACHINE = Machine(architecture="x86_64", kernel="6.1", cpu="0" * 16, flags=("sse2",))
ORIGIN = Origin(created=1_780_000_000_000, machine=MACHINE, runtime="")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    found = Folders(tmp_path / "1")
    found.create()
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Where a submit has put a file and a folder."""
    source = tmp_path / "home"
    (source / "maps").mkdir(parents=True)
    (source / "maps" / "north").write_text("N")
    (source / "fit.sh").write_text("#!/bin/sh\n")
    (source / "fit.sh").chmod(0o755)
    return source


def given(copy: Path, to: Path) -> Inputs:
    items = [Item(path=PLACE, source=copy, is_folder=True), *list_folder(copy, PLACE)]
    published = snapshot.publish(items, to, kind=KIND, origin=ORIGIN)
    return Inputs(sources=("/home/ada/fit.sh", "/home/ada/maps"), id="0" * 32, digest=published.digest)


def paths(items: list[Item]) -> list[str]:
    return [item.path for item in items]


def test_inputs_are_found_where_a_program_starts_and_cannot_be_written_over(
    folders: Folders, copy: Path, tmp_path: Path
) -> None:
    bring(given(copy, tmp_path / "q"), tmp_path / "q", folders)

    assert (folders.output / "maps" / "north").read_text() == "N"
    assert {name: (folders.output / name).readlink() for name in ("fit.sh", "maps")} == {
        "fit.sh": Path("../input/fit.sh"),
        "maps": Path("../input/maps"),
    }
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folders.input.rglob("*") if path.is_file()}
    assert modes == {"fit.sh": 0o555, "north": 0o444}


def test_no_snapshot_and_no_result_holds_inputs(folders: Folders, copy: Path, tmp_path: Path) -> None:
    bring(given(copy, tmp_path / "q"), tmp_path / "q", folders)
    (folders.output / "result").write_text("42")

    assert paths(whole(folders)) == ["checkpoint", "output", "output/result"]
    assert paths(from_outside(folders)) == ["checkpoint", "control", "images", "output", "output/result", "tmp"]
    assert paths(list_result(folders, ())) == ["result"]


def test_a_file_that_took_an_inputs_place_is_a_result_and_is_not_replaced_after_a_move(
    folders: Folders, copy: Path, tmp_path: Path
) -> None:
    (folders.output / "fit.sh").write_text("mine")

    bring(given(copy, tmp_path / "q"), tmp_path / "q", folders)

    assert (folders.output / "fit.sh").read_text() == "mine"
    assert paths(list_output(folders)) == ["fit.sh"]


def test_a_link_of_the_jobs_own_is_refused_as_ever(folders: Folders, copy: Path, tmp_path: Path) -> None:
    bring(given(copy, tmp_path / "q"), tmp_path / "q", folders)
    (folders.output / "maps").unlink()
    (folders.output / "maps").symlink_to("/etc")
    with pytest.raises(FolderRefused, match="'maps' is a symbolic link"):
        list_output(folders)


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_inputs_that_are_not_what_was_copied_are_not_given(
    folders: Folders, copy: Path, tmp_path: Path, harm: str
) -> None:
    inputs = given(copy, tmp_path / "q")
    if harm == "gone":
        os.rename(tmp_path / "q", tmp_path / "elsewhere")  # noqa: PTH104 - a move by hand
    else:
        (tmp_path / "q" / "files" / PLACE / "maps" / "north").write_text("S")
    with pytest.raises(InputsGone, match="its inputs cannot be had back: "):
        bring(inputs, tmp_path / "q", folders)


def test_the_result_is_what_the_patterns_mean_with_the_folders_that_it_lies_in(folders: Folders) -> None:
    for name in ("plots/new/loss.png", "plots/old/loss.png", "model.pt", "scratch.bin"):
        (folders.output / name).parent.mkdir(parents=True, exist_ok=True)
        (folders.output / name).write_text(name)

    assert paths(list_result(folders, ("model.*", "plots/new"))) == [
        "model.pt",
        "plots",
        "plots/new",
        "plots/new/loss.png",
    ]
    with pytest.raises(FolderRefused, match=r"it holds nothing that is '\*\.csv', which the job names as its output"):
        list_result(folders, ("model.pt", "*.csv"))
