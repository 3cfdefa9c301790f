"""Images are judged against truth that nobody has learnt from, and what is not reached is printed as not reached."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("sklearn", reason="the train extra is not installed")

import torch

from idleq.workloads.classifier.model import Classifier, ModelSize
from idleq.workloads.classifier.weights import Judge
from idleq.workloads.errors import BadOption, DamagedData, MissingInput
from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.dataset import CLASSES, Dataset, equal_classes, size_classes
from idleq.workloads.judging.evaluate import page
from idleq.workloads.judging.figures import ENOUGH, Figure, table
from idleq.workloads.judging.measures import correlations, ks, nearest, separation, spread
from idleq.workloads.judging.sets import Generated, Truth, check_images, cleaned
from idleq.workloads.judging.stages import STAGES, Compared, measured, some
from idleq.workloads.training.lineage import learnt_from

pytestmark = pytest.mark.usefixtures("one_thread")

CAMERA = Camera.load()
EVENTS = 400
HERE = Path("generated")


def some_images(seed: int, events: int = EVENTS, brightness: float = 1.0) -> np.ndarray:
    """Round spots of light of many sizes at places of their own."""
    random = np.random.default_rng(seed)
    at = random.integers(PIXELS, size=events)
    apart = np.hypot(CAMERA.x_mm - CAMERA.x_mm[at][:, None], CAMERA.y_mm - CAMERA.y_mm[at][:, None])
    light = brightness * random.lognormal(5, 0.8, events)[:, None] * np.exp(-((apart / 40) ** 2))
    light[:, 0] += 30  # no image is empty
    return np.where(light > 7, random.poisson(light), 0).astype(np.float32)


def a_dataset(seed: int) -> Dataset:
    images = some_images(seed)
    sizes = images.sum(axis=1)
    classes, edges = size_classes(sizes)
    return Dataset(
        images=images,
        sizes=sizes,
        classes=classes.astype(np.int64),
        rows=np.arange(EVENTS) // 2,
        edges=edges,
        digest=str(seed),
    )


def generated(images: np.ndarray, classes: np.ndarray | None = None) -> Generated:
    if classes is None:
        classes, _ = size_classes(images.sum(axis=1))
    return Generated(images=images, classes=classes, first=None, manifest={})


@pytest.fixture(scope="module")
def compared() -> Compared:
    torch.manual_seed(1)
    judge = Judge(model=Classifier(ModelSize(width=2), CAMERA).eval(), threshold=0.5)
    truth = Truth(held_out=a_dataset(1), again=a_dataset(2), resampled=a_dataset(3), trained_on=a_dataset(4))
    return Compared(generated=generated(some_images(5)), truth=truth, judge=judge, camera=CAMERA, seed=1)


def figures_of(compared: Compared) -> dict[str, Figure]:
    """Every figure, as if it were of enough images for a verdict."""
    return {figure.name: replace(figure, events=ENOUGH) for stage in STAGES.values() for figure in stage(compared)}


def test_images_of_the_same_kind_pass_where_too_bright_ones_and_copies_fail(compared: Compared) -> None:
    alike = figures_of(compared)
    assert alike["AUC of trees that tell made from true"].is_reached
    assert alike["suspiciously near to a training image"].value < 0.05
    assert alike["diversity: distance between two images, over the truth's"].is_reached
    bright = figures_of(replace(compared, generated=generated(some_images(5, brightness=4))))
    assert not bright["size over all classes, KS to held-out gammas"].is_reached
    assert not bright["AUC of trees that tell made from true"].is_reached
    copies = figures_of(replace(compared, generated=generated(compared.truth.trained_on.images)))
    assert not copies["suspiciously near to a training image"].is_reached
    collapsed = figures_of(replace(compared, generated=generated(np.repeat(some_images(5, events=10), 40, axis=0))))
    assert not collapsed["diversity: distance between two images, over the truth's"].is_reached


def test_there_is_no_verdict_of_fewer_images_than_a_verdict_needs(compared: Compared) -> None:
    few = [figure for figure in measured("judged", compared) if figure.target is not None]
    assert {figure.events for figure in few} == {EVENTS}
    assert {figure.is_reached for figure in few} == {None}
    verdicts = [
        Figure(name="near", value=0.01, target=0.05, events=events).is_reached for events in (ENOUGH - 1, ENOUGH)
    ]
    assert verdicts == [None, True]
    values = {
        "name": "cVAE",
        "figures": [figure.to_dict() for figure in few],
        "events": {"generated": ENOUGH, "true": EVENTS},
    }
    told = page(values, [])
    assert "No verdict: there are fewer than 20000 images on a side." in told
    assert told.count("too few images") == len(few)
    assert "Every target is reached" not in told


def test_dark_images_are_counted_and_measured(compared: Compared) -> None:
    images = compared.generated.images.copy()
    images[::4] = 0
    figures = figures_of(replace(compared, generated=generated(images, compared.generated.classes)))
    assert figures["share of dark images: cleaning left no light"].value == 0.25
    assert all(np.isfinite(figure.value) for figure in figures.values())


def test_truth_that_was_trained_on_is_refused_before_a_figure_is_no_number(compared: Compared) -> None:
    truth = compared.truth
    seen = replace(compared, truth=replace(truth, held_out=truth.trained_on))
    with pytest.raises(
        DamagedData, match=r"most held-out images .data 4. are also in the data that was trained on .4."
    ):
        STAGES["neighbours"](seen)
    alike = replace(truth.held_out, images=np.repeat(truth.held_out.images[:1], EVENTS, axis=0))
    with pytest.raises(DamagedData, match=r"the held-out images .data 1. are all the same"):
        STAGES["neighbours"](replace(compared, truth=replace(truth, held_out=alike)))


def test_where_it_is_known_what_a_model_has_learnt_from_that_is_compared(compared: Compared) -> None:
    truth = compared.truth
    for by_model in ([], [truth.trained_on.digest]):
        truth.check_unseen(by_model, ["of a judge"], EVENTS)
    with pytest.raises(BadOption, match=r"--trained-on 400 is data 4, but .* has learnt from data 9"):
        truth.check_unseen(["9"], [], EVENTS)
    for seen in (truth.held_out.digest, truth.again.digest):
        with pytest.raises(
            BadOption, match=f"--images is of a model that has learnt from the very truth .* .data {seen}."
        ):
            truth.check_unseen([seen, truth.trained_on.digest], [], EVENTS)
        with pytest.raises(
            BadOption, match=f"--judge is of a model that has learnt from the very truth .* .data {seen}."
        ):
            truth.check_unseen([], ["other", seen], EVENTS)


CARD = {"weights": "it.safetensors", "data": {"digest": "abc", "events": 5}}


@pytest.mark.parametrize(
    ("card", "known"),
    [
        (CARD, ["abc"]),
        ({**CARD, "data": {"digests": "a b c d e f"}}, ["a", "b", "c", "d"]),
        ({**CARD, "weights": "another.safetensors"}, []),
        ({**CARD, "data": "?"}, []),
        ({}, []),
        ([], []),
    ],
)
def test_the_card_beside_weights_tells_what_they_have_learnt_from(
    tmp_path: Path, card: object, known: list[str]
) -> None:
    weights = tmp_path / "it.safetensors"
    assert learnt_from(weights) == []
    (tmp_path / "model-card.json").write_text(json.dumps(card))
    assert learnt_from(weights) == known


@pytest.mark.parametrize(("events", "chosen"), [(20_000, 1_000), (20_000, 10_000), (10_000, 1_000)])
def test_the_images_that_are_looked_at_are_of_all_classes_alike(events: int, chosen: int) -> None:
    counts = np.bincount(some(equal_classes(events), chosen), minlength=CLASSES)
    assert counts.sum() == chosen
    assert counts == pytest.approx(chosen / CLASSES, abs=4 * (chosen / CLASSES) ** 0.5)
    assert len(some(np.arange(7), chosen)) == 7


def test_every_target_has_beside_it_what_the_truth_gives(compared: Compared) -> None:
    figures = figures_of(compared)
    without = [name for name, figure in figures.items() if figure.target is not None and not figure.baselines]
    assert not without


def test_the_error_of_the_diversity_is_how_much_it_scatters() -> None:
    sets = [spread(some_images(seed, events=100)) for seed in range(60)]
    scatter = np.std([one.mean for one in sets])
    assert np.mean([one.error for one in sets]) == pytest.approx(scatter, rel=0.3)
    twice = np.repeat(some_images(1, events=100), 2, axis=0)  # says no more than once, where one knows of it
    known, unknown = (spread(twice, groups) for groups in (np.arange(200) // 2, None))
    assert known.error == pytest.approx(2**0.5 * unknown.error)
    assert known.over(known).mean == 1
    assert known.over(known).error == pytest.approx(2**0.5 * known.error / known.mean)


def test_a_class_whose_sizes_lie_elsewhere_is_seen(compared: Compared) -> None:
    right = figures_of(compared)
    shifted = replace(
        compared, generated=generated(compared.generated.images, (compared.generated.classes + 1) % CLASSES)
    )
    wrong = figures_of(shifted)
    assert right["class 5: share inside its edges"].value > 0.7
    assert wrong["class 5: share inside its edges"].value < 0.3
    assert wrong["class 5: size, KS to its training sizes"].value > 0.7


def test_rows_of_the_table_are_never_on_both_sides_of_a_fold() -> None:
    random = np.random.default_rng(0)
    by_row = random.random((100, 3))
    true, rows = np.repeat(by_row, 4, axis=0), np.repeat(np.arange(100), 4)
    assert separation(random.random((400, 3)), true, rows, seed=1) < 0.6


def test_the_rulers_read_nothing_for_one_kind_and_much_for_two() -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(size=(2, 2000))
    assert ks(one, other) < 0.05
    assert ks(one, other + 1) > 0.3
    images = some_images(1, events=50)
    assert nearest(images, images).max() < 1e-5
    assert spread(np.repeat(images[:1], 5, axis=0)).mean == pytest.approx(0, abs=1e-4)
    assert spread(images).mean == pytest.approx(pdist(np.log1p(images)).mean())
    columns = np.stack([one, one, -one], axis=1)
    assert correlations(columns) == pytest.approx([1, -1, -1])


def test_what_is_not_reached_is_printed_as_not_reached() -> None:
    figures = [
        Figure(name="near", value=0.01, target=0.05, baselines={"truth again": 0.02}, events=ENOUGH).to_dict(),
        Figure(name="far", value=0.2, target=0.05, paper="0.1", events=ENOUGH).to_dict(),
        Figure(name="free", value=1.0).to_dict(),
    ]
    assert table(figures) == [
        "| figure | value | target | reached | truth again | paper |",
        "|---|---|---|---|---|---|",
        "| near | 0.010 | <= 0.05 | yes | 0.020 |  |",
        "| far | 0.200 | <= 0.05 | **not reached** |  | 0.1 |",
        "| free | 1.000 |  |  |  |  |",
    ]
    values = {"name": "cVAE", "figures": figures, "events": {"generated": ENOUGH, "true": ENOUGH}}
    assert "Not reached: far." in page(values, ["sizes.png"])


def write(folder: Path, images: np.ndarray, classes: np.ndarray) -> None:
    folder.mkdir()
    with (folder / "shard-00000.npz").open("wb") as file:
        np.savez(file, images=images, classes=classes)
    content = (folder / "shard-00000.npz").read_bytes()
    shard = {"name": "shard-00000.npz", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "shards": [shard]}))


def test_generated_images_come_back_from_their_shards(tmp_path: Path) -> None:
    images, classes = cleaned(some_images(1), CAMERA), equal_classes(EVENTS)
    write(tmp_path / "made", images, classes)
    loaded = Generated.load(tmp_path / "made", CAMERA)
    assert np.array_equal(loaded.images, images)
    assert np.array_equal(loaded.classes, classes)
    assert loaded.first is None


def test_generated_images_are_cleaned_as_the_truth_is_before_anything_is_measured(tmp_path: Path) -> None:
    images = cleaned(some_images(1), CAMERA)
    with_light_that_cleaning_takes = images + np.where(images == 0, np.float32(3), np.float32(0))
    lone = np.zeros((1, PIXELS), dtype=np.float32)
    lone[0, 300] = 500
    write(
        tmp_path / "made",
        np.concatenate([with_light_that_cleaning_takes, lone]),
        np.append(equal_classes(EVENTS), np.uint8(0)),
    )
    loaded = Generated.load(tmp_path / "made", CAMERA)
    assert np.array_equal(loaded.images[:-1], images)
    assert not loaded.images[-1].any()


@given(seed=st.integers(0, 2**32 - 1), brightness=st.floats(0.02, 2))
@settings(max_examples=40, deadline=None)
def test_cleaning_once_more_changes_nothing(seed: int, brightness: float) -> None:
    sky = np.random.default_rng(seed).normal(0, 5, (20, PIXELS))
    images = np.maximum(some_images(seed, 20, brightness) + sky, 0).astype(np.float32)
    once = cleaned(images, CAMERA)
    assert not np.array_equal(once, images)
    assert np.array_equal(cleaned(once, CAMERA), once)


def test_images_of_which_cleaning_leaves_nothing_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "made", np.full((EVENTS, PIXELS), 6, dtype=np.float32), equal_classes(EVENTS))
    with pytest.raises(DamagedData, match=r"cleaning leaves no light in any image in .*made"):
        Generated.load(tmp_path / "made", CAMERA)


@pytest.mark.parametrize(
    ("images", "classes", "reason"),
    [
        (np.ones((EVENTS, 1855)), equal_classes(EVENTS), "have 1855 pixels, this camera has 609"),
        (
            np.full((EVENTS, PIXELS), np.nan),
            equal_classes(EVENTS),
            "400 of the images in generated have pixels that are no numbers",
        ),
        (-np.ones((EVENTS, PIXELS)), equal_classes(EVENTS), "negative light"),
        (np.ones((EVENTS, PIXELS)), np.zeros(EVENTS, dtype=np.uint8), "each of the 10 needs at least 10"),
        (np.ones((1, PIXELS)), equal_classes(1), "each of the 10 needs at least 10"),
        (np.ones((EVENTS, PIXELS)), equal_classes(EVENTS) + 1, "go from 1 to 10, not from 0 to 9"),
        (np.ones((EVENTS, PIXELS)), equal_classes(EVENTS).astype(int) - 1, "go from -1 to 8, not from 0 to 9"),
        (np.ones((EVENTS, PIXELS)), equal_classes(EVENTS).astype(float), "are float64 and no integers"),
        (np.ones((EVENTS, PIXELS)), equal_classes(100), r"have the shape \(100,\) where there are 400 images"),
        (np.full((EVENTS, PIXELS), "7"), equal_classes(EVENTS), "and no light"),
        (np.float64(1), equal_classes(EVENTS), "have no pixels, this camera has 609"),
    ],
    ids=[
        "another camera",
        "no numbers",
        "not cleaned",
        "empty classes",
        "one event",
        "an eleventh class",
        "a negative class",
        "classes between",
        "fewer classes than images",
        "text",
        "one number",
    ],
)
def test_images_that_cannot_be_judged_are_refused(images: np.ndarray, classes: np.ndarray, reason: str) -> None:
    with pytest.raises(DamagedData, match=reason):
        check_images(images, classes, HERE)


def test_shards_that_are_damaged_or_missing_are_named(tmp_path: Path) -> None:
    write(tmp_path / "made", some_images(1), equal_classes(EVENTS))
    path = tmp_path / "made" / "shard-00000.npz"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DamagedData, match="does not match its checksum"):
        Generated.load(tmp_path / "made", CAMERA)
    path.unlink()
    with pytest.raises(MissingInput, match="shard-00000"):
        Generated.load(tmp_path / "made", CAMERA)
    with pytest.raises(MissingInput, match="the generation is not finished"):
        Generated.load(tmp_path, CAMERA)


@pytest.mark.parametrize(
    ("shards", "reason"),
    [([{}], "it has no 'name'"), ([{"name": "a"}], "it has no 'sha256'"), (["a"], "is not readable"), (3, "iterable")],
)
def test_a_manifest_that_says_nothing_of_a_shard_is_damaged(tmp_path: Path, shards: object, reason: str) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 1, "shards": shards}))
    with pytest.raises(DamagedData, match=reason):
        Generated.load(tmp_path, CAMERA)


def test_a_shard_of_another_shape_than_the_others_is_named(tmp_path: Path) -> None:
    shards = []
    for number, pixels in enumerate((PIXELS, 7)):
        write(tmp_path / str(number), np.ones((EVENTS, pixels)), equal_classes(EVENTS))
        (shard,) = json.loads((tmp_path / str(number) / "manifest.json").read_text())["shards"]
        shards.append({**shard, "name": f"{number}/{shard['name']}"})
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 1, "shards": shards}))
    with pytest.raises(DamagedData, match=r"the images in .*1/shard-00000.npz have 7 pixels"):
        Generated.load(tmp_path, CAMERA)
