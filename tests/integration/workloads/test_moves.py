"""Frozen and moved k times, every workload gives bit for bit the result of one that was not."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from idleq.workloads.checkpoint import CheckpointStore, read_generation
from idleq.workloads.errors import CannotSave, CheckpointRefused
from support.moving import EVENT_FILES, POLL_SECONDS, Mover, Scratch, files_of, wait_for_step

COUNT = ("count", "--steps", "60", "--step-seconds", "0.02", "--memory-mb", "1")

IMAGES = ("images.png", "loss.png", "samples.npz", "summary.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One that takes few seconds; none of the instants in *mid_epoch* is near an epoch's end."""

    argv: tuple[str, ...]
    steps_per_epoch: int
    mid_epoch: tuple[int, ...]
    files: tuple[str, ...]


TRAININGS = {
    "cgan": Training(  # 16 of 475: the others validate
        argv=("train-cgan", "--steps", "160", "--events", "500", "--batch", "16", "--seed", "5"),
        steps_per_epoch=29,
        mid_epoch=(10, 20, 40, 50, 70, 80, 100),
        files=("generator.safetensors", *IMAGES),
    ),
    "convolutional cgan": Training(
        argv=(
            *("train-cgan", "--variant", "convolutional", "--steps", "80"),
            *("--events", "500", "--batch", "16", "--seed", "5"),
        ),
        steps_per_epoch=29,
        mid_epoch=(10, 20, 40, 50),
        files=("generator.safetensors", *IMAGES),
    ),
    "cvae": Training(  # 16 of 475: the others validate
        argv=("train-cvae", "--steps", "150", "--events", "500", "--batch", "16", "--seed", "5"),
        steps_per_epoch=29,
        mid_epoch=(10, 20, 40, 50, 70, 80, 100),
        files=("decoder.safetensors", *IMAGES),
    ),
    "plain cvae": Training(
        argv=("train-cvae", "--variant", "plain", "--steps", "80", "--events", "500", "--batch", "16", "--seed", "5"),
        steps_per_epoch=29,
        mid_epoch=(10, 20, 40, 50),
        files=("decoder.safetensors", *IMAGES),
    ),
    "classifier": Training(  # 20 of 300 gammas and 300 hadrons
        argv=(
            "train-classifier",
            "--steps",
            "150",
            "--events",
            "300",
            "--validated",
            "60",
            "--judged",
            "100",
            "--batch",
            "20",
        ),
        steps_per_epoch=30,
        mid_epoch=(10, 20, 40, 50, 70, 80, 100),
        files=("classifier.safetensors", "loss.png", "scores.png", "summary.json"),
    ),
}
TRAININGS["classifier in bfloat16"] = replace(
    TRAININGS["classifier"], argv=(*TRAININGS["classifier"].argv, "--precision", "bfloat16")
)


def a_mover(folder: Path, argv: tuple[str, ...], **environment: str) -> Mover:
    return Mover(folder, argv, environment)


