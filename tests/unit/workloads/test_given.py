"""Trainings that are given files: read whatever they are called, refused where they cannot be learned from, never mixed up."""

import hashlib
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("pyarrow", reason="the train extra is not installed")

import pyarrow as pa
import pyarrow.parquet as pq

from idleq.workloads import cli
from idleq.workloads.checkpoint import CheckpointStore
from idleq.workloads.contract import Places
from idleq.workloads.errors import BadOption, DamagedData, MissingInput
from idleq.workloads.guest import PROGRESS_FILE, Guest
from idleq.workloads.iact.events_file import METADATA
from idleq.workloads.iact.fetching import dataset_for
from idleq.workloads.iact.given import gammas_of
from idleq.workloads.iact.showers import ROWS
from idleq.workloads.training.loop import MAKING_DATA, PHASE
from idleq.workloads.training.options import Given
from support.events_files import EVENTS, a_file, a_shard, card, ingested, read, some_images, told

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """The results of an array of two tasks."""
    for task in (0, 1):
        a_shard(tmp_path / "shards" / str(task), task)
    return tmp_path / "shards"


def train(job: str, output: Path, *images: Path, more: tuple[str, ...] = ()) -> int:
    argv = [job, "--images", *map(str, images), "--steps", "2", "--batch", "16", "--output", str(output), *more]
    return cli.main(argv)


def test_sizes_and_classes_are_those_of_a_made_set(tmp_path: Path) -> None:
    pytest.importorskip("ctapipe", reason="the train extra is not installed")
    from idleq.workloads.iact.dataset import DatasetSpec
    from idleq.workloads.iact.making import ensure_dataset

    assert cli.main(["simulate-showers", "--events", "30", "--output", str(tmp_path / "shards")]) == 0
    given, made = gammas_of(read(tmp_path / "shards"), None), ensure_dataset(DatasetSpec(events=30), tmp_path)
    assert made is not None
    mine, theirs = np.argsort(given.sizes), np.argsort(made.sizes)
    for name in ("images", "sizes", "classes", "rows"):
        assert np.array_equal(getattr(given, name)[mine], getattr(made, name)[theirs]), name
        assert getattr(given, name).dtype == getattr(made, name).dtype, name
    assert given.edges == made.edges


def test_where_files_lie_and_what_they_are_called_changes_nothing(shards: Path, tmp_path: Path) -> None:
    first = gammas_of(read(shards), None)
    shutil.copy(shards / "0" / "gamma-train-seed1-00000.parquet", tmp_path / "z.parquet")
    shutil.copy(shards / "1" / "gamma-train-seed1-00001.parquet", tmp_path / "a.parquet")
    again = gammas_of(read(tmp_path / "z.parquet", tmp_path / "a.parquet"), None)
    assert again.digest == first.digest
    assert np.array_equal(again.images, first.images)


def test_the_one_manifest_of_a_folder_is_read_too(tmp_path: Path) -> None:
    path = a_shard(tmp_path, 0)
    path.with_suffix(".json").rename(tmp_path / "manifest.json")
    assert len(read(tmp_path)) == 1
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DamagedData, match="does not match its checksum"):
        read(tmp_path)


def test_the_first_events_of_an_order_that_mixes_the_files(shards: Path) -> None:
    files = read(shards)
    everything, some = gammas_of(files, None), gammas_of(files, 50)
    assert len(everything.images) == 2 * EVENTS
    assert np.array_equal(some.images, everything.images[:50])
    assert some.digest != everything.digest
    per_file = [sum(any(np.array_equal(image, one) for one in file.images) for image in some.images) for file in files]
    assert min(per_file) > 10
    with pytest.raises(BadOption, match="--images holds 120 events, fewer than --events 121"):
        gammas_of(files, 121)


def test_showers_that_files_count_themselves_are_told_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        a_file(tmp_path / f"{name}.events.parquet", ingested(name), some_images(len(name)))
    (tmp_path / "one.hillas.parquet").write_bytes(b"parameters, which are of no use here")
    rows = gammas_of(read(tmp_path), None).rows
    assert sorted(rows) == list(range(ROWS, ROWS + 2 * EVENTS))


def damaged(shards: Path) -> str:
    path = shards / "1" / "gamma-train-seed1-00001.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    return "does not match its checksum"


def lost(shards: Path) -> str:
    (shards / "1" / "gamma-train-seed1-00001.parquet").unlink()
    return "cannot read"


