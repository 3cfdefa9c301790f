"""Given files of gammas and hadrons become what a classifier learns from, sets its cut by and is measured by."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("pyarrow", reason="the train extra is not installed")

from idleq.workloads import cli
from idleq.workloads.classifier.dividing import divided
from idleq.workloads.errors import BadOption
from support.events_files import CAMERA, EVENTS, a_file, a_shard, card, ingested, read, some_images

pytestmark = pytest.mark.usefixtures("one_thread")


def both_particles(folder: Path, split: str, task: int) -> None:
    for particle in ("gamma", "hadron"):
        a_shard(folder / f"{particle}-{split}", task, particle, split)


NOTHING_ASKED = {"judge": None, "validation": None, "held-out": None}


def test_a_classifier_divides_files_of_one_split_by_their_showers(tmp_path: Path) -> None:
    rows = np.repeat(np.arange(70), 3)
    for number, particle in enumerate(("gamma", "hadron")):
        a_file(tmp_path / f"{particle}.parquet", ingested(particle, particle), some_images(number, 210), rows)
    data = divided(read(tmp_path), NOTHING_ASKED, CAMERA)
    assert data.counts() == {"events": 120, "validated": 30, "judged": 60}
    for wanted in (True, False):
        parts = [set(part.rows[part.is_gamma == wanted]) for part in (data.learn, data.validate, data.measure)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 70
    some = divided(read(tmp_path), {"judge": 100, "validation": 20, "held-out": None}, CAMERA)
    assert some.counts() == {"events": 100, "validated": 20, "judged": 210 - 102 - 21}
    assert some.digest != data.digest
    with pytest.raises(BadOption, match="leaves 210 gammas and 210 hadrons to measure by, fewer than --judged 300"):
        divided(read(tmp_path), {"judge": 100, "validation": 20, "held-out": 300}, CAMERA)


def test_a_classifier_takes_the_splits_of_the_files_for_what_they_are_for(tmp_path: Path) -> None:
    for task, split in enumerate(("judge", "validation", "held-out")):
        both_particles(tmp_path, split, task)
    data = divided(read(tmp_path), {**NOTHING_ASKED, "validation": 20}, CAMERA)
    assert data.counts() == {"events": EVENTS, "validated": 20, "judged": EVENTS}
    own = {image.tobytes() for image in some_images(2)}
    assert {image.tobytes() for image in data.measure.images[data.measure.is_gamma]} == own


def test_a_classifier_refuses_a_mixture_of_splits_and_one_particle_alone(tmp_path: Path) -> None:
    both_particles(tmp_path, "judge", 0)
    with pytest.raises(BadOption, match="--images has no hadrons among its 1 files"):
        divided(read(tmp_path / "gamma-judge"), NOTHING_ASKED, CAMERA)
    both_particles(tmp_path, "train", 1)
    with pytest.raises(BadOption, match="mixes files of the splits judge, train"):
        divided(read(tmp_path), NOTHING_ASKED, CAMERA)


@pytest.mark.parametrize("split", ["held-out", "train"])
def test_a_judge_does_not_learn_from_what_it_judges_by_or_what_generators_learn_from(
    tmp_path: Path, split: str
) -> None:
    both_particles(tmp_path, split, 0)
    with pytest.raises(BadOption, match=f"--images is of the split {split}, .* or of judge alone"):
        divided(read(tmp_path), NOTHING_ASKED, CAMERA)


def test_a_classifier_learns_from_files(tmp_path: Path) -> None:
    both_particles(tmp_path / "shards", "judge", 0)
    (tmp_path / "shards" / "gamma-judge" / ".tmp-half.parquet").write_bytes(b"half")
    argv = ["train-classifier", "--images", str(tmp_path / "shards"), "--steps", "2", "--batch", "16", "--judged", "20"]
    assert cli.main([*argv, "--validated", "10", "--output", str(tmp_path / "out")]) == 0
    written = card(tmp_path / "out")
    assert {name: written["settings"][name] for name in ("events", "validated", "judged")} == {
        "events": EVENTS - 30,
        "validated": 10,
        "judged": 20,
    }
    assert written["limits"][0].startswith("Both particles are rendered from MAGIC's Hillas parameters")
    assert written["data"]["sources"] == [
        "simulate-showers: gamma, split judge, seed 1",
        "simulate-showers: hadron, split judge, seed 1",
    ]
