"""Bad data given to the programs: one line that says what, where and what to do; nothing that was there is lost."""

import hashlib
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from idleq.workloads import cli
from idleq.workloads.checkpoint import Checkpoint, CheckpointStore
from idleq.workloads.durable import canonical_json
from idleq.workloads.iact import dataset
from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.dataset import DatasetSpec, size_classes
from idleq.workloads.iact.npz import as_npz

pytestmark = pytest.mark.usefixtures("one_thread")

EVENTS = 200
OF_JOB = {
    "train-cgan": DatasetSpec(events=EVENTS),
    "train-cvae": DatasetSpec(events=EVENTS),
    "train-classifier": DatasetSpec(events=EVENTS, split="judge"),
}


def forge(
    root: Path,
    spec: DatasetSpec,
    *,
    pixels: int = PIXELS,
    events: int = EVENTS,
    empty: int | None = None,
    seed: int = 3,
) -> Path:
    """A set of made-up images that verifies, whatever is in it."""
    random, folder = np.random.default_rng(seed), root / spec.name
    folder.mkdir(parents=True)
    lit = random.random((events, pixels)) < 0.02
    images = np.where(lit, random.uniform(7, 300, (events, pixels)), 0).astype(np.float32)
    images[:, 0] += 20
    sizes = images.sum(axis=1)
    classes = size_classes(sizes)[0] if events >= 10 else np.zeros(events, dtype=np.uint8)
    if empty is not None:
        classes[classes == empty] = (empty + 1) % 10
    write(folder, spec, images, sizes, classes)
    return folder


def write(folder: Path, spec: DatasetSpec, images: np.ndarray, sizes: np.ndarray, classes: np.ndarray) -> None:
    identity = np.array(dataset.chunk_identity(spec, 0))
    rows = np.arange(len(images), dtype=np.int32)
    (folder / dataset.chunk_name(0)).write_bytes(as_npz(images=images, sizes=sizes, rows=rows, made_for=identity))
    np.save(folder / dataset.CLASS_FILE, classes)
    files = {name: dataset.describe_file(folder / name) for name in (dataset.chunk_name(0), dataset.CLASS_FILE)}
    is_whole = np.isfinite(sizes).all() and len(np.unique(classes)) == dataset.CLASSES
    manifest = {
        "version": dataset.VERSION,
        "spec": asdict(spec),
        "class_edges": dataset.class_edges(sizes, classes) if is_whole else [],
        "files": files,
        "digest": dataset.digest_of(files),
    }
    (folder / dataset.MANIFEST).write_bytes(canonical_json(manifest))


def another_camera(root: Path, spec: DatasetSpec) -> str:
    forge(root, spec, pixels=1855)
    return "have 1855 pixels, this camera has 609: they are of another camera"


def no_numbers(root: Path, spec: DatasetSpec) -> str:
    folder = forge(root, spec)
    with np.load(folder / dataset.chunk_name(0)) as file:
        images, sizes = file["images"], file["sizes"]
    images[3, 7] = images[5, 7] = np.nan
    write(folder, spec, images, sizes, np.load(folder / dataset.CLASS_FILE))
    return f"2 of the {EVENTS} images in {folder} have pixels that are no numbers"


def an_empty_class(root: Path, spec: DatasetSpec) -> str:
    folder = forge(root, spec, empty=4)
    return f"the classes in {folder} have [20, 20, 20, 20, 0, 40, 20, 20, 20, 20] events; each of the 10 needs some"


def one_event(root: Path, spec: DatasetSpec) -> str:
    folder = forge(root, spec, events=1)
    return f"chunk {folder / dataset.chunk_name(0)} has 1 events instead of {EVENTS}"