def damaged_manifest(shards: Path) -> str:
    (shards / "1" / "gamma-train-seed1-00001.json").write_text("{")
    return "gamma-train-seed1-00001.json is not readable"


def twice(shards: Path) -> str:
    shutil.copytree(shards / "0", shards / "again")
    return "hold the same events (simulate-showers: gamma, split train, seed 1, task 0)"


def no_numbers(shards: Path) -> str:
    images = some_images(3)
    images[4, 8] = images[5, 9] = np.nan
    images[6] = 0
    a_file(shards / "bad.parquet", told(3), images)
    return f"of the {EVENTS} images in {shards / 'bad.parquet'} 2 have pixels that are no numbers, 1 have no light"


def not_cleaned(shards: Path) -> str:
    images = some_images(3)
    images[:3, 0] = 3.9
    images[3, 0] = -1
    images[4] = np.minimum(images[4], 13)
    a_file(shards / "bad.parquet", told(3), images)
    return "5 have light that cleaning with 14 and 7 photo-electrons does not leave"


def other_cleaning(shards: Path) -> str:
    levels = {"picture_level": 10, "boundary_level": 5}
    a_file(shards / "bad.parquet", {**told(3), "rules": levels}, some_images(3))
    return "were cleaned with 10 and 5 photo-electrons"


def other_camera(shards: Path) -> str:
    images = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(1855 * 3, dtype=np.float32)), 1855)
    table = pa.table({"image": images}).replace_schema_metadata({METADATA: json.dumps(told(3))})
    pq.write_table(table, shards / "bad.parquet")
    return "have 1855 pixels, this camera has 609: they are of another camera"


def other_name(shards: Path) -> str:
    a_file(shards / "bad.parquet", {**told(3), "camera": "FlashCam"}, some_images(3))
    return "are of the camera FlashCam, not of TAIGA-IACT03"


def no_images(shards: Path) -> str:
    pq.write_table(pa.table({"size": [1.0]}), shards / "bad.parquet")
    return "holds no images"


def nothing_told(shards: Path) -> str:
    a_file(shards / "bad.parquet", {"format": 1}, some_images(3))
    return "does not say in its metadata what its events are"


def of_a_judge(shards: Path) -> str:
    a_shard(shards / "3", 3, split="held-out")
    return "is of the split 'held-out', which judges learn from or measure by"


def hadrons(shards: Path) -> str:
    a_shard(shards / "3", 3, particle="hadron")
    return "holds hadrons; generators learn from gammas"


def too_few(shards: Path) -> str:
    shutil.rmtree(shards / "0")
    a_shard(shards / "1", 1, events=12)
    return "--images gives too few events"


def none_at_all(shards: Path) -> str:
    shutil.rmtree(shards / "0")
    a_shard(shards / "1", 1, events=0)
    return "0 events are too few to learn from"


def empty(shards: Path) -> str:
    shutil.rmtree(shards)
    shards.mkdir()
    return "there are no events files (.parquet, with images) in"


def nowhere(shards: Path) -> str:
    shutil.rmtree(shards)
    return f"there is no file or folder {shards}, seen from"


WRONG = {
    damaged: DamagedData,
    lost: MissingInput,
    damaged_manifest: DamagedData,
    twice: BadOption,
    no_numbers: DamagedData,
    not_cleaned: DamagedData,
    other_cleaning: DamagedData,
    other_camera: DamagedData,
    other_name: DamagedData,
    no_images: DamagedData,
    nothing_told: DamagedData,
    of_a_judge: BadOption,
    hadrons: BadOption,
    too_few: BadOption,
    none_at_all: BadOption,
    empty: MissingInput,
    nowhere: MissingInput,
}


