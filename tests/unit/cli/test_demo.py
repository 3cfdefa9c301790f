"""The demo's parts that can be tried without running it; tests/acceptance/cli runs it."""

import io
import os
import shutil
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from msgspec import structs
from rich.console import Console

from idleq.cli.demo.comparing import Comparison, compare
from idleq.cli.demo.ending import Ending, SegmentLine, problem_of, result_of
from idleq.cli.demo.moment import Moment, changes, newest_losses
from idleq.cli.demo.place import DemoPlace
from idleq.cli.demo.screen import drawn, job_line
from idleq.cli.demo.settings import DemoSettings
from idleq.cli.errors import DemoFailed
from idleq.cli.printer import plain_lines
from idleq.cli.result import Table
from idleq.ids import Fence, JobId, NodeName
from idleq.scheduler.config import EmbeddedSettings, load_config
from support.command_line import BUSY_NODE, FREE_NODE, GUEST_NODE, NOW, RUNNING

SAME = Comparison(identical=True, files=3, bytes=2048, differences=(), digest="ab" * 32)
SEGMENTS = (
    SegmentLine(segment=1, node="n1", start=NOW, end=NOW + 20_000, ending="frozen", reason="gap ends"),
    SegmentLine(segment=2, node="n3", start=NOW + 30_000, end=NOW + 95_000, ending="done", reason=""),
)
ENDING = Ending(
    job=JobId("1"),
    segments=SEGMENTS,
    moves=2,
    result=SAME,
    pictures=(Path("/d/loss.png"), Path("/d/images.png")),
    report=Path("/d/report.html"),
    server_dir=None,
    problem="",
)


def folder(path: Path, **files: str) -> Path:
    for name, text in files.items():
        file = path / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


def lines_of(ending: Ending) -> str:
    blocks = (plain_lines(block) if isinstance(block, Table) else [block] for block in result_of(ending).text)
    return "\n\n".join("\n".join(block) for block in blocks)


def test_folders_with_the_same_bytes_are_identical(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "one", a="1", b__c="22"), folder(tmp_path / "other", a="1", b__c="22")

    found = compare(one, other)

    assert replace(found, digest="") == Comparison(identical=True, files=2, bytes=3, differences=(), digest="")
    assert found == compare(other, one)


@pytest.mark.parametrize(
    ("files", "difference"), [({"a": "1", "b": "x"}, "b"), ({"a": "1"}, "b"), ({"a": "1", "b": "2", "c": "3"}, "c")]
)
def test_every_difference_is_named(tmp_path: Path, files: dict[str, str], difference: str) -> None:
    found = compare(folder(tmp_path / "one", a="1", b="2"), folder(tmp_path / "other", **files))

    assert (found.identical, found.differences) == (False, (difference,))


def test_nothing_compared_is_nothing_shown(tmp_path: Path) -> None:
    assert not compare(tmp_path / "none", tmp_path / "neither").identical


def test_the_end_is_a_table_and_where_to_look() -> None:
    assert lines_of(ENDING) == dedent("""
        SEGMENT  NODE  FROM      UNTIL      FOR  WHY IT STOPPED
              1  n1    20:26:40  20:27:00   20s  frozen: gap ends
              2  n3    20:27:10  20:28:15  1m5s  done

        Moved 2 times from node to node.
        Result: identical, byte for byte, to the uninterrupted run's (3 files, 2K, SHA-256 abababababababab).
        Loss curve:      /d/loss.png
        Images:          /d/images.png
        Report:          /d/report.html
    """).strip("\n")
    assert result_of(ENDING).code == 0


def test_a_demo_that_shows_too_little_says_so_and_fails() -> None:
    ending = replace(ENDING, problem="the job was moved 1 time", server_dir=Path("/d/server"))

    last = lines_of(ending).splitlines()[-2:]
    assert last == [
        "Server directory: /d/server",
        "The demo did not show what it is to show: the job was moved 1 time.",
    ]
    assert result_of(ending).code == 61


def test_json_names_segments_moves_result_and_report() -> None:
    value: Any = result_of(ENDING).value

    assert {name: value[name] for name in ("job", "moves", "problem", "report", "pictures")} == {
        "job": "1",
        "moves": 2,
        "problem": "",
        "report": "/d/report.html",
        "pictures": ["/d/loss.png", "/d/images.png"],
    }
    assert value["segments"] == list(SEGMENTS)
    assert value["result"] == SAME


@pytest.mark.parametrize(
    ("result", "moves", "problem"),
    [
        (SAME, 2, ""),
        (SAME, 1, "the job was moved 1 time, and 2 were to be shown; try another --seed or more --steps"),
        (
            replace(SAME, identical=False, differences=("loss.png",)),
            5,
            "the result is not that of the uninterrupted run: loss.png",
        ),
        (
            replace(SAME, identical=False, files=0),
            5,
            "the result is not that of the uninterrupted run: there are no files at all",
        ),
    ],
)
def test_what_was_not_shown_is_named(result: Comparison, moves: int, problem: str) -> None:
    assert problem_of(result, moves) == problem


