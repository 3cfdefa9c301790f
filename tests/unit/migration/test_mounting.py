"""What a container may be shown of a node, looked at on the node itself."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from idleq.migration.errors import MountRefused
from idleq.migration.mounting import checked


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An allowed folder with a file, a folder and its neighbour, which is not allowed."""
    (tmp_path / "data" / "run" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "events.csv").touch()
    (tmp_path / "secret" / "deep").mkdir(parents=True)
    return tmp_path / "data"


@pytest.mark.parametrize("part", [".", "events.csv", "run", "run/deep"])
def test_files_and_folders_of_an_allowed_folder_are_shown(data: Path, part: str) -> None:
    assert checked(data / part, [str(data)]) == data / part


def test_an_allowed_folder_may_itself_be_a_link(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data)
    assert checked(tmp_path / "link" / "run", [str(tmp_path / "link")]) == data / "run"


def a_link_out(data: Path) -> Path:
    (data / "x").symlink_to("../secret")
    return data / "x"


def a_link_on_the_way(data: Path) -> Path:
    (data / "x").symlink_to("../secret")
    return data / "x" / "deep"


def a_link_inside(data: Path) -> Path:
    (data / "x").symlink_to("run")
    return data / "x"


def a_broken_link(data: Path) -> Path:
    (data / "x").symlink_to("nowhere")
    return data / "x"


def a_neighbour(data: Path) -> Path:
    return data.parent / "secret"


def a_neighbour_with_a_longer_name(data: Path) -> Path:
    (data.parent / "database").mkdir()
    return data.parent / "database"


def a_way_up(data: Path) -> Path:
    return data / "run" / ".." / ".." / "secret"


def the_allowed_folders_parent(data: Path) -> Path:
    return data.parent


def a_socket(data: Path) -> Path:
    here = Path.cwd()
    os.chdir(data)  # a socket's path may have 108 characters
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("engine.sock")
    finally:
        os.chdir(here)
    return data / "engine.sock"


def a_pipe(data: Path) -> Path:
    os.mkfifo(data / "pipe")
    return data / "pipe"


def nothing(data: Path) -> Path:
    return data / "missing"


def something_below_a_file(data: Path) -> Path:
    return data / "events.csv" / "x"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (a_link_out, "leads over the link 'x'"),
        (a_link_on_the_way, "leads over the link 'x'"),
        (a_link_inside, "leads over the link 'x'"),
        (a_broken_link, "leads over the link 'x'"),
        (a_neighbour, "lies in none of the folders"),
        (a_neighbour_with_a_longer_name, "lies in none of the folders"),
        (a_way_up, "lies in none of the folders"),
        (the_allowed_folders_parent, "lies in none of the folders"),
        (a_socket, "is neither a file nor a folder"),
        (a_pipe, "is neither a file nor a folder"),
        (nothing, "No such file or directory"),
        (something_below_a_file, "Not a directory"),
    ],
)
def test_whatever_leads_elsewhere_is_refused(data: Path, make: Callable[[Path], Path], why: str) -> None:
    with pytest.raises(MountRefused, match=why):
        checked(make(data), [str(data)])


def test_where_nothing_is_allowed_nothing_is_shown(data: Path) -> None:
    with pytest.raises(MountRefused, match="lies in none of the folders"):
        checked(data, [])