@pytest.mark.parametrize("change", WRONG)
def test_files_that_cannot_be_learned_from_are_refused_with_why(
    change: Any, shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = change(shards)
    code = train("train-cgan", tmp_path / "out", shards)
    said = capsys.readouterr().err
    assert code == WRONG[change].exit_code, said
    assert reason in said
    assert not list((tmp_path / "out").glob("*.safetensors"))


def test_data_and_images_contradict_each_other(shards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("train-cvae", shards / "out", shards, more=("--data", "here")) == 2
    assert "leave out --data" in capsys.readouterr().err


@pytest.mark.parametrize("job", ["train-cgan", "train-cvae"])
def test_a_generator_learns_from_files_and_its_card_says_which(job: str, shards: Path, tmp_path: Path) -> None:
    a_file(tmp_path / "real.events.parquet", ingested("run7.simtel"), some_images(9))
    assert train(job, tmp_path / "out", shards, tmp_path / "real.events.parquet") == 0
    data, limits = card(tmp_path / "out")["data"], card(tmp_path / "out")["limits"]
    checksum = hashlib.sha256(b"run7.simtel").hexdigest()
    assert data["sources"] == [
        f"sim_telarray: run7.simtel, gamma, SHA-256 {checksum}",
        "simulate-showers: gamma, split train, seed 1 (2 files)",
    ]
    assert data["truth"] == (
        "images of sim_telarray, calibrated by ctapipe, with the files' own trigger;"
        " rendered from MAGIC's Hillas parameters: a stand-in for TAIGA's Monte Carlo"
    )
    assert limits[0].startswith("The truth it learnt from is that of the files it was given")
    assert data["events"] == card(tmp_path / "out")["settings"]["events"] == 3 * EVENTS
    assert data["digest"] == gammas_of(read(shards, tmp_path / "real.events.parquet"), None).digest


def test_the_usual_batch_is_no_larger_than_the_files_allow(shards: Path, tmp_path: Path) -> None:
    argv = ["train-cgan", "--images", str(shards), "--steps", "1", "--output", str(tmp_path / "out")]
    assert cli.main(argv) == 0
    assert card(tmp_path / "out")["settings"]["batch"] == 114  # of 120, six of which are kept back


def frozen(output: Path, monkeypatch: pytest.MonkeyPatch, *images: Path) -> None:
    """A training that is told to leave after its first report."""
    from idleq.workloads.training.history import History

    def and_leave(self: History, step: int) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGUSR1)
        return report(self, step)

    report = History.report
    with monkeypatch.context() as patch:
        patch.setattr(History, "report", and_leave)
        assert train("train-cvae", output, *images, more=("--steps", "20")) == 85


def test_a_training_goes_on_with_a_copy_elsewhere_to_the_same_bytes(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train("train-cvae", tmp_path / "still", shards, more=("--steps", "20")) == 0
    frozen(tmp_path / "moved", monkeypatch, shards)
    shutil.move(shards, tmp_path / "elsewhere")
    assert train("train-cvae", tmp_path / "moved", tmp_path / "elsewhere", more=("--steps", "20")) == 0
    still, moved = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / name).rglob("*")) if path.is_file()}
        for name in ("still", "moved")
    )
    assert sorted(moved) == sorted(still)
    assert [name for name in still if moved[name] != still[name]] == []


@pytest.mark.parametrize("change", ["one more", "one less", "another", "made"])
def test_a_training_goes_on_with_no_other_files(
    change: str, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frozen(tmp_path / "out", monkeypatch, shards)
    if change == "one more":
        a_shard(shards / "2", 2)
    elif change == "one less":
        shutil.rmtree(shards / "1")
    elif change == "another":
        a_file(shards / "1" / "gamma-train-seed1-00001.parquet", told(1), some_images(8))
        (shards / "1" / "gamma-train-seed1-00001.json").unlink()
    argv = ["train-cvae", "--steps", "20", "--batch", "16", "--output", str(tmp_path / "out")]
    assert cli.main([*argv, *(() if change == "made" else ("--images", str(shards)))]) == 76
    reason = 'events = "as given"' if change == "made" else "give the same --data or --images"
    assert reason in capsys.readouterr().err
    store = CheckpointStore(tmp_path / "out" / ".checkpoints")
    assert store.load() is not None


def test_a_guest_that_is_to_leave_while_it_reads_saves_that(shards: Path, tmp_path: Path) -> None:
    places = Places(checkpoints=tmp_path / "checkpoints", output=tmp_path / "output", control=None)
    given = Given(paths=(shards,), events=None, unknown=())
    from idleq.workloads.iact.dataset import DatasetSpec

    with Guest(places=places, kind="test", identity={}) as guest:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert dataset_for(guest, DatasetSpec(events=10), places, None, guest.restore(), given) is None
    saved = CheckpointStore(places.checkpoints).load()
    assert saved is not None
    assert dict(saved.parts) == {PHASE: MAKING_DATA, PROGRESS_FILE: b""}