def test_each_change_of_the_job_is_one_line() -> None:
    first = Moment(now=NOW, row=structs.replace(RUNNING, fence=Fence(1), step=0, snapshots=0), nodes=())
    frozen = replace(first, row=structs.replace(RUNNING, state="queued", node=None, fence=Fence(1)))
    second = replace(first, row=structs.replace(RUNNING, node=NodeName("n1")))
    done = replace(first, row=structs.replace(RUNNING, state="done", node=None))
    story = (first, replace(first, now=NOW + 1), frozen, second, done)

    told = [list(changes(None, first)), *(list(changes(before, after)) for before, after in pairwise(story))]

    assert told == [
        ["started on n3 (segment 1), at step 0"],
        [],
        ["frozen at step 340 (21 %); it waits for another gap"],
        ["thawed on n1 (segment 2), at step 340"],
        ["done"],
    ]


def test_the_job_is_one_line_with_a_bar() -> None:
    moment = Moment(now=NOW, row=RUNNING, nodes=(), losses=(("generator", 1.2345),))

    assert job_line(moment) == f"job 17 running on n3  {'━' * 6}{'─' * 24} 21 %  generator loss 1.234"


def test_the_picture_shows_who_has_each_node_and_what_happened() -> None:
    moment = Moment(now=NOW, row=RUNNING, nodes=(FREE_NODE, BUSY_NODE, GUEST_NODE))
    out = io.StringIO()

    Console(file=out, width=80, color_system=None).print(
        drawn(moment, ["20:26:40  started on n3 (segment 1), at step 0"])
    )

    assert [line.rstrip() for line in out.getvalue().splitlines()] == [
        "",
        " NODE         HOLDS               GAP",
        " ────────────────────────────────────────────",
        " n1            idle               in 1m35s",
        " n2            main job main-7    opens in 3m",
        " n3            job 17             unknown",
        "",
        f"job 17 running on n3  {'━' * 6}{'─' * 24} 21 %",
        "",
        "20:26:40  started on n3 (segment 1), at step 0",
    ]


def test_the_newest_losses_are_found_wherever_the_job_is(tmp_path: Path) -> None:
    line = '{"step": 10, "metrics": {"generator_loss": %s, "discriminator_loss": 0.5}}\n'
    old = folder(tmp_path / "n1", progress_jsonl="")
    (old / "progress.jsonl").write_text(line % 9)
    os.utime(old / "progress.jsonl", (1, 1))
    new = folder(tmp_path / "n2" / "scratch", progress_jsonl="")
    (new / "progress.jsonl").write_text(line % 3 + line % 2)

    assert newest_losses(tmp_path) == (("generator", 2.0), ("discriminator", 0.5))

    (new / "progress.jsonl").write_text('{"step": 10, "metr')
    assert newest_losses(tmp_path) == ()
    assert newest_losses(tmp_path / "none") == ()


def test_guests_that_come_and_go_while_their_losses_are_looked_for_are_passed_over(tmp_path: Path) -> None:
    is_over = threading.Event()

    def come_and_go() -> None:
        while not is_over.is_set():
            folder(tmp_path / "n1" / "scratch" / "a1" / "1" / "output", progress_jsonl="")
            shutil.rmtree(tmp_path / "n1")

    guests = threading.Thread(target=come_and_go)
    guests.start()
    try:
        assert {newest_losses(tmp_path) for _ in range(3000)} == {()}
    finally:
        is_over.set()
        guests.join()


def test_the_settings_are_a_config_that_the_daemon_reads(tmp_path: Path) -> None:
    DemoSettings(nodes=5, seed=9, slow_down=4).write(tmp_path / "config.toml")

    cluster = load_config(tmp_path / "config.toml").cluster

    assert isinstance(cluster, EmbeddedSettings)
    assert (cluster.nodes, cluster.seed, cluster.speed) == (5, 9, 0.25)


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")

    with pytest.raises(DemoFailed, match=r"is not empty; choose another with --dir, or remove it$|too long a path"):
        DemoPlace.create(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_pictures_and_the_report_outlast_the_demo(tmp_path: Path) -> None:
    place = DemoPlace(tmp_path)
    result = folder(tmp_path / "server" / "result", **{"loss.png": "l", "images.png": "i", "weights": "w"})
    place.report.write_text("r")
    folder(place.data, x="y")

    place.keep_pictures(result)
    place.tidy()

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "loss.png": "l",
        "images.png": "i",
        "report.html": "r",
    }
