"""A training goes on exactly from its saved state, and from nothing less than all of it."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("safetensors", reason="the train extra is not installed")

import torch
from safetensors.torch import save
from torch import nn

from idleq.workloads.cgan.config import ModelSize as GanSize
from idleq.workloads.cgan.config import TrainConfig as GanConfig
from idleq.workloads.cgan.config import Variant as GanVariant
from idleq.workloads.cgan.data import TrainingData as GanData
from idleq.workloads.cgan.state import GanState
from idleq.workloads.cgan.step import train_step as gan_step
from idleq.workloads.checkpoint import Checkpoint
from idleq.workloads.classifier.config import TrainConfig as ClassifierConfig
from idleq.workloads.classifier.data import Events
from idleq.workloads.classifier.data import TrainingData as ClassifierData
from idleq.workloads.classifier.state import ClassifierState
from idleq.workloads.classifier.step import train_step as classifier_step
from idleq.workloads.cvae.config import TrainConfig as VaeConfig
from idleq.workloads.cvae.config import Variant as VaeVariant
from idleq.workloads.cvae.data import TrainingData as VaeData
from idleq.workloads.cvae.state import VaeState
from idleq.workloads.cvae.step import train_step as vae_step
from idleq.workloads.errors import CheckpointRefused, WorkloadError
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import Dataset
from idleq.workloads.training.batches import BatchOrder
from idleq.workloads.training.state import TrainingState

# 20 batches or fewer in an epoch: frozen in the middle of one, ended in a later one, so that the epoch turns once more.
STEPS = 45
FROZEN_AT = 30
EVENTS = 200


class Training(Protocol):
    """One kind of training on made-up images."""

    names: tuple[str, ...]

    def begin(self) -> TrainingState: ...
    def step(self, state: Any) -> dict[str, float]: ...
    def weights(self, state: Any) -> Any: ...
    def on_other_data(self) -> "Training": ...


@dataclass
class Gan:
    data: GanData
    variant: GanVariant
    names = GanState.part_names()

    @property
    def config(self) -> GanConfig:
        size = GanSize(variant=self.variant, latent=8, width=2)
        # Its rates have fallen when it is frozen, so that it has been looked at by then.
        return GanConfig(steps=FROZEN_AT, events=EVENTS, batch=10, model=size, seed=7, report_every=4, look_every=5)

    def begin(self) -> TrainingState:
        return GanState.begin(self.config, self.data, Camera.load())

    def step(self, state: Any) -> dict[str, float]:
        return gan_step(state, self.config, self.data, Camera.load())

    def weights(self, state: Any) -> Any:
        return save(state.best.weights), state.best.curve

    def on_other_data(self) -> "Gan":
        return Gan(replace(self.data, digest="another"), self.variant)


@dataclass
class Vae:
    data: VaeData
    variant: VaeVariant = VaeVariant.BELL
    width: int = 8
    names = VaeState.part_names()

    @property
    def config(self) -> VaeConfig:
        return VaeConfig(
            steps=STEPS,
            events=EVENTS,
            variant=self.variant,
            batch=10,
            latent=4,
            width=self.width,
            seed=7,
            report_every=4,
            look_every=5,
        )

    def begin(self) -> TrainingState:
        return VaeState.begin(self.config, self.data)

    def step(self, state: Any) -> dict[str, float]:
        return vae_step(state, self.config, self.data)

    def weights(self, state: Any) -> Any:
        return save(state.best.weights), state.best.curve

    def on_other_data(self) -> "Vae":
        return replace(self, data=replace(self.data, digest="another"))


@dataclass
class Classifying:
    data: ClassifierData
    config = ClassifierConfig(
        steps=STEPS,
        events=EVENTS // 2,
        validated=100,
        judged=100,
        batch=10,
        width=2,
        seed=7,
        report_every=4,
        look_every=5,
    )
    names = ClassifierState.part_names()

    def begin(self) -> TrainingState:
        return ClassifierState.begin(self.config, self.data, Camera.load())

    def step(self, state: Any) -> dict[str, float]:
        return classifier_step(state, self.config, self.data)

    def weights(self, state: Any) -> Any:
        return save(state.best.weights), state.best.curve

    def on_other_data(self) -> "Classifying":
        return Classifying(replace(self.data, digest="another"))


PARTS = [
    pytest.param(name, part, id=f"{name}-{part}")
    for name, kind in (
        ("gan", GanState),
        ("convolutional", GanState),
        ("vae", VaeState),
        ("plain vae", VaeState),
        ("classifier", ClassifierState),
    )
    for part in kind.part_names()
]


@pytest.fixture(scope="module")
def trainings(made_up: Dataset, one_thread: None) -> dict[str, Training]:  # noqa: ARG001 - wanted for what it does
    camera = Camera.load()
    is_gamma = made_up.classes % 2 == 0
    events = Events(images=made_up.images, is_gamma=is_gamma, rows=made_up.rows, parameters=np.zeros((EVENTS, 1)))
    data = ClassifierData(learn=events, validate=events, measure=events, digest="made up")
    return {
        "gan": Gan(GanData.prepare(made_up, camera, GanVariant.BELL), GanVariant.BELL),
        "convolutional": Gan(GanData.prepare(made_up, camera, GanVariant.CONVOLUTIONAL), GanVariant.CONVOLUTIONAL),
        "vae": Vae(VaeData.prepare(made_up, camera)),
        "plain vae": Vae(VaeData.prepare(made_up, camera), variant=VaeVariant.PLAIN, width=2),
        "classifier": Classifying(data),
    }


def go_on(training: Training, state: TrainingState, until: int) -> None:
    while state.step < until:
        metrics = training.step(state)
        state.history.add(state.step, metrics)
        if state.step % 4 == 0:
            state.history.report(state.step)


def result(training: Training, state: TrainingState) -> tuple[object, object]:
    """What a person gets: the weights byte for byte, and the metrics."""
    return training.weights(state), state.history.reports


def continued(training: Training, checkpoint: Checkpoint) -> tuple[object, object]:
    state = training.begin()
    torch.manual_seed(99)  # whatever the new process has drawn meanwhile must not matter
    state.restore(checkpoint)
    go_on(training, state, STEPS)
    return result(training, state)


@dataclass(frozen=True)
class Told:
    """A training's state in mid-epoch, and what it leads to undisturbed."""

    training: Training
    whole: Checkpoint
    uninterrupted: tuple[object, object]
    first: dict[str, bytes]