def saved_steps(scratch: Scratch) -> list[int]:
    return [json.loads(line)["step"] for line in (scratch.control / "saved.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("moves", [0, 1, 5])
def test_a_count_moved_any_number_of_times_gives_the_same_bytes(tmp_path: Path, moves: int) -> None:
    instants = sorted(random.Random(moves).sample(range(2, 40), moves))
    still = a_mover(tmp_path / "still", (*COUNT, "--step-seconds", "0")).run([])
    moved = a_mover(tmp_path / "moved", COUNT).run(instants)
    assert files_of(moved.output) == files_of(still.output)


def test_a_killed_count_goes_on_from_its_insurance(tmp_path: Path) -> None:
    mover = a_mover(tmp_path / "killed", COUNT)
    scratch = mover.first()
    process = mover.start(scratch)
    beside = scratch.control / "beside"
    beside.write_text(json.dumps({"format": 1, "segment": 1, "save_every_ms": 1}))
    beside.replace(scratch.control / "segment.json")
    wait_for_step(process, scratch, 45)
    process.kill()
    process.wait()
    assert saved_steps(scratch)
    (scratch.control / "segment.json").unlink()
    assert mover.segment(scratch) == 0
    still = a_mover(tmp_path / "still", (*COUNT, "--step-seconds", "0")).run([])
    assert files_of(scratch.output) == files_of(still.output)


def test_a_plain_run_needs_none_of_our_variables_and_resumes(tmp_path: Path) -> None:
    from idleq.workloads import cli

    output = tmp_path / "plain"
    argv = [*COUNT, "--step-seconds", "0", "--output", str(output)]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IDLEQ_CHECKPOINT_DIR", "IDLEQ_OUTPUT_DIR", "IDLEQ_CONTROL"):
            patch.delenv(name, raising=False)
        assert cli.main(argv) == 0
    assert sorted(files_of(output)) == ["progress.jsonl", "result.json"]


def test_a_full_disk_while_saving_ends_with_its_own_exit_code_and_keeps_what_was_saved(tmp_path: Path) -> None:
    """The kernel refuses to write past a file-size limit just as it does on a full disk."""
    mover = a_mover(tmp_path, COUNT)
    scratch = mover.first()
    assert mover.segment(scratch, freeze_when_at=5) == 85
    before = files_of(scratch.checkpoints)
    process = mover.start(scratch, limit_files_to=100_000)
    wait_for_step(process, scratch, saved_steps(scratch)[-1] + 5)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(60) == CannotSave.exit_code
    assert "free some space" in (scratch.root / "stderr").read_text()
    assert files_of(scratch.checkpoints) == before


@pytest.fixture
def tiny_disk(tmp_path: Path) -> object:
    """A real file system of 3 MiB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_really_full_disk_keeps_what_was_saved(tmp_path: Path, tiny_disk: Path) -> None:
    mover = a_mover(tmp_path, COUNT)
    scratch = mover.first()
    scratch.checkpoints.rmdir()
    scratch.checkpoints.symlink_to(tiny_disk)
    codes = [mover.segment(scratch, freeze_when_at=step) for step in (4, 8, 12)]
    assert codes == [85, 85, CannotSave.exit_code]
    steps = saved_steps(scratch)
    assert len(steps) == 2
    loaded = CheckpointStore(tiny_disk).load()
    assert loaded is not None
    assert loaded.step == steps[-1]
    assert sorted(path.name for path in tiny_disk.iterdir()) == ["generation-00000001", "generation-00000002"]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set, made once for all of these tests."""
    for package in ("torch", "ctapipe", "matplotlib", "safetensors"):
        pytest.importorskip(package, reason="the train extra is not installed")
    from idleq.workloads.iact.dataset import DatasetSpec
    from idleq.workloads.iact.making import ensure_dataset

    folder = tmp_path_factory.mktemp("data")
    assert ensure_dataset(DatasetSpec(events=500), folder) is not None
    return folder


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Callable[[str], Path]:
    """The results of each training that was never frozen, made when first asked for."""
    done: dict[str, Path] = {}

    def results(name: str) -> Path:
        if name not in done:
            folder = tmp_path_factory.mktemp("still")
            done[name] = a_mover(folder, TRAININGS[name].argv, IDLEQ_DATA_DIR=str(data)).run([]).output
        return done[name]

    return results


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("cgan", 0),
        ("cgan", 1),
        ("cgan", 5),
        ("convolutional cgan", 1),
        ("cvae", 1),
        ("cvae", 5),
        ("plain cvae", 1),
        ("classifier", 3),
        ("classifier in bfloat16", 2),
    ],
)
def test_a_training_moved_any_number_of_times_gives_the_same_bytes(
    tmp_path: Path, data: Path, still: Callable[[str], Path], name: str, moves: int
) -> None:
    training = TRAININGS[name]
    instants = sorted(random.Random(moves).sample(training.mid_epoch, moves))
    mover = a_mover(tmp_path, training.argv, IDLEQ_DATA_DIR=str(data))
    scratch, in_mid_epoch = mover.first(), []
    for step in instants:
        assert mover.segment(scratch, freeze_when_at=step) == 85
        in_mid_epoch.append(saved_steps(scratch)[-1] % training.steps_per_epoch != 0)
        scratch = mover.move(scratch)
    assert mover.segment(scratch) == 0
    assert all(in_mid_epoch)
    moved, undisturbed = files_of(scratch.output), files_of(still(name))
    common = {"model-card.json", "model-card.md", "progress.jsonl", *EVENT_FILES}
    assert sorted(moved) == sorted({*training.files, *common})
    assert [file for file in undisturbed if moved[file] != undisturbed[file]] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("model", ["cgan", "cvae"])
