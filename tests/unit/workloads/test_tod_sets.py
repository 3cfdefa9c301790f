"""A training on TODs that is asked to leave while it gets them loses nothing; what is set apart fits what it learns from."""

import argparse
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("safetensors", reason="the train extra is not installed")
pytest.importorskip("h5py", reason="the train extra is not installed")

from idleq.workloads.checkpoint import CheckpointStore
from idleq.workloads.contract import Places
from idleq.workloads.errors import BadOption, DamagedData
from idleq.workloads.guest import PROGRESS_FILE, Guest
from idleq.workloads.todgan.config import TodTrainConfig, Variant
from idleq.workloads.todgan.train import add_options, config_of, identity_of, load_sets
from idleq.workloads.tods.dataset import TodSet, TodSpec, ensure_tods
from idleq.workloads.training.loop import MAKING_DATA, PHASE, TRAINING

LEARNED, APART = 8, 60


def options_of(folder: Path, *more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(["--data", str(folder / "data"), *more])


def small(variant: Variant) -> TodTrainConfig:
    return TodTrainConfig(variant=variant, steps=1, count=LEARNED, batch=4, looked_at=APART)


def places_in(folder: Path) -> Places:
    return Places(checkpoints=folder / "checkpoints", output=folder / "output", control=None)


def given_tods(folder: Path, spec: TodSpec) -> str:
    assert ensure_tods(spec, 1, folder) is not None
    return str(folder / spec.name)


def sets_of(folder: Path, config: TodTrainConfig, *more: str) -> tuple[TodSet, TodSet]:
    with Guest(places=places_in(folder), kind="test", identity={}) as guest:
        sets = load_sets(guest, config, places_in(folder), options_of(folder, *more), guest.restore())
    assert sets is not None
    return sets


def left_while_making(folder: Path, *more: str) -> tuple[int, Mapping[str, bytes]]:
    """What is saved by a guest that was told to leave before its TODs were there; it saves once."""
    places = places_in(folder)
    with Guest(places=places, kind="test", identity={}) as guest:
        checkpoint = guest.restore()
        before = set(places.checkpoints.glob("*"))
        os.kill(os.getpid(), signal.SIGUSR1)
        assert load_sets(guest, small(Variant.VAE), places, options_of(folder, *more), checkpoint) is None
    assert len(set(places.checkpoints.glob("*")) - before) == 1
    saved = CheckpointStore(places.checkpoints).load()
    assert saved is not None
    return saved.step, saved.parts


def test_a_guest_that_has_nothing_yet_saves_that(tmp_path: Path) -> None:
    assert left_while_making(tmp_path) == (0, {PHASE: MAKING_DATA, PROGRESS_FILE: b""})


@pytest.mark.parametrize("lacking", ["all", "those set apart"])
def test_a_guest_that_goes_on_keeps_the_state_that_it_came_with(tmp_path: Path, lacking: str) -> None:
    with Guest(places=places_in(tmp_path), kind="test", identity={}) as guest:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert not guest.may_go_on(40, lambda: {PHASE: TRAINING, "model": b"weights"})
    more = () if lacking == "all" else ("--tods", given_tods(tmp_path, TodSpec(tods_per_file=LEARNED)))
    for _ in range(3):  # more often than generations are kept
        assert left_while_making(tmp_path, *more) == (
            40, {PHASE: TRAINING, "model": b"weights", PROGRESS_FILE: b""},
        )  # fmt: skip


@pytest.mark.parametrize(
    ("variant", "mix", "apart"),
    [
        (Variant.SLIDES, "natural", "natural"),
        (Variant.SLIDES, "balanced", "balanced"),
        (Variant.CONDITIONAL, "natural", "balanced"),
        (Variant.VAE, "natural", "balanced"),
    ],
)
def test_a_generator_that_is_not_told_the_hits_is_measured_by_the_mix_that_it_learns_from(
    tmp_path: Path, variant: Variant, mix: str, apart: str
) -> None:
    spec = TodSpec(mix=mix, tods_per_file=LEARNED)  # type: ignore[arg-type] # literals
    learned, kept = sets_of(tmp_path, small(variant), "--tods", given_tods(tmp_path, spec))
    assert (learned.made_for["mix"], kept.made_for["mix"]) == (mix, apart)
    assert kept.made_for["split"] == "selection"


@pytest.mark.parametrize("looked_at", [60, 600])
def test_as_many_are_set_apart_as_the_card_says(tmp_path: Path, looked_at: int) -> None:
    config = TodTrainConfig(variant=Variant.VAE, steps=1, count=LEARNED, batch=4, looked_at=looked_at)
    _, apart = sets_of(tmp_path, config, "--tods", given_tods(tmp_path, TodSpec(tods_per_file=LEARNED)))
    assert len(apart.tods) == looked_at
    assert np.ptp(np.bincount(np.minimum(apart.tods.hits, 2))) <= 2


@pytest.mark.parametrize("quick", [(), ("--quick",)])
def test_all_tods_that_are_given_are_learned_from_unless_fewer_are_asked_for(
    tmp_path: Path, quick: tuple[str, ...]
) -> None:
    tods = ("--tods", given_tods(tmp_path, TodSpec(tods_per_file=LEARNED)), "--batch", "4", *quick)

    def learned(*more: str) -> int:
        config = config_of(options_of(tmp_path, *tods, *more))
        return len(sets_of(tmp_path, replace(config, looked_at=APART), *tods, *more)[0].tods)

    assert learned() == LEARNED
    assert learned("--count", "6") == 6
    with pytest.raises(BadOption, match="there are 8 TODs, fewer than --count 9"):
        learned("--count", "9")
    with pytest.raises(BadOption, match=r"there are 8 TODs, fewer than a batch \(16\).*a smaller --batch"):
        learned("--batch", "16")
    options = options_of(tmp_path, *tods)
    assert identity_of(config_of(options), options)["count"] == "as given"


def test_tods_that_no_training_may_see_are_refused_before_any_are_made(tmp_path: Path) -> None:
    held_out = given_tods(tmp_path, TodSpec(split="held-out", tods_per_file=LEARNED))
    with pytest.raises(DamagedData, match="which no training may see"):
        sets_of(tmp_path, small(Variant.VAE), "--tods", held_out)
    assert not (tmp_path / "data").exists()
