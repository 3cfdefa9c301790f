"""Other telescopes' files come into one form, or are refused with what is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ctapipe", reason="the train extra is not installed")
pytest.importorskip("pyarrow", reason="the train extra is not installed")

import astropy.units as u
import pyarrow.parquet as pq
import tables
from ctapipe.containers import CameraHillasParametersContainer
from ctapipe.io import HDF5TableWriter

from idleq.workloads import cli
from idleq.workloads.iact.foreign import COLUMNS


def ingest(source: Path, output: Path) -> tuple[int, dict[str, list[float]], dict[str, object]]:
    code = cli.main(["ingest", str(source), "--particle", "gamma", "--output", str(output)])
    if code:
        return code, {}, {}
    table = pq.read_table(output / f"{source.stem}.hillas.parquet")
    assert {field.name: field.metadata[b"unit"].decode() for field in table.schema} == {
        name: unit for name, (unit, _, _) in COLUMNS.items()
    }
    return code, table.to_pydict(), json.loads(table.schema.metadata[b"idleq"])


def a_fact_file(path: Path, **changes: object) -> Path:
    values = {fact: np.arange(1.0, 6.0) for _, fact, _ in COLUMNS.values()} | changes
    with tables.open_file(str(path), "w") as file:
        for name, content in values.items():
            if content is not None:
                file.create_array("/events", name, content, createparents=True)
    return path


def test_facts_own_form_is_read_and_rows_without_numbers_are_left_out(tmp_path: Path) -> None:
    source = a_fact_file(tmp_path / "fact.hdf5", width=np.array([1.0, np.nan, 3.0, 4.0, 5.0]))
    code, columns, metadata = ingest(source, tmp_path / "out")
    assert code == 0
    assert columns["width"] == [1, 3, 4, 5]
    assert columns["size"] == [1, 3, 4, 5]
    assert (metadata["kind"], metadata["events"], metadata["left_out"]) == ("FACT", 4, 1)


def test_ctapipes_form_is_read_in_millimetres(tmp_path: Path) -> None:
    source = tmp_path / "dl1.h5"
    with HDF5TableWriter(source, group_name="dl1/event/telescope", add_prefix=True) as writer:
        for length in (0.03, 0.06):
            container = CameraHillasParametersContainer(
                intensity=100.0,
                length=length * u.m,
                width=0.01 * u.m,
                x=0.1 * u.m,
                y=-0.1 * u.m,
                skewness=0.2,
                kurtosis=3.0,
            )
            writer.write("parameters/tel_001", container)
    code, columns, metadata = ingest(source, tmp_path / "out")
    assert code == 0
    assert columns["length"] == pytest.approx([30.0, 60.0])
    assert columns["y"] == pytest.approx([-100.0, -100.0])
    assert metadata["kind"] == "ctapipe DL1"


def test_facts_monte_carlo_is_read(tmp_path: Path, shared_data: Path) -> None:
    code, columns, metadata = ingest(shared_data / "iact" / "fact_gamma.hdf5", tmp_path)
    assert code == 0
    assert metadata["events"] == 1000
    assert all(0 < width <= length for width, length in zip(columns["width"], columns["length"], strict=True))


def test_what_cannot_be_read_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.h5").write_text("no HDF5")
    with tables.open_file(str(tmp_path / "other.h5"), "w") as file:
        file.create_array("/", "images", np.zeros(3))
    cases = {
        tmp_path / "none.h5": (66, "there is no file"),
        tmp_path / "text.h5": (65, "no HDF5 file that can be read, and no file of sim_telarray"),
        tmp_path / "other.h5": (2, "is neither FACT's HDF5"),
        a_fact_file(tmp_path / "less.h5", width=None): (65, "lacks a Hillas parameter"),
        a_fact_file(tmp_path / "uneven.h5", width=np.ones(3)): (65, "different lengths"),
        a_fact_file(tmp_path / "nothing.h5", width=np.full(5, np.nan)): (65, "no event whose parameters"),
    }
    for source, (code, message) in cases.items():
        assert ingest(source, tmp_path / "out")[0] == code, source
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