def test_a_generation_of_images_moved_twice_gives_the_same_bytes(
    tmp_path: Path, still: Callable[[str], Path], model: str
) -> None:
    weights = str(still(model) / TRAININGS[model].files[0])
    argv = (f"generate-{model}", "--weights", weights, "--count", "4500")
    undisturbed = a_mover(tmp_path / "still", argv).run([])
    moved = a_mover(tmp_path / "moved", argv).run([1, 2])
    assert files_of(moved.output) == files_of(undisturbed.output)
    manifest = json.loads((moved.output / "manifest.json").read_text())
    assert [shard["name"] for shard in manifest["shards"]] == [f"shard-{index:05d}.npz" for index in range(5)]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_judgement_of_images_moved_gives_the_same_bytes(
    tmp_path: Path, data: Path, still: Callable[[str], Path]
) -> None:
    weights = str(still("cvae") / "decoder.safetensors")
    images = a_mover(tmp_path / "images", ("generate-cvae", "--weights", weights, "--count", "400")).run([]).output
    judge = str(still("classifier") / "classifier.safetensors")
    few = ("--events", "400", "--trained-on", "500")
    argv = ("evaluate-images", "--images", str(images), "--judge", judge, *few)
    undisturbed = a_mover(tmp_path / "still", argv, IDLEQ_DATA_DIR=str(data)).run([])
    moved = a_mover(tmp_path / "moved", argv, IDLEQ_DATA_DIR=str(data)).run([1, 3])
    assert files_of(moved.output) == files_of(undisturbed.output)
    assert {"evaluation.json", "evaluation.md", "progress.jsonl"} < set(files_of(moved.output))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_simulation_of_showers_moved_gives_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the train extra is not installed")
    argv = ("simulate-showers", "--events", "1700", "--task", "2")  # four chunks
    undisturbed = a_mover(tmp_path / "still", argv).run([])
    moved = a_mover(tmp_path / "moved", argv).run([1, 2])
    assert sorted(files_of(moved.output)) == [
        "gamma-train-seed1-00002.json",
        "gamma-train-seed1-00002.parquet",
        "progress.jsonl",
    ]
    assert files_of(moved.output) == files_of(undisturbed.output)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_simulated_files_are_learned_from_moved_and_generated_from(tmp_path: Path) -> None:
    """The whole way of files: an array's tasks, a training that finds a copy on every node, images."""
    for package in ("torch", "ctapipe", "pyarrow", "safetensors"):
        pytest.importorskip(package, reason="the train extra is not installed")
    for task in ("0", "1"):
        simulation = ("simulate-showers", "--events", "200", "--task", task)
        output = a_mover(tmp_path / "tasks" / task, simulation).run([]).output
        shutil.copytree(output, tmp_path / "shards" / task)
    training = ("train-cgan", "--images", str(tmp_path / "shards"), "--steps", "120", "--batch", "16")
    undisturbed = a_mover(tmp_path / "still", training).run([]).output
    moved = a_mover(tmp_path / "moved", training).run([20, 50]).output
    assert files_of(moved) == files_of(undisturbed)
    card = json.loads((moved / "model-card.json").read_text())
    assert (card["data"]["events"], card["settings"]["events"]) == (400, 400)
    assert card["data"]["sources"] == ["simulate-showers: gamma, split train, seed 1 (2 files)"]
    generation = ("generate-cgan", "--weights", str(moved / "generator.safetensors"), "--count", "20")
    assert "shard-00000.npz" in files_of(a_mover(tmp_path / "made", generation).run([]).output)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("data")
def test_a_guest_frozen_while_its_data_is_made_carries_it_along(tmp_path: Path) -> None:
    mover = a_mover(
        tmp_path, ("train-cgan", "--steps", "10", "--events", "2500", "--batch", "16"), XDG_CACHE_HOME=str(tmp_path)
    )
    scratch = mover.first()
    process = mover.start(scratch)
    folder = scratch.checkpoints / "data" / "gamma-train-2500-seed1"
    while not (folder / "chunk-00000.npz").exists() and process.poll() is None:
        time.sleep(POLL_SECONDS)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(100) == 85
    made = sorted(path.name for path in folder.iterdir())
    assert "manifest.json" not in made
    before = {name: (folder / name).read_bytes() for name in made}
    scratch = mover.move(scratch)
    assert mover.segment(scratch) == 0
    after = files_of(scratch.checkpoints / "data" / folder.name)
    assert {name: after[name] for name in made} == before
    assert files_of(tmp_path / "idleq" / "iact" / folder.name) == after


@pytest.mark.parametrize("part", ["digest", "memory", "progress.jsonl"])
def test_a_checkpoint_with_a_part_left_out_ends_with_its_own_exit_code(tmp_path: Path, part: str) -> None:
    mover = a_mover(tmp_path, COUNT)
    scratch = mover.first()
    assert mover.segment(scratch, freeze_when_at=3) == 85
    (generation,) = scratch.checkpoints.iterdir()
    saved = read_generation(generation)
    shutil.rmtree(generation)
    less = replace(saved, parts={name: content for name, content in saved.parts.items() if name != part})
    CheckpointStore(scratch.checkpoints).save(less)
    assert mover.segment(scratch) == CheckpointRefused.exit_code
    assert f"lacks {part}" in (scratch.root / "stderr").read_text()
    assert not (scratch.output / "result.json").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_that_make_the_same_data_at_once_agree(tmp_path: Path, data: Path) -> None:
    argv = [sys.executable, "-m", "idleq.workloads.cli", "make-data", "--events", "500", "--data", str(tmp_path)]
    both = [subprocess.Popen(argv, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(300) for process in both] == [0, 0]
    made = files_of(tmp_path)
    assert made
    assert made == {name: content for name, content in files_of(data).items() if name in made}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_shard_that_is_damaged_while_the_job_is_frozen_is_made_again(
    tmp_path: Path, still: Callable[[str], Path]
) -> None:
    weights = str(still("cgan") / "generator.safetensors")
    mover = a_mover(tmp_path, ("generate-cgan", "--weights", weights, "--count", "4500"))
    scratch = mover.first()
    assert mover.segment(scratch, freeze_when_at=2) == 85
    whole = (scratch.output / "shard-00000.npz").read_bytes()
    (scratch.output / "shard-00000.npz").write_bytes(b"damaged")
    assert mover.segment(scratch) == 0
    assert (scratch.output / "shard-00000.npz").read_bytes() == whole
    lines = (scratch.output / "progress.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5]
