"""Simulated showers: one file for each task, whole or not there, with what made them inside."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ctapipe", reason="the train extra is not installed")
pytest.importorskip("pyarrow", reason="the train extra is not installed")

import pyarrow.parquet as pq

from idleq.workloads import cli
from idleq.workloads.errors import DamagedData, MissingInput
from idleq.workloads.iact.events_file import COLUMNS, read_events
from idleq.workloads.iact.given import read_files
from idleq.workloads.iact.showers import load_showers
from idleq.workloads.iact.simulate import is_done
from idleq.workloads.iact.task import Task

ARGV = ["simulate-showers", "--events", "12"]


def simulate(output: Path, *options: str) -> Path:
    assert cli.main([*ARGV, *options, "--output", str(output)]) == 0
    (file,) = output.glob("*.parquet")
    return file


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("made"))


def test_a_file_has_its_events_with_units_and_what_made_them(made: Path) -> None:
    columns, metadata = read_events(made)
    assert made.name == "gamma-train-seed1-00000.parquet"
    assert columns["image"].shape == (12, 609)
    assert columns["image"].sum(axis=1) == pytest.approx(columns["size"], rel=1e-5)
    assert set(columns["row"].tolist()) <= set(load_showers("gamma", "train").row.tolist())
    schema = pq.read_schema(made)
    assert {field.name: field.metadata[b"unit"].decode() for field in schema} == {
        name: unit for name, (_, unit) in COLUMNS.items()
    }
    assert metadata["identity"] == {"particle": "gamma", "split": "train", "events": 12, "seed": 1, "task": 0}
    assert {"ctapipe", "numpy", "pyarrow"} <= set(metadata["versions"])
    assert metadata["provenance"]["magic_hillas.csv.gz"]["doi"] == "10.24432/C52C8K"
    assert metadata["tried"] >= 12


def test_a_task_gives_the_same_bytes_again_and_another_task_other_events(made: Path, tmp_path: Path) -> None:
    assert simulate(tmp_path / "again").read_bytes() == made.read_bytes()
    other, _ = read_events(simulate(tmp_path / "other", "--task", "1"))
    first, _ = read_events(made)
    assert not np.isin(other["true_size"], first["true_size"]).all()


def test_hadrons_are_other_showers(made: Path, tmp_path: Path) -> None:
    hadrons, _ = read_events(simulate(tmp_path / "hadrons", "--particle", "hadron", "--split", "held-out"))
    assert set(hadrons["row"].tolist()) <= set(load_showers("hadron", "held-out").row.tolist())
    assert made.exists()


def test_a_task_of_an_array_is_numbered_by_idleq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDLEQ_ARRAY_INDEX", "7")
    assert simulate(tmp_path).name == "gamma-train-seed1-00007.parquet"


def test_a_task_that_is_done_does_nothing_and_a_damaged_file_is_made_again(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = simulate(tmp_path)
    written = file.stat().st_mtime_ns
    simulate(tmp_path)
    assert file.stat().st_mtime_ns == written
    assert "nothing to do" in capsys.readouterr().err
    task = Task(particle="gamma", split="train", events=12, seed=1, number=0)
    assert is_done(tmp_path, task)
    file.write_bytes(file.read_bytes()[:-1])
    assert not is_done(tmp_path, task)
    assert simulate(tmp_path).read_bytes() == made.read_bytes()


def test_the_manifest_is_of_the_file(made: Path) -> None:
    manifest = json.loads(made.with_suffix(".json").read_text())
    assert list(manifest["files"]) == [made.name]
    assert manifest["files"][made.name]["size"] == made.stat().st_size


def test_tasks_in_one_folder_keep_all_their_checksums(made: Path, tmp_path: Path) -> None:
    for task in ("0", "1", "0"):
        assert cli.main([*ARGV, "--task", task, "--output", str(tmp_path)]) == 0
    assert len(read_files([tmp_path]) or ()) == 2
    first, second = sorted(tmp_path.glob("*.parquet"))
    shutil.copy(second, first)
    with pytest.raises(DamagedData, match=r"00000\.parquet does not match its checksum"):
        read_files([tmp_path])
    shutil.copy(made, first)
    second.unlink()
    with pytest.raises(MissingInput, match=r"00001\.parquet"):
        read_files([tmp_path])


def remove_manifest(file: Path) -> None:
    file.with_suffix(".json").unlink()


def damage_manifest(file: Path) -> None:
    file.with_suffix(".json").write_text("{")


@pytest.mark.parametrize("before", [None, remove_manifest, damage_manifest])
def test_a_file_of_another_set_is_not_replaced(
    before: Callable[[Path], None] | None, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = simulate(tmp_path)
    if before:
        before(file)
    assert cli.main(["simulate-showers", "--events", "11", "--output", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert f"{file} is of another set of events" in told
    assert "give another --output" in told
    assert file.read_bytes() == made.read_bytes()
    assert simulate(tmp_path).read_bytes() == made.read_bytes()
    assert is_done(tmp_path, Task(particle="gamma", split="train", events=12, seed=1, number=0))


def test_events_of_other_rules_are_of_another_set(tmp_path: Path) -> None:
    manifest = simulate(tmp_path).with_suffix(".json")
    manifest.write_text(manifest.read_text().replace('"picture_level":14', '"picture_level":15'))
    assert cli.main([*ARGV, "--output", str(tmp_path)]) == 2


def test_what_is_no_events_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "events.parquet").write_bytes(b"nothing of the kind")
    with pytest.raises(DamagedData, match="does not hold events of this camera"):
        read_events(tmp_path / "events.parquet")
    with pytest.raises(MissingInput, match="no events"):
        read_events(tmp_path / "none.parquet")
