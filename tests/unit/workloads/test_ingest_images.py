"""Files of other programs with images: sim_telarray's and ctapipe's come into our forms, or are refused with why."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ctapipe", reason="the train extra is not installed")
pytest.importorskip("eventio", reason="the train extra is not installed")

import pyarrow.parquet as pq
from ctapipe.calib import CameraCalibrator
from ctapipe.image import ImageProcessor
from ctapipe.io import DataWriter, EventSource

from idleq.workloads import cli
from idleq.workloads.iact.camera import PIXEL_AREA_MM2, PIXELS, Camera
from idleq.workloads.iact.events_file import COLUMNS, read_events
from idleq.workloads.iact.hillas import column, hillas
from support.simtel import Event, write_simtel

CAMERA = Camera.load()
ORDER = np.random.default_rng(5).permutation(PIXELS)


def an_image(scale: float = 1.0) -> np.ndarray:
    """A bell on the camera, with some light of the night sky that cleaning takes away."""
    along, across = (CAMERA.x_mm - 60) / 70, (CAMERA.y_mm + 40) / 30
    light = scale * 80 * np.exp(-(along**2 + across**2) / 2)
    return np.rint(4 * (light + np.random.default_rng(1).uniform(-3, 3, PIXELS))) / 4


def a_simtel(path: Path, events: Sequence[Event], *, shift_mm: float = 0, pixels: int = PIXELS) -> Path:
    """A file of our camera, its pixels in another order."""
    order = ORDER[pixels > ORDER]
    mixed = [Event(image=event.image[order], primary=event.primary, energy_tev=event.energy_tev) for event in events]
    x, y = (CAMERA.x_mm[order] + shift_mm) / 1000, CAMERA.y_mm[order] / 1000
    return write_simtel(path, x, y, PIXEL_AREA_MM2 / 1e6, mixed)


def a_dl1(path: Path, source: Path) -> Path:
    """What ctapipe itself makes of *source*: images, no parameters."""
    with EventSource(source, focal_length_choice="EQUIVALENT") as file:
        calibrate, process = CameraCalibrator(subarray=file.subarray), ImageProcessor(subarray=file.subarray)
        with DataWriter(
            file, output_path=path, write_dl1_images=True, write_dl1_parameters=False, write_dl2=False
        ) as writer:
            for event in file:
                calibrate(event)
                process(event)
                writer(event)
    return path


def ingest(source: Path, output: Path, *more: str) -> int:
    return cli.main(["ingest", str(source), "--particle", "gamma", "--output", str(output), *more])


TWO = (Event(image=an_image(), energy_tev=3.5), Event(image=an_image(2.0), energy_tev=7.0))


@pytest.fixture(params=["simtel", "dl1"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    written = a_simtel(tmp_path / "run.simtel", TWO)
    return written if request.param == "simtel" else a_dl1(tmp_path / "run.h5", written)


@pytest.mark.filterwarnings("ignore::Warning:ctapipe")
def test_images_of_our_camera_come_into_the_form_of_simulate_showers(source: Path, tmp_path: Path) -> None:
    assert ingest(source, tmp_path / "out", "--images") == 0
    columns, metadata = read_events(tmp_path / "out" / "run.events.parquet")
    images = columns["image"]
    for event, image in zip(TWO, images, strict=True):
        lit = image > 0
        assert image[lit] == pytest.approx(event.image[lit], abs=1e-3)
        assert event.image[~lit].max() < 14
        assert image[lit].min() >= 7
    assert columns["size"] == pytest.approx(images.sum(axis=1))
    own = hillas(images, CAMERA)
    for name in ("length", "width"):
        assert columns[name] == pytest.approx(own[:, column(name)], rel=1e-4)
    assert columns["event"].tolist() == columns["row"].tolist() == [0, 1]
    assert (metadata["camera"], metadata["events"], metadata["left_out"]) == ("TAIGA-IACT03", 2, 0)
    table = pq.read_table(tmp_path / "out" / "run.events.parquet")
    assert table["energy"].to_pylist() == [3.5, 7.0]
    assert table["primary"].to_pylist() == [0, 0]
    units = {name: unit.encode() for name, (_, unit) in COLUMNS.items()}
    assert {field.name: field.metadata[b"unit"] for field in table.schema if field.name in COLUMNS} == units


def test_hillas_parameters_of_any_camera_in_millimetres(tmp_path: Path) -> None:
    source = a_simtel(tmp_path / "far.simtel", TWO, shift_mm=200)
    assert ingest(source, tmp_path / "out") == 0
    table = pq.read_table(tmp_path / "out" / "far.hillas.parquet")
    assert table["x"].to_pylist() == pytest.approx([260, 260], abs=3)
    assert table["length"].to_pylist() == pytest.approx([60, 65], abs=10)
    metadata = json.loads(table.schema.metadata[b"idleq"])
    assert metadata["kind"] == "sim_telarray"
    assert list(metadata["cameras"].values()) == [2]


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    source = a_simtel(tmp_path / "run.simtel", TWO)
    written = []
    for folder in ("one", "two"):
        assert ingest(source, tmp_path / folder, "--images") == 0
        written.append((tmp_path / folder / "run.events.parquet").read_bytes())
    assert written[0] == written[1]


def test_one_event_is_enough_and_dark_ones_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dark = Event(image=np.zeros(PIXELS))
    source = a_simtel(tmp_path / "run.simtel", [TWO[0], dark, dark])
    assert ingest(source, tmp_path / "out", "--images") == 0
    assert "1 events of sim_telarray" in (told := capsys.readouterr().err)
    assert "2 left out, 2 with nothing left by cleaning" in told
    columns, metadata = read_events(tmp_path / "out" / "run.events.parquet")
    assert len(columns["image"]) == 1
    assert metadata["left_out_because"] == {"nothing left by cleaning": 2}


def test_pixels_that_are_no_numbers_are_left_out_and_counted(tmp_path: Path) -> None:
    import tables

    source = a_dl1(tmp_path / "run.h5", a_simtel(tmp_path / "run.simtel", TWO))
    with tables.open_file(str(source), "a") as file:
        table = file.get_node("/dl1/event/telescope/images/tel_001")
        row = table.read(0, 1)
        row["image"][0, 3] = np.nan
        table.modify_rows(0, 1, rows=row)
    assert ingest(source, tmp_path / "out", "--images") == 0
    columns, metadata = read_events(tmp_path / "out" / "run.events.parquet")
    assert len(columns["image"]) == 1
    assert metadata["left_out_because"] == {"pixels that are no numbers": 1}


def a_cut_one(path: Path, keep: int) -> Path:
    whole = a_simtel(path, TWO).read_bytes()
    path.write_bytes(whole[:keep])
    return path


@pytest.mark.parametrize("more", [[], ["--images"]])
def test_what_cannot_be_used_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    whole = len(a_simtel(tmp_path / "whole.simtel", TWO).read_bytes())
    proton = Event(image=an_image(), primary=101)
    dark = [Event(image=np.zeros(PIXELS))] * 3
    cases = {
        a_cut_one(tmp_path / "cut.simtel", whole - 30): (65, "cut short in a copy"),
        a_cut_one(tmp_path / "head.simtel", 3000): (65, "cut short in a copy"),
        a_cut_one(tmp_path / "first.simtel", 300): (65, "cannot be read"),
        a_simtel(tmp_path / "none.simtel", []): (65, "no telescope's image"),
        a_simtel(tmp_path / "dark.simtel", dark): (
            65,
            "3 images of UNKNOWN-609PX (609 pixels), and none can be used: 3",
        ),
        a_simtel(tmp_path / "proton.simtel", [TWO[0], proton]): (2, "1 of the 2 events"),
    }
    for source, (code, message) in cases.items():
        assert ingest(source, tmp_path / "out", *more) == code, source
        assert message in (told := capsys.readouterr().err)
        assert str(source) in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("shift", "pixels"), [(5.0, PIXELS), (0.0, PIXELS - 1)])
def test_images_of_another_camera_are_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shift: float, pixels: int
) -> None:
    source = a_simtel(tmp_path / "other.simtel", TWO, shift_mm=shift, pixels=pixels)
    assert ingest(source, tmp_path / "out", "--images") == 2
    told = capsys.readouterr().err
    assert f"holds 2 images of UNKNOWN-{pixels}PX ({pixels} pixels)" in told
    assert f"{PIXELS} pixels" in told
    assert not (tmp_path / "out").exists()


def test_a_file_without_images_says_so(tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ingest(shared_data / "iact" / "fact_gamma.hdf5", tmp_path / "out", "--images") == 2
    assert "holds parameters and no images" in capsys.readouterr().err


def test_a_missing_eventio_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = a_simtel(tmp_path / "run.simtel", TWO)
    monkeypatch.setitem(sys.modules, "eventio.file_types", None)
    assert ingest(source, tmp_path / "out") == 69
    assert "'eventio.file_types' is not installed; install the training extra" in capsys.readouterr().err