@pytest.fixture(scope="module")
def told(trainings: dict[str, Training]) -> dict[str, Told]:
    found = {}
    for name, training in trainings.items():
        first = training.begin().parts()
        state = training.begin()
        go_on(training, state, FROZEN_AT)
        whole = Checkpoint(kind="test", step=state.step, identity={}, parts=state.parts())
        state = training.begin()
        go_on(training, state, STEPS)
        found[name] = Told(training=training, whole=whole, uninterrupted=result(training, state), first=first)
    return found


KINDS = pytest.mark.parametrize("kind", ["gan", "convolutional", "vae", "plain vae", "classifier"])


@KINDS
def test_the_whole_state_gives_the_uninterrupted_result(told: dict[str, Told], kind: str) -> None:
    one = told[kind]
    assert continued(one.training, one.whole) == one.uninterrupted


@pytest.mark.parametrize(("kind", "part"), PARTS)
def test_a_state_without_any_single_part_is_refused(told: dict[str, Told], kind: str, part: str) -> None:
    one = told[kind]
    less = replace(one.whole, parts={name: content for name, content in one.whole.parts.items() if name != part})
    with pytest.raises(CheckpointRefused, match=part):
        continued(one.training, less)


@pytest.mark.parametrize(("kind", "part"), PARTS)
def test_any_single_part_put_back_to_its_beginning_changes_the_result(
    told: dict[str, Told], kind: str, part: str
) -> None:
    one = told[kind]
    changed = replace(one.whole, parts={**one.whole.parts, part: one.first[part]})
    assert continued(one.training, changed) != one.uninterrupted


@KINDS
def test_a_forgotten_step_changes_the_result(told: dict[str, Told], kind: str) -> None:
    one = told[kind]
    assert continued(one.training, replace(one.whole, step=0)) != one.uninterrupted


@KINDS
def test_a_training_that_diverges_says_so(told: dict[str, Told], kind: str) -> None:
    training = told[kind].training
    state = training.begin()
    models = [found for part in state.OWN_PARTS if isinstance(found := getattr(state, part), nn.Module)]
    for parameter in (one for model in models for one in model.parameters()):
        nn.init.constant_(parameter, float("nan"))
    metrics = training.step(state)
    with pytest.raises(WorkloadError, match=r"diverged: at step 1 its metrics are .* nan.*; try another --seed"):
        state.history.add(state.step, metrics)


@KINDS
def test_every_part_of_the_state_is_listed(told: dict[str, Told], kind: str) -> None:
    assert set(told[kind].first) == set(told[kind].training.names)


@pytest.mark.parametrize(("kind", "part"), PARTS)
def test_a_part_of_another_shape_is_refused(told: dict[str, Told], kind: str, part: str) -> None:
    one, names = told[kind], told[kind].training.names
    other = names[(names.index(part) + 4) % len(names)]
    swapped = replace(one.whole, parts={**one.whole.parts, part: one.whole.parts[other]})
    with pytest.raises(CheckpointRefused):
        continued(one.training, swapped)


@KINDS
def test_another_data_set_is_refused(told: dict[str, Told], kind: str) -> None:
    with pytest.raises(CheckpointRefused, match="not the one that this training began with"):
        continued(told[kind].training.on_other_data(), told[kind].whole)


def test_every_event_is_seen_once_in_an_epoch() -> None:
    order = BatchOrder.begin(events=23, batch=5, random=np.random.default_rng(0))
    first = np.concatenate([order.next() for _ in range(4)])
    assert len(set(first.tolist())) == 20
    assert order.epoch == 0
    order.next()
    assert (order.epoch, order.cursor) == (1, 5)
