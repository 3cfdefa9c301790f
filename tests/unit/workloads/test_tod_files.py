"""Files of TODs are whole or refused, and a set is never mixed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("h5py", reason="the train extra is not installed")
pytest.importorskip("scipy", reason="the train extra is not installed")

import h5py

from idleq.workloads import cli
from idleq.workloads.errors import BadOption, DamagedData, MissingInput
from idleq.workloads.tods.dataset import TodSet, TodSpec, ensure_tods
from idleq.workloads.tods.files import read_manifest, read_tods, write_tods
from idleq.workloads.tods.simulation import Tods

SPEC = TodSpec(tods_per_file=4)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    assert ensure_tods(SPEC, 2, root) is not None
    return root / SPEC.name


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(made, tmp_path / "tods")


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(made: Path, tmp_path: Path) -> None:
    ensure_tods(SPEC, 2, tmp_path)
    assert bytes_of(tmp_path / SPEC.name) == bytes_of(made)
    other = TodSpec(tods_per_file=4, seed=2)
    ensure_tods(other, 2, tmp_path)
    assert bytes_of(tmp_path / other.name)["tods-00000.h5"] != bytes_of(made)["tods-00000.h5"]


@pytest.mark.parametrize(
    "change", [{"split": "held-out"}, {"split": "second"}, {"split": "selection"}, {"mix": "natural"}]
)
def test_no_two_sets_share_a_tod(made: Path, tmp_path: Path, change: dict[str, str]) -> None:
    spec = TodSpec(tods_per_file=4, **change)  # type: ignore[arg-type] # literals
    other = ensure_tods(spec, 1, tmp_path)
    ours = TodSet.load([made])
    assert other is not None
    assert not set(map(bytes, other.tods.tods)) & set(map(bytes, ours.tods.tods))


def test_a_file_says_what_it_holds_in_which_units_and_where_it_is_from(made: Path) -> None:
    with h5py.File(made / "tods-00001.h5") as file:
        assert {name: file[name].attrs["unit"] for name in file} == {
            "tods": "W", "hits": "1", "seconds": "s", "amplitudes": "W", "taus": "s",
        }  # fmt: skip
        facts = json.loads(file.attrs["facts"])
        assert json.loads(file.attrs["made_for"]) == SPEC.made_for(1)
    assert facts["rules"]["channel"] == "M1-140"
    assert {"python", "numpy", "scipy", "h5py"} == set(facts["versions"])
    manifest = json.loads((made / "tods-00001.json").read_text())
    assert sum(manifest["per_hit_count"].values()) == manifest["tods"] == 4


def test_an_interrupted_making_goes_on_with_the_files_that_are_missing(made: Path, tmp_path: Path) -> None:
    asked = iter([False, True])
    assert ensure_tods(SPEC, 2, tmp_path, lambda: next(asked)) is None
    first = (tmp_path / SPEC.name / "tods-00000.h5").stat().st_mtime_ns
    assert ensure_tods(SPEC, 2, tmp_path) is not None
    assert (tmp_path / SPEC.name / "tods-00000.h5").stat().st_mtime_ns == first
    assert bytes_of(tmp_path / SPEC.name) == bytes_of(made)


def rewrite(folder: Path, change: object) -> None:
    """Put changed TODs where file 0 was, with a manifest that fits them."""
    manifest = read_manifest(folder / "tods-00000.json")
    arrays = read_tods(folder, manifest).arrays()
    change(arrays)  # type: ignore[operator] # parametrised with functions
    write_tods(folder, 0, Tods(**arrays), manifest.made_for, {})


def put_a_nan(arrays: dict[str, np.ndarray]) -> None:
    arrays["tods"][2, 7] = np.nan


def cut_every_tod(arrays: dict[str, np.ndarray]) -> None:
    arrays["tods"] = arrays["tods"][:, :-1]


def drop_an_array(folder: Path) -> None:
    content = (folder / "tods-00000.h5").read_bytes()
    (folder / "tods-00000.h5").write_bytes(content[:-10])


def count_more_hits_than_there_can_be(arrays: dict[str, np.ndarray]) -> None:
    arrays["hits"][3] = 6


def lose_a_count(arrays: dict[str, np.ndarray]) -> None:
    arrays["hits"] = arrays["hits"][:-1]


def count_in_fractions(arrays: dict[str, np.ndarray]) -> None:
    arrays["hits"] = arrays["hits"] + 0.5


def lose_a_column(arrays: dict[str, np.ndarray]) -> None:
    arrays["taus"] = arrays["taus"][:, :-1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (put_a_nan, "samples that are no numbers, in 1 TODs, the first number 2"),
        (cut_every_tod, r"tods of the shape \(4, 1059\) instead of \(4, 1060\)"),
        (count_more_hits_than_there_can_be, "1 TODs with a number of hits that is not -1 to 5, the first number 3"),
        (lose_a_count, r"hits of the shape \(3,\) instead of \(4,\)"),
        (count_in_fractions, "hits of the type float"),
        (lose_a_column, r"taus of the shape \(4, 4\) instead of \(4, 5\)"),
    ],
    ids=["nan", "length", "hits", "counts", "fractions", "columns"],
)
def test_tods_that_no_one_can_learn_from_are_refused(folder: Path, change: object, reason: str) -> None:
    rewrite(folder, change)
    with pytest.raises(DamagedData, match=reason):
        TodSet.load([folder])


def test_a_file_that_does_not_match_its_checksum_is_refused_and_made_again(folder: Path, made: Path) -> None:
    drop_an_array(folder)
    with pytest.raises(DamagedData, match="does not match its checksum"):
        TodSet.load([folder])
    renamed = folder.rename(folder.with_name(SPEC.name))
    assert ensure_tods(SPEC, 2, renamed.parent) is not None
    assert bytes_of(renamed) == bytes_of(made)


def test_a_set_without_its_middle_or_of_two_kinds_is_refused(folder: Path, made: Path, tmp_path: Path) -> None:
    with pytest.raises(DamagedData, match="is twice"):
        TodSet.load([folder, made])
    other = TodSpec(tods_per_file=4, seed=9)
    ensure_tods(other, 1, tmp_path)
    with pytest.raises(DamagedData, match="of different sets"):
        TodSet.load([folder, tmp_path / other.name])
    (folder / "tods-00000.json").unlink()
    with pytest.raises(DamagedData, match=r"file 0 of the set of .* is lacking"):
        TodSet.load([folder])
    with pytest.raises(MissingInput, match="simulate-tods makes some"):
        TodSet.load([tmp_path / "nothing"])


@pytest.mark.parametrize("tods", [0, 10_001, -1])
def test_impossible_numbers_of_tods_are_refused(tods: int) -> None:
    with pytest.raises(BadOption, match="--tods must be between"):
        TodSpec(tods_per_file=tods)


def test_a_seed_is_one_word_so_that_those_of_different_splits_never_meet() -> None:
    TodSpec(seed=2**32 - 1)
    with pytest.raises(BadOption, match="--seed must be between 0 and 4294967295"):
        TodSpec(seed=2**32)


def simulate(output: Path, *options: str) -> int:
    return cli.main(["simulate-tods", "--tods", "4", "--output", str(output), *options])


def test_a_task_makes_its_file_once_and_finds_it_then(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IDLEQ_ARRAY_INDEX", "1")
    assert simulate(tmp_path) == 0
    assert bytes_of(tmp_path)["tods-00001.h5"] == bytes_of(made)["tods-00001.h5"]
    written = (tmp_path / "tods-00001.h5").stat().st_mtime_ns
    assert simulate(tmp_path) == 0
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "tods-00001.h5").stat().st_mtime_ns == written


def test_another_set_in_the_same_folder_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(tmp_path, "--task", "0") == 0
    before = bytes_of(tmp_path)
    assert simulate(tmp_path, "--task", "0", "--seed", "5") == BadOption.exit_code
    assert "is of another set of TODs" in capsys.readouterr().err
    assert bytes_of(tmp_path)["tods-00000.h5"] == before["tods-00000.h5"]


def test_tods_of_another_version_in_the_cache_are_told_with_what_helps(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made, tmp_path / SPEC.name)
    path = folder / "tods-00000.json"
    manifest = json.loads(path.read_text())
    manifest["made_for"]["version"] = 0
    path.write_text(json.dumps(manifest))
    with pytest.raises(DamagedData, match=f"remove the folder {folder}, and they are made again"):
        ensure_tods(SPEC, 2, tmp_path)


def test_no_place_for_tods_is_a_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert simulate(tmp_path / "file") == 74
    assert "cannot save" in capsys.readouterr().err


def test_a_task_that_there_cannot_be_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(tmp_path, "--task", "-1") == BadOption.exit_code
    assert "--task must be between" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_index_that_is_no_number_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDLEQ_ARRAY_INDEX", "abc")
    assert simulate(tmp_path) == 0
    assert (tmp_path / "tods-00000.h5").exists()
