"""The event file for TensorBoard says what `progress.jsonl` says, once, whatever has happened to the training."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("tensorboard", reason="the tensorboard extra is not installed")

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from idleq.workloads.checkpoint import CheckpointStore
from idleq.workloads.contract import Places
from idleq.workloads.errors import CannotSave
from idleq.workloads.guest import Guest
from idleq.workloads.training.batches import BatchOrder
from idleq.workloads.training.best import Best
from idleq.workloads.training.events import EVENT_FILE, EventFile, events_in
from idleq.workloads.training.history import History
from idleq.workloads.training.loop import go_on_from, train
from idleq.workloads.training.state import TrainingState

REPORTS = [{"step": 10, "loss": 1.5, "right": 0.25}, {"step": 20, "loss": 0.75, "right": 0.5}]

Told = dict[str, list[tuple[int, float]]]


def told_by(output: Path) -> Told:
    """What TensorBoard itself reads: (step, value) of each metric."""
    accumulator = EventAccumulator(str((output / EVENT_FILE).parent))
    accumulator.Reload()
    return {
        name: [(one.step, one.value) for one in accumulator.Scalars(name)] for name in accumulator.Tags()["scalars"]
    }


def progress_of(output: Path) -> Told:
    found: Told = {}
    for line in (output / "progress.jsonl").read_text().splitlines():
        values = json.loads(line)
        for name, value in values["metrics"].items():
            found.setdefault(name, []).append((values["step"], value))
    return found


def test_tensorboard_reads_every_metric_of_every_report(tmp_path: Path) -> None:
    events = events_in(tmp_path, REPORTS[:1])
    events.add(20, {"loss": 0.75, "right": 0.5})
    assert told_by(tmp_path) == {"loss": [(10, 1.5), (20, 0.75)], "right": [(10, 0.25), (20, 0.5)]}


def test_a_file_that_is_written_at_once_has_the_same_bytes_as_one_that_has_grown(tmp_path: Path) -> None:
    grown, whole = tmp_path / "grown", tmp_path / "whole"
    for folder in (grown, whole):
        folder.mkdir()
    events = EventFile(grown / "events", [])
    for report in REPORTS:
        events.add(int(report["step"]), {name: report[name] for name in ("right", "loss")})
    EventFile(whole / "events", REPORTS)
    assert (grown / "events").read_bytes() == (whole / "events").read_bytes()


def test_what_came_after_the_checkpoint_is_taken_back(tmp_path: Path) -> None:
    events = events_in(tmp_path, REPORTS)
    events.add(30, {"loss": 0.5, "right": 0.75})
    leftover = tmp_path / "tensorboard" / ".tmp-events.out.tfevents.0.training-1"
    leftover.write_bytes(b"half")
    events_in(tmp_path, REPORTS[:1]).add(20, {"loss": 0.25, "right": 0.5})
    assert told_by(tmp_path)["loss"] == [(10, 1.5), (20, 0.25)]
    assert not leftover.exists()


def test_a_file_that_is_right_is_left_alone(tmp_path: Path) -> None:
    events_in(tmp_path, REPORTS)
    before = (tmp_path / EVENT_FILE).stat().st_ino
    events_in(tmp_path, REPORTS)
    assert (tmp_path / EVENT_FILE).stat().st_ino == before


def test_a_place_that_takes_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("in the way")
    with pytest.raises(CannotSave, match=r"cannot save the metrics in .*tensorboard"):
        events_in(tmp_path, REPORTS)


@dataclass
class Schedule:
    steps: int
    report_every: int = 2


class Counting(TrainingState):
    """A training whose metrics follow from its step."""

    __slots__ = ()

    @classmethod
    def begin(cls) -> "Counting":
        import numpy as np

        return cls(
            order=BatchOrder.begin(events=4, batch=2, random=np.random.default_rng(1)),
            history=History(),
            data_digest="made up",
            best=Best(torch.nn.Linear(1, 1), patience=1),
        )


def run_segment(folder: Path, steps: int, leave_at: int | None) -> bool:
    """One segment of a training of *steps*, asked to leave, as by the signal, at the step *leave_at*."""
    places = Places(checkpoints=folder / "checkpoints", output=folder / "output", control=None)
    with Guest(places=places, kind="counting", identity={}) as guest:
        state = Counting.begin()
        go_on_from(state, guest.restore())

        def step() -> dict[str, float]:
            state.step += 1
            if state.step == leave_at:
                guest._stop.is_set = True
            return {"loss": 1 / state.step}

        return train(guest, state, Schedule(steps=steps), step)


def test_a_training_that_left_and_went_on_has_the_same_file_as_one_that_did_not(tmp_path: Path) -> None:
    assert run_segment(tmp_path / "still", 11, None)
    assert [run_segment(tmp_path / "moved", 11, leave_at) for leave_at in (3, 8, None)] == [False, False, True]
    still, moved = tmp_path / "still" / "output", tmp_path / "moved" / "output"
    assert (moved / EVENT_FILE).read_bytes() == (still / EVENT_FILE).read_bytes()
    assert [step for step, _ in told_by(moved)["loss"]] == [2, 4, 6, 8, 10, 11]


def rolled_back(folder: Path) -> None:
    """Put the newest checkpoint away, and leave the output as it is: the one before is gone on from."""
    store = CheckpointStore(folder / "checkpoints")
    newest = max(store.root.iterdir())
    (newest / "manifest.json").write_bytes(b"{}")


@pytest.mark.parametrize("before", [lambda _folder: None, rolled_back])
def test_the_file_agrees_with_the_progress_file_after_a_roll_back(
    tmp_path: Path, before: Callable[[Path], None]
) -> None:
    for leave_at in (5, 9):
        assert not run_segment(tmp_path, 12, leave_at)
    before(tmp_path)
    assert run_segment(tmp_path, 12, None)
    told, progress = told_by(tmp_path / "output")["loss"], progress_of(tmp_path / "output")["loss"]
    assert [step for step, _ in told] == [step for step, _ in progress] == [2, 4, 6, 8, 10, 12]
    assert [value for _, value in told] == pytest.approx([value for _, value in progress])


def test_without_the_package_one_line_says_so_and_nothing_is_left_half(tmp_path: Path) -> None:
    events_in(tmp_path, REPORTS)
    program = (
        "import sys; sys.modules['tensorboard'] = None; from pathlib import Path;"
        "from idleq.workloads.training.events import events_in;"
        "events = events_in(Path(sys.argv[1]), []); events.add(1, {'loss': 1.0}); events.add(2, {'loss': 1.0})"
    )
    argv = [sys.executable, "-c", program, str(tmp_path)]
    finished = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    (line,) = finished.stderr.splitlines()
    assert "no event file for TensorBoard" in line
    assert "pip install 'idleq[tensorboard]'" in line
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
