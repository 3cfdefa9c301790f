"""The data set is made once, whole, the same on every run, and verified before use."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ctapipe", reason="the train extra is not installed")

from idleq.workloads import cli
from idleq.workloads.contract import Places
from idleq.workloads.errors import BadOption, CannotSave, DamagedData, MissingInput
from idleq.workloads.iact import dataset, making
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import CLASSES, Dataset, DatasetSpec
from idleq.workloads.iact.making import ensure_dataset
from idleq.workloads.iact.places import DataPlaces
from idleq.workloads.iact.rendering import Renderer
from idleq.workloads.iact.rules import PICTURE_LEVEL
from idleq.workloads.iact.showers import MAX_SKEW, SPLITS, Shower, load_showers

SPEC = DatasetSpec(events=25)
TWO_CHUNKS = DatasetSpec(events=dataset.CHUNK_EVENTS + 20, seed=4)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    assert ensure_dataset(SPEC, root) is not None
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(made, tmp_path / "data")
    return tmp_path / "data"


def test_a_data_set_has_what_it_was_asked_for(made: Path) -> None:
    loaded = Dataset.load(made / SPEC.name, SPEC)
    assert loaded.images.shape == (25, 609)
    assert np.allclose(loaded.images.sum(axis=1), loaded.sizes, rtol=1e-5)
    counts = np.bincount(loaded.classes, minlength=CLASSES)
    assert counts.max() - counts.min() <= 1
    assert np.all(loaded.images.max(axis=1) > PICTURE_LEVEL)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(made: Path, tmp_path: Path) -> None:
    ensure_dataset(SPEC, tmp_path)
    assert bytes_of(tmp_path / SPEC.name) == bytes_of(made / SPEC.name)
    other = DatasetSpec(events=25, seed=2)
    ensure_dataset(other, tmp_path)
    assert bytes_of(tmp_path / other.name) != bytes_of(made / SPEC.name)


def test_an_interrupted_making_goes_on_where_it_was(tmp_path: Path) -> None:
    asked = iter([False, True])
    assert ensure_dataset(TWO_CHUNKS, tmp_path / "stopped", lambda: next(asked)) is None
    folder = tmp_path / "stopped" / TWO_CHUNKS.name
    assert sorted(bytes_of(folder)) == ["chunk-00000.npz"]
    first = (folder / "chunk-00000.npz").stat().st_mtime_ns
    assert ensure_dataset(TWO_CHUNKS, tmp_path / "stopped") is not None
    assert (folder / "chunk-00000.npz").stat().st_mtime_ns == first
    ensure_dataset(TWO_CHUNKS, tmp_path / "at-once")
    assert bytes_of(folder) == bytes_of(tmp_path / "at-once" / TWO_CHUNKS.name)


def test_a_damaged_chunk_of_an_unfinished_set_is_made_again(
    root: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = root / SPEC.name
    (folder / dataset.MANIFEST).unlink()
    (folder / "chunk-00000.npz").write_bytes(b"half a chunk")
    assert ensure_dataset(SPEC, root) is not None
    assert "making it again" in capsys.readouterr().err
    assert bytes_of(folder) == bytes_of(made / SPEC.name)


def flip_a_bit(folder: Path) -> None:
    path = folder / "chunk-00000.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def lose_the_classes(folder: Path) -> None:
    (folder / dataset.CLASS_FILE).unlink()


def change_a_checksum(folder: Path) -> None:
    path = folder / dataset.MANIFEST
    manifest = json.loads(path.read_text())
    manifest["files"][dataset.CLASS_FILE]["sha256"] = "0"
    path.write_text(json.dumps(manifest))


def cut_the_manifest(folder: Path) -> None:
    (folder / dataset.MANIFEST).write_text("{")


def raise_the_version(folder: Path) -> None:
    path = folder / dataset.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))


def change_the_spec(folder: Path) -> None:
    path = folder / dataset.MANIFEST
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "spec": {**manifest["spec"], "seed": 8}}))


def change_an_edge(folder: Path) -> None:
    path = folder / dataset.MANIFEST
    manifest = json.loads(path.read_text())
    edges = manifest["class_edges"]
    path.write_text(json.dumps({**manifest, "class_edges": [*edges[:3], edges[3] + 1, *edges[4:]]}))


def lose_the_edges(folder: Path) -> None:
    path = folder / dataset.MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["class_edges"]
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip_a_bit, "does not match its checksum"),
        (lose_the_classes, "lacks"),
        (change_a_checksum, "the digest does not match"),
        (cut_the_manifest, "is not readable"),
        (raise_the_version, "is of version 99, this program reads version 2"),
        (change_the_spec, "holds"),
        (change_an_edge, "class edges in .* are not those of its sizes and classes"),
        (lose_the_edges, "class edges in .* are not those of its sizes and classes"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_data_set_that_does_not_verify_is_refused_with_what_to_do(root: Path, damage: object, reason: str) -> None:
    damage(root / SPEC.name)  # type: ignore[operator] # parametrised with functions
    with pytest.raises(DamagedData, match=reason) as refused:
        ensure_dataset(SPEC, root)
    assert f"remove {root / SPEC.name}" in str(refused.value)


def test_the_program_ends_with_the_exit_code_of_damaged_data(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flip_a_bit(root / SPEC.name)
    assert cli.main(["make-data", "--events", "25", "--data", str(root)]) == DamagedData.exit_code
    assert "it will be made again" in capsys.readouterr().err


def test_no_data_set_is_a_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no data set"):
        Dataset.load(tmp_path, SPEC)


def test_no_place_for_a_data_set_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CannotSave, match="the data set"):
        ensure_dataset(SPEC, tmp_path / "file")


@pytest.mark.parametrize("events", [0, 9, dataset.MAX_EVENTS + 1, -5])
def test_impossible_sizes_are_refused(events: int) -> None:
    with pytest.raises(BadOption, match="--events must be between"):
        DatasetSpec(events=events)


def test_a_guest_takes_a_finished_set_from_the_cache_and_keeps_its_own_there(made: Path, tmp_path: Path) -> None:
    guest = Places(checkpoints=tmp_path / "checkpoints", output=tmp_path / "output", control=tmp_path / "control")
    places = DataPlaces.choose({"XDG_CACHE_HOME": str(tmp_path)}, None, guest)
    assert places == DataPlaces(work=tmp_path / "checkpoints" / "data", cache=tmp_path / "idleq" / "iact")
    shutil.copytree(made, tmp_path / "idleq" / "iact")
    places.fetch(SPEC)
    assert bytes_of(places.work / SPEC.name) == bytes_of(made / SPEC.name)
    shutil.rmtree(tmp_path / "idleq")
    places.keep(SPEC)
    assert bytes_of(tmp_path / "idleq" / "iact" / SPEC.name) == bytes_of(made / SPEC.name)


def test_a_named_folder_is_used_as_it_is() -> None:
    assert DataPlaces.choose({"IDLEQ_DATA_DIR": "/shared"}, None, None) == DataPlaces(work=Path("/shared"), cache=None)
    assert DataPlaces.choose({"IDLEQ_DATA_DIR": "/shared"}, "/mine", None) == DataPlaces(work=Path("/mine"), cache=None)


def test_every_row_of_the_table_belongs_to_one_split() -> None:
    for particle, rows in (("gamma", 12_332), ("hadron", 6_688)):
        found = [load_showers(particle, split).row.tolist() for split, _ in SPLITS]  # type: ignore[arg-type] # literals in a loop
        assert sorted(row for part in found for row in part) == sorted(set().union(*map(set, found)))
        assert sum(map(len, found)) == rows
        for part, (_, share) in zip(found, SPLITS, strict=True):
            assert len(part) == pytest.approx(share * rows, rel=0.1)


def test_skewness_never_reaches_what_toymodel_cannot_draw() -> None:
    random = np.random.default_rng(0)
    showers = load_showers("hadron", "train")
    drawn = [showers.draw(random) for _ in range(3000)]
    assert max(abs(shower.skewness) for shower in drawn) == MAX_SKEW
    assert all(shower.width_mm > 0 for shower in drawn)


def test_an_expected_image_sums_to_its_size_even_when_narrow() -> None:
    renderer = Renderer.for_camera(Camera.load())
    narrow = Shower(row=0, x_mm=11.0, y_mm=7.0, length_mm=9.0, width_mm=8.0, psi=0.3, skewness=0.9, size=500.0)
    light = renderer.expected(narrow)
    assert light is not None
    assert float(light.sum()) == pytest.approx(500.0)


def test_light_that_misses_the_camera_gives_no_image() -> None:
    renderer = Renderer.for_camera(Camera.load())
    outside = Shower(row=0, x_mm=1e5, y_mm=0.0, length_mm=20.0, width_mm=10.0, psi=0.0, skewness=0.0, size=500.0)
    assert renderer.record(outside, np.random.default_rng(0)) is None


def test_one_bright_pixel_does_not_trigger_but_two_neighbours_do() -> None:
    renderer = Renderer.for_camera(Camera.load())
    image = np.zeros(609)
    image[100] = 50
    assert not renderer.triggers(image)
    image[renderer.camera.neighbours[100][0]] = 11
    assert renderer.triggers(image)


def test_the_packages_in_the_manifest_are_those_that_make_the_events(made: Path) -> None:
    manifest = json.loads((made / SPEC.name / dataset.MANIFEST).read_text())
    assert set(manifest["versions"]) == {"python", *making.PACKAGES}
    assert manifest["rules"]["picture_level"] == PICTURE_LEVEL
