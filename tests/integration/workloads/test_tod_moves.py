"""Frozen and moved k times, every workload on TODs gives bit for bit the result of one that was not."""

import json
import random
from pathlib import Path

import pytest

from idleq.workloads.errors import CannotSave
from support.moving import EVENT_FILES, Mover, files_of

for _package in ("torch", "h5py", "scipy", "matplotlib", "safetensors"):
    pytest.importorskip(_package, reason="the train extra is not installed")

TRAIN = ("train-todgan", "--quick", "--steps", "30", "--count", "96", "--batch", "8", "--seed", "5")
STEPS_PER_EPOCH = 12
MID_EPOCH = (10, 20)


def a_mover(folder: Path, argv: tuple[str, ...], data: Path) -> Mover:
    return Mover(folder, argv, {"IDLEQ_DATA_DIR": str(data)})


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the TODs lie, made once for all of these tests."""
    from idleq.workloads.tods.dataset import TodSpec, ensure_tods

    folder = tmp_path_factory.mktemp("tods")
    assert ensure_tods(TodSpec(), 1, folder) is not None
    assert ensure_tods(TodSpec(split="selection"), 2, folder) is not None
    return folder


@pytest.fixture(scope="session", params=["slides", "conditional", "vae"])
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def still_training(tmp_path_factory: pytest.TempPathFactory, data: Path, variant: str) -> Path:
    """The results of a training that was never frozen."""
    return a_mover(tmp_path_factory.mktemp(variant), (*TRAIN, "--variant", variant), data).run([]).output


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_training_moved_any_number_of_times_gives_the_same_bytes(
    tmp_path: Path, data: Path, variant: str, still_training: Path
) -> None:
    moves = {"slides": 1, "conditional": 2, "vae": 1}[variant]
    instants = sorted(random.Random(moves).sample(MID_EPOCH, moves))
    mover = a_mover(tmp_path, (*TRAIN, "--variant", variant), data)
    scratch, in_mid_epoch = mover.first(), []
    for step in instants:
        assert mover.segment(scratch, freeze_when_at=step) == 85
        saved = json.loads((scratch.control / "saved.jsonl").read_text().splitlines()[-1])
        in_mid_epoch.append(saved["step"] % STEPS_PER_EPOCH != 0)
        scratch = mover.move(scratch)
    assert mover.segment(scratch) == 0
    assert any(in_mid_epoch)
    moved, still = files_of(scratch.output), files_of(still_training)
    names = ["loss.png", "model-card.json", "model-card.md", "progress.jsonl", "tod-generator.safetensors", "tods.png"]
    assert sorted(moved) == sorted([*names, *EVENT_FILES])
    assert [name for name in still if moved[name] != still[name]] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("in_bfloat16", ["slides", "vae"])
def test_a_training_in_bfloat16_moved_gives_the_same_bytes(tmp_path: Path, data: Path, in_bfloat16: str) -> None:
    argv = (*TRAIN, "--variant", in_bfloat16, "--precision", "bfloat16")
    still = a_mover(tmp_path / "still", argv, data).run([])
    moved = a_mover(tmp_path / "moved", argv, data).run([10])
    assert files_of(moved.output) == files_of(still.output)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_generating_and_judging_moved_gives_the_same_bytes(
    tmp_path: Path, data: Path, variant: str, still_training: Path
) -> None:
    if variant == "vae":
        pytest.skip(
            "generated and judged by the tiny run of `make science`, and told the hits as the conditional one is"
        )
    weights = str(still_training / "tod-generator.safetensors")
    argv = ("generate-todgan", "--weights", weights, "--count", "1400")
    still = a_mover(tmp_path / "still", argv, data).run([])
    moved = a_mover(tmp_path / "moved", argv, data).run([1])
    assert files_of(moved.output) == files_of(still.output)
    manifest = json.loads((moved.output / "manifest.json").read_text())
    assert [shard["name"] for shard in manifest["shards"]] == ["shard-00000.h5", "shard-00001.h5", "shard-00002.h5"]

    judge = ("evaluate-tods", "--per-class", "100", "--generated", f"{variant}={still.output}")
    judged = a_mover(tmp_path / "judged", judge, data).run([])
    rejudged = a_mover(tmp_path / "rejudged", judge, data).run([2])
    assert files_of(rejudged.output) == files_of(judged.output)
    figures = json.loads((judged.output / "figures.json").read_text())
    assert list(figures["sets"]) == sorted(["coloured noise", "truth again", "white noise", variant])
    assert figures["sets"][variant]["by"] == ("found" if variant == "slides" else "asked for")
    assert f"| {variant} | 2+ |" in (judged.output / "report.md").read_text()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_simulation_moved_gives_the_same_bytes(tmp_path: Path, data: Path) -> None:
    argv = ("simulate-tods", "--tods", "750", "--task", "3")
    still = a_mover(tmp_path / "still", argv, data).run([])
    moved = a_mover(tmp_path / "moved", argv, data).run([1])
    assert sorted(files_of(moved.output)) == ["progress.jsonl", "tods-00003.h5", "tods-00003.json"]
    assert files_of(moved.output) == files_of(still.output)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_full_disk_while_tods_are_written_ends_with_its_own_exit_code_and_keeps_what_was_saved(
    tmp_path: Path, data: Path
) -> None:
    """The kernel refuses to write past a file-size limit just as it does on a full disk."""
    mover = a_mover(tmp_path, ("simulate-tods", "--tods", "750"), data)
    scratch = mover.first()
    assert mover.segment(scratch, freeze_when_at=1) == 85
    before = files_of(scratch.checkpoints)
    process = mover.start(scratch, limit_files_to=100_000)
    assert process.wait(100) == CannotSave.exit_code
    assert "free some space" in (scratch.root / "stderr").read_text()
    assert files_of(scratch.checkpoints) == before
    assert not list(scratch.output.glob("*.h5"))
