"""Sweeps over real processes: the same rows whatever their number, and whatever is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from idleq.simulator.errors import ImpossibleParameters, SimulationLeft, SweepBroken, SweepForeign, SweepRunning
from idleq.simulator.rows import RowsFile
from idleq.simulator.sweep import run_points
from support import sweeping
from support.sweeping import KEYS, POINTS, asked, square

ROWS = [{"square": number * number, "root": number**0.5, "none": None} for number in range(12)]

GLANCE_S = 0.02


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    folder.mkdir()
    return folder


def swept(file: Path, calls: Path, processes: int = 1, made_by: str = "test") -> list[dict[str, object]]:
    with RowsFile(file, made_by) as kept:
        return [dict(row) for row in run_points(POINTS, KEYS, partial(square, calls=calls), kept, processes)]


@pytest.mark.parametrize("processes", [1, 2])
def test_the_rows_are_the_same_whatever_the_number_of_processes(tmp_path: Path, calls: Path, processes: int) -> None:
    assert swept(tmp_path / "rows", calls, processes) == ROWS
    assert swept(tmp_path / "rows", calls, processes) == ROWS
    assert asked(calls) == dict.fromkeys(range(12), 1)


def test_a_sweep_that_is_killed_goes_on_and_leaves_no_process_behind(tmp_path: Path, calls: Path) -> None:
    (calls / "slow").touch()
    environment = os.environ | {"PYTHONPATH": str(Path(sweeping.__file__).parents[1])}
    process = subprocess.Popen([sys.executable, sweeping.__file__, str(tmp_path / "rows"), str(calls)], env=environment)
    end = time.monotonic() + 60
    while time.monotonic() < end and len(asked(calls)) < 5 and process.poll() is None:
        time.sleep(GLANCE_S)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGKILL)
    process.wait()
    while time.monotonic() < end and any(Path(f"/proc/{worker}/exe").exists() for worker in workers):
        time.sleep(GLANCE_S)
    assert not any(Path(f"/proc/{worker}/exe").exists() for worker in workers)
    assert 0 < (tmp_path / "rows").read_text().count("point") < 12

    assert swept(tmp_path / "rows", calls) == ROWS
    assert sum(asked(calls).values()) < 12 + 5


def test_a_line_that_was_cut_short_is_run_again(tmp_path: Path, calls: Path) -> None:
    swept(tmp_path / "rows", calls)
    content = (tmp_path / "rows").read_bytes()
    for cut in (len(content) - 1, len(content) - 20, 5, 0):
        (tmp_path / "rows").write_bytes(content[:cut])
        assert swept(tmp_path / "rows", calls) == ROWS
    assert (tmp_path / "rows").read_bytes() == content
    assert asked(calls)[11] == 5


def test_rows_of_other_code_and_other_files_are_refused_and_stay(tmp_path: Path, calls: Path) -> None:
    swept(tmp_path / "rows", calls)
    content = (tmp_path / "rows").read_bytes()
    with pytest.raises(SweepForeign):
        swept(tmp_path / "rows", calls, made_by="another")
    assert (tmp_path / "rows").read_bytes() == content
    for text in ("my thesis", "my thesis\n", '{"a": 1}\n'):
        (tmp_path / "other").write_text(text)
        with pytest.raises(SweepForeign):
            swept(tmp_path / "other", calls)
        assert (tmp_path / "other").read_text() == text


def test_two_sweeps_into_one_file_are_refused(tmp_path: Path, calls: Path) -> None:
    with RowsFile(tmp_path / "rows", "test"), pytest.raises(SweepRunning):
        swept(tmp_path / "rows", calls)


def test_what_fails_says_where_and_the_rows_before_it_are_kept(tmp_path: Path, calls: Path) -> None:
    (calls / "fails").touch()
    before = threading.enumerate()
    with pytest.raises(ImpossibleParameters, match=r'five cannot be \(at {"number": 5}\)'):
        swept(tmp_path / "rows", calls)
    assert [thread for thread in threading.enumerate() if thread not in before] == []  # nor one that would fail later
    (calls / "fails").unlink()
    assert swept(tmp_path / "rows", calls) == ROWS
    assert asked(calls)[0] == 1


def test_a_process_that_is_killed_is_told(tmp_path: Path, calls: Path) -> None:
    (calls / "dies").touch()
    with pytest.raises(SweepBroken):
        swept(tmp_path / "rows", calls)
    (calls / "dies").unlink()
    assert swept(tmp_path / "rows", calls) == ROWS


def test_whoever_is_told_to_leave_keeps_what_is_finished(tmp_path: Path, calls: Path) -> None:
    (calls / "slow").touch()  # or all of it may be done before anybody has looked
    done = list[int]()
    with RowsFile(tmp_path / "rows", "test") as kept, pytest.raises(SimulationLeft, match="of 12 runs to go"):
        run_points(
            POINTS, KEYS, partial(square, calls=calls), kept, 1, show=done.append, is_leaving=lambda: max(done) >= 3
        )
    (calls / "slow").unlink()
    assert swept(tmp_path / "rows", calls) == ROWS
    assert asked(calls)[0] == 1