@pytest.mark.parametrize("job", OF_JOB)
@pytest.mark.parametrize("damage", [another_camera, no_numbers, an_empty_class, one_event])
def test_a_set_that_cannot_be_trained_on_is_refused_and_left_alone(
    job: str, damage: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, root = OF_JOB[job], tmp_path / "data"
    reason = damage(root, spec)  # type: ignore[operator] # parametrised with functions
    forge(root, DatasetSpec(events=EVENTS, particle="hadron", split="judge"))
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    code = cli.main([job, "--events", str(EVENTS), "--data", str(root), "--output", str(tmp_path / "out")])
    told = capsys.readouterr().err
    assert code == 65, told
    assert reason in told
    assert f"remove {root / spec.name} and it will be made again" in told
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("job", ["train-cgan", "train-cvae"])
def test_one_event_is_too_few_to_ask_for(job: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([job, "--events", "1", "--output", str(tmp_path / "out")]) == 2
    assert "--events must" in capsys.readouterr().err


def test_weights_of_another_generator_are_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from torch import nn

    from idleq.workloads.training.weights import save_weights

    weights = tmp_path / "generator.safetensors"
    save_weights(nn.Linear(2, 2), "cgan-generator", {}, weights)
    argv = ["generate-cvae", "--weights", str(weights), "--count", "10", "--output", str(tmp_path / "out")]
    assert cli.main(argv) == 65
    assert f"{weights} does not hold a cvae-decoder that this program can use" in (told := capsys.readouterr().err)
    assert "it is a cgan-generator, not a cvae-decoder" in told
    assert not list((tmp_path / "out").glob("shard-*"))


def test_a_checkpoint_of_another_training_is_refused_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IDLEQ_CHECKPOINT_DIR", str(tmp_path / "checkpoints"))
    store = CheckpointStore(tmp_path / "checkpoints")
    saved = Checkpoint(kind="train-cgan", step=40, identity={}, parts={"phase": b"training", "progress.jsonl": b""})
    store.save(saved)
    assert cli.main(["train-cvae", "--quick", "--output", str(tmp_path / "out")]) == 76
    assert "train-cgan" in capsys.readouterr().err
    assert store.load() == saved


@pytest.mark.parametrize(
    ("pixels", "light", "reason"),
    [(1855, 10.0, "have 1855 pixels, this camera has 609"), (PIXELS, np.nan, "200 of the images in")],
    ids=["another camera", "no numbers"],
)
def test_images_that_cannot_be_judged_are_refused(
    pixels: int, light: float, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = evaluation(tmp_path, np.full((EVENTS, pixels), light))
    assert cli.main(argv) == 65
    assert reason in capsys.readouterr().err


def test_truth_of_another_camera_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forge(tmp_path / "data", DatasetSpec(events=EVENTS, split="held-out"), pixels=1855)
    argv = evaluation(tmp_path, np.full((EVENTS, PIXELS), 20.0))
    assert cli.main([*argv, "--events", str(EVENTS), "--data", str(tmp_path / "data")]) == 65
    assert "they are of another camera" in capsys.readouterr().err


def evaluation(folder: Path, images: np.ndarray) -> list[str]:
    """Generated *images* and a judge that has learnt nothing, and the command that compares them."""
    from idleq.workloads.classifier.model import Classifier, ModelSize
    from idleq.workloads.classifier.weights import Judge, save_judge

    size, judge, made = ModelSize(width=4), folder / "judge.safetensors", folder / "made"
    save_judge(Judge(model=Classifier(size, Camera.load()).eval(), threshold=0.5), size, judge)
    made.mkdir()
    content = as_npz(images=images, classes=dataset.equal_classes(len(images)))
    (made / "shard-00000.npz").write_bytes(content)
    shard = {"name": "shard-00000.npz", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (made / "manifest.json").write_bytes(canonical_json({"format": 1, "shards": [shard]}))
    return ["evaluate-images", "--images", str(made), "--judge", str(judge), "--output", str(folder / "out")]


def limited(argv: list[str], most_bytes: int) -> "subprocess.CompletedProcess[str]":
    """Run a job for which no file may grow beyond *most_bytes*: the kernel refuses the write as on a full disk."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    command = [sys.executable, "-m", "idleq.workloads.cli", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=110, preexec_fn=limit)


@contextmanager
def no_room(most_bytes: int) -> Iterator[None]:
    """As `limited`, for a job in this process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def forge_truth(root: Path) -> list[str]:
    """The sets that `evaluate-images` compares with, each of other images, and its options for them."""
    specs = [DatasetSpec(events=EVENTS, split=split, seed=seed) for split in ("held-out", "train") for seed in (1, 2)]
    for number, spec in enumerate(specs):
        forge(root, spec, seed=number)
    return ["--events", str(EVENTS), "--trained-on", str(EVENTS), "--data", str(root)]


def forged_images() -> np.ndarray:
    random = np.random.default_rng(9)
    images = np.where(random.random((EVENTS, PIXELS)) < 0.02, random.uniform(7, 300, (EVENTS, PIXELS)), 0)
    images[:, 0] += 20
    return images.astype(np.float32)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def refuse_and_go_on(argv: list[str], output: Path, most_bytes: int, told_before: str, told: Callable[[], str]) -> None:
    """Where there is no room for one of several results, none of them takes the place of what was there; with room all do."""
    output.mkdir()
    (output / told_before).write_bytes(b"before")
    with no_room(most_bytes):
        assert cli.main(argv) == 74
    assert f"in {output}: File too large; free some space (or raise the quota) and run the job again" in told()
    assert leftovers(output) == []
    left = files_in(output)
    assert left.pop(told_before) == b"before"
    assert not [name for name in left if name.endswith((".png", ".md"))]
    assert cli.main(argv) == 0
    assert files_in(output)[told_before] != b"before"
    assert leftovers(output) == []


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob(".tmp-*"))


def test_no_room_for_a_data_set_and_then_room(tmp_path: Path) -> None:
    pytest.importorskip("ctapipe", reason="the train extra is not installed")
    argv = ["make-data", "--events", "25", "--data", str(tmp_path)]
    refused = limited(argv, 1_000)
    assert refused.returncode == 74, refused.stderr
    assert "cannot save the data set in" in refused.stderr
    assert "free some space (or raise the quota) and run the job again" in refused.stderr
    assert leftovers(tmp_path) == []
    assert cli.main(argv) == 0


def test_no_room_for_weights_and_then_room(tmp_path: Path) -> None:
    forge(tmp_path / "data", DatasetSpec(events=EVENTS))
    argv = ["train-cgan", "--steps", "1", "--events", str(EVENTS), "--data", str(tmp_path / "data")]
    argv += ["--output", str(tmp_path / "out")]
    refused = limited(argv, 100_000)
    assert refused.returncode == 74, refused.stderr
    assert "cannot save the weights in" in refused.stderr
    assert "free some space" in refused.stderr
    assert leftovers(tmp_path) == []
    assert not list((tmp_path / "out").glob("*.safetensors"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_room_for_an_evaluation_of_images_and_then_room(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn", reason="the train extra is not installed")
    argv = [*evaluation(tmp_path, forged_images()), *forge_truth(tmp_path / "data")]
    refuse_and_go_on(argv, tmp_path / "out", 60_000, "evaluation.json", lambda: capsys.readouterr().err)
    assert "What they were learnt from is not known" in (tmp_path / "out" / "evaluation.md").read_text()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_room_for_an_evaluation_of_tods_and_then_room(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from idleq.workloads.tods.dataset import TodSpec, ensure_tods

    spec = TodSpec(seed=1, split="held-out", mix="balanced", tods_per_file=300)
    assert ensure_tods(spec, 1, tmp_path / "data") is not None
    argv = ["evaluate-tods", "--per-class", "100", "--only-generated", "--data", str(tmp_path / "data")]
    argv += ["--output", str(tmp_path / "out")]
    refuse_and_go_on(argv, tmp_path / "out", 50_000, "figures.json", lambda: capsys.readouterr().err)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_room_for_the_results_of_a_training_and_then_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forge(tmp_path / "data", DatasetSpec(events=EVENTS))
    argv = ["train-cgan", "--quick", "--steps", "1", "--events", str(EVENTS)]
    argv += ["--data", str(tmp_path / "data"), "--output", str(tmp_path / "out")]
    refuse_and_go_on(argv, tmp_path / "out", 300_000, "summary.json", lambda: capsys.readouterr().err)
    assert (tmp_path / "out" / "model-card.json").exists()


def test_images_of_a_model_that_has_learnt_from_other_data_are_refused_with_both_digests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [*evaluation(tmp_path, forged_images()), *forge_truth(tmp_path / "data")]
    manifest = tmp_path / "made" / "manifest.json"
    manifest.write_bytes(canonical_json({**json.loads(manifest.read_bytes()), "learnt_from": ["of-the-card"]}))
    spec = DatasetSpec(events=EVENTS)
    digest = dataset.read_manifest(tmp_path / "data" / spec.name, spec)["digest"]
    assert cli.main(argv) == 2
    told = capsys.readouterr().err
    assert (
        f"--trained-on {EVENTS} is data {digest}, but the model that made the images has learnt from data of-the-card"
        in told
    )
    assert not list((tmp_path / "out").glob("evaluation*"))


def test_what_is_generated_tells_what_its_model_has_learnt_from(tmp_path: Path) -> None:
    import torch

    from idleq.workloads.cgan.config import ModelSize, Variant
    from idleq.workloads.cgan.variants import generator_of
    from idleq.workloads.cgan.weights import WEIGHTS_FILE, save_generator
    from idleq.workloads.iact.sizing import SIZE_QUANTILES

    size = ModelSize(variant=Variant.CONVOLUTIONAL, latent=8, width=4)
    save_generator(generator_of(size, Camera.load(), torch.zeros(SIZE_QUANTILES)), size, tmp_path / WEIGHTS_FILE)
    card = {"weights": WEIGHTS_FILE, "data": {"digest": "abc"}}
    for known in ([], ["abc"]):
        output = tmp_path / f"out-{len(known)}"
        argv = ["generate-cgan", "--weights", str(tmp_path / WEIGHTS_FILE), "--count", "10", "--output", str(output)]
        assert cli.main(argv) == 0
        assert json.loads((output / "manifest.json").read_bytes())["learnt_from"] == known
        (tmp_path / "model-card.json").write_text(json.dumps(card))
