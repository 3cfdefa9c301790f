"""On a GPU every training, generation and judgement does what it does on the CPU: shown with a pretended one, since here is none."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("safetensors", reason="the train extra is not installed")
pytest.importorskip("h5py", reason="the train extra is not installed")

import torch
from safetensors.torch import save
from torch import nn

from idleq.workloads import cli
from idleq.workloads.cgan.config import ModelSize as GanSize
from idleq.workloads.cgan.config import TrainConfig as GanConfig
from idleq.workloads.cgan.config import Variant as GanVariant
from idleq.workloads.cgan.data import TrainingData as GanData
from idleq.workloads.cgan.sampling import sample as sample_gan
from idleq.workloads.cgan.state import GanState
from idleq.workloads.cgan.step import train_step as gan_step
from idleq.workloads.checkpoint import Checkpoint
from idleq.workloads.classifier.config import TrainConfig as ClassifierConfig
from idleq.workloads.classifier.data import Events, TrainingData
from idleq.workloads.classifier.state import ClassifierState
from idleq.workloads.classifier.step import scores_of
from idleq.workloads.classifier.step import train_step as classifier_step
from idleq.workloads.cvae.config import TrainConfig as VaeConfig
from idleq.workloads.cvae.config import Variant as VaeVariant
from idleq.workloads.cvae.data import TrainingData as VaeData
from idleq.workloads.cvae.sampling import sample as sample_images
from idleq.workloads.cvae.state import VaeState
from idleq.workloads.cvae.step import train_step as vae_step
from idleq.workloads.errors import MissingDevice
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import Dataset, equal_classes
from idleq.workloads.todgan.config import TodTrainConfig, Variant
from idleq.workloads.todgan.data import Scale, TrainingTods
from idleq.workloads.todgan.looking import look_at
from idleq.workloads.todgan.models import GENERATORS
from idleq.workloads.todgan.sampling import sample as sample_tods
from idleq.workloads.todgan.state import begin as begin_tods
from idleq.workloads.todgan.step import train_step as tod_step
from idleq.workloads.tods.simulation import Tods, simulate_block
from idleq.workloads.training.device import CPU, device_of, find_device
from idleq.workloads.training.dropout import Dropout
from idleq.workloads.training.options import Device
from idleq.workloads.training.precision import Precision
from idleq.workloads.training.state import TrainingState
from support.pretended import NAME, OnDevice, pretended_gpu

STEPS, FROZEN_AT = 6, 3

Step = Callable[[], dict[str, float]]


@dataclass(frozen=True)
class Made:
    """Made-up data of every kind."""

    images: Dataset
    tods: Tods
    apart: Tods


@pytest.fixture(scope="module")
def made(made_up: Dataset, one_thread: None) -> Made:  # noqa: ARG001 - wanted for what it does
    return Made(made_up, tods=simulate_block([1], "balanced", 0, 30), apart=simulate_block([2], "balanced", 0, 153))


def classifying(made: Made, device: torch.device) -> tuple[TrainingState, Step]:
    count = len(made.images.images)
    is_gamma = np.arange(count) < count // 2
    events = Events(made.images.images, is_gamma, np.arange(count), parameters=np.zeros((count, 1)))
    data = TrainingData(learn=events, validate=events, measure=events, digest="made up")
    config = ClassifierConfig(steps=STEPS, events=count // 2, validated=50, judged=50, batch=20, width=4, look_every=2)
    state = ClassifierState.begin(config, data, Camera.load(), device)
    return state, lambda: classifier_step(state, config, data)


def adversaries(variant: GanVariant, made: Made, device: torch.device) -> tuple[TrainingState, Step]:
    size = GanSize(variant=variant, latent=16, width=4)
    config = GanConfig(steps=STEPS, events=len(made.images.images), batch=20, model=size, look_every=2)
    camera = Camera.load()
    data = GanData.prepare(made.images, camera, variant, device)
    state = GanState.begin(config, data, camera, device)
    return state, lambda: gan_step(state, config, data, camera)


def encoding(variant: VaeVariant, made: Made, device: torch.device) -> tuple[TrainingState, Step]:
    config = VaeConfig(
        steps=STEPS, events=len(made.images.images), batch=20, latent=4, width=8, look_every=2, variant=variant
    )
    data = VaeData.prepare(made.images, Camera.load(), device)
    state = VaeState.begin(config, data, device)
    return state, lambda: vae_step(state, config, data)


def on_tods(variant: Variant, made: Made, device: torch.device) -> tuple[TrainingState, Step]:
    config = TodTrainConfig(variant=variant, steps=STEPS, count=30, batch=10, alone_epochs=0, look_every=2)
    tods = TrainingTods.prepare(made.tods, "made up", device)
    state = begin_tods(config, tods, device)

    def step() -> dict[str, float]:
        metrics = tod_step(state, config, *tods.batch(state.order.next()))
        look_at(state, config, tods.scale, made.apart)
        return metrics

    return state, step


BEGIN: dict[str, Callable[[Made, torch.device], tuple[TrainingState, Step]]] = {
    "classifier": classifying,
    "cvae": partial(encoding, VaeVariant.BELL),
    "plain cvae": partial(encoding, VaeVariant.PLAIN),
    "cgan": partial(adversaries, GanVariant.BELL),
    "convolutional cgan": partial(adversaries, GanVariant.CONVOLUTIONAL),
    **{variant: partial(on_tods, variant) for variant in Variant},
}

KINDS = pytest.mark.parametrize("kind", BEGIN)


def go_on(state: TrainingState, step: Step, until: int) -> None:
    state.say_where()
    while state.step < until:
        state.history.add(state.step, step())


def parts_of(state: TrainingState) -> dict[str, bytes]:
    """Everything but where it was computed."""
    devices, state.history.devices = state.history.devices, []
    parts = state.parts()
    state.history.devices = devices
    return parts


@pytest.fixture(scope="module")
def on_the_cpu(made: Made) -> Callable[[str], tuple[Checkpoint, dict[str, bytes]]]:
    """Of each kind a checkpoint in the middle, and what it leads to."""
    done: dict[str, tuple[Checkpoint, dict[str, bytes]]] = {}

    def both(kind: str) -> tuple[Checkpoint, dict[str, bytes]]:
        if kind not in done:
            state, step = BEGIN[kind](made, CPU)
            go_on(state, step, FROZEN_AT)
            middle = Checkpoint(kind="test", step=state.step, identity={}, parts=state.parts())
            go_on(state, step, STEPS)
            done[kind] = middle, parts_of(state)
        return done[kind]

    return both


@pytest.fixture
def gpu() -> Iterator[torch.device]:
    with pretended_gpu() as device:
        yield device


@KINDS
def test_a_training_does_the_same_on_a_gpu(
    kind: str, made: Made, on_the_cpu: Callable[[str], tuple[Checkpoint, dict[str, bytes]]]
) -> None:
    """No tensor is on the wrong device, none is drawn there, and its checkpoints hold tensors of the CPU."""
    middle, end = on_the_cpu(kind)
    with pretended_gpu() as gpu:
        state, step = BEGIN[kind](made, gpu)
        models = [part for name in state.OWN_PARTS if isinstance(part := state._own(name), nn.Module)]
        assert {device_of(model) for model in models} == {gpu}
        go_on(state, step, FROZEN_AT)
        assert {**state.parts(), "history": b""} == {**middle.parts, "history": b""}
        go_on(state, step, STEPS)
    assert parts_of(state) == end


@KINDS
def test_a_training_goes_on_on_another_device_and_its_history_says_so(
    kind: str,
    made: Made,
    on_the_cpu: Callable[[str], tuple[Checkpoint, dict[str, bytes]]],
) -> None:
    middle, end = on_the_cpu(kind)
    with pretended_gpu() as gpu:
        state, step = BEGIN[kind](made, gpu)
        state.restore(middle)
        go_on(state, step, STEPS - 1)
        later = Checkpoint(kind="test", step=state.step, identity={}, parts=state.parts())
    state, step = BEGIN[kind](made, CPU)
    state.restore(later)
    go_on(state, step, STEPS)
    assert parts_of(state) == end
    assert state.history.devices == ["cpu", f"cuda ({NAME})", "cpu"]


@pytest.mark.parametrize("variant", GanVariant)
def test_an_adversarys_images_are_the_same_from_a_gpu(variant: GanVariant, made: Made) -> None:
    state, _ = adversaries(variant, made, CPU)
    assert isinstance(state, GanState)
    there = sample_gan(state.average, equal_classes(20), torch.Generator().manual_seed(1))
    with pretended_gpu() as gpu:
        drawn = sample_gan(state.average.to(gpu), equal_classes(20), torch.Generator().manual_seed(1))
    assert (drawn.images.tobytes(), drawn.first) == (there.images.tobytes(), there.first)


@pytest.mark.parametrize("variant", VaeVariant)
def test_images_are_the_same_from_a_gpu(variant: VaeVariant, made: Made) -> None:
    camera, classes = Camera.load(), equal_classes(20)
    state, _ = encoding(variant, made, CPU)
    assert isinstance(state, VaeState)
    there = sample_images(state.average, camera, classes, torch.Generator().manual_seed(1))
    with pretended_gpu() as gpu:
        drawn = sample_images(state.average.to(gpu), camera, classes, torch.Generator().manual_seed(1))
    assert (drawn.images.tobytes(), drawn.first) == (there.images.tobytes(), there.first)


@pytest.mark.parametrize("variant", Variant)
def test_tods_are_the_same_from_a_gpu(variant: Variant, made: Made) -> None:
    generator, scale = GENERATORS[variant]().eval(), Scale(offset_w=1e-17, width_w=1e-18)
    there = sample_tods(generator, scale, made.tods.hits, torch.Generator().manual_seed(1))
    with pretended_gpu() as gpu:
        drawn = sample_tods(generator.to(gpu), scale, made.tods.hits, torch.Generator().manual_seed(1))
    assert drawn.tobytes() == there.tobytes()


def test_a_judge_scores_the_same_on_a_gpu(made: Made) -> None:
    state, _ = classifying(made, CPU)
    assert isinstance(state, ClassifierState)
    there = scores_of(state.average, made.images.images)
    with pretended_gpu() as gpu:
        assert scores_of(state.average.to(gpu), made.images.images).tobytes() == there.tobytes()


def test_what_lies_on_the_wrong_device_is_found(gpu: torch.device) -> None:
    """What all of the above rests on."""
    layer = nn.Linear(3, 2).to(gpu)
    with pytest.raises(RuntimeError, match="are on the CPU, and others are on the device"):
        layer(torch.zeros(4, 3))
    with pytest.raises(RuntimeError, match="draws random numbers on the device"):
        nn.functional.dropout(torch.zeros(4, 3).to(gpu))
    with pytest.raises(RuntimeError, match="numpy"):
        layer.weight.detach().numpy()
    bias = layer.bias.detach()
    assert isinstance(bias, OnDevice)
    assert save({"bias": bias.cpu()}) == save({"bias": bias.held})


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.usefixtures("one_thread")
def test_dropout_on_the_cpu_is_that_of_torch(precision: torch.dtype) -> None:
    values = torch.randn(50, 30).to(precision)
    torch.manual_seed(3)
    ours, after = Dropout(0.2)(values), torch.randn(2)
    torch.manual_seed(3)
    assert torch.equal(ours, nn.Dropout(0.2)(values))
    assert torch.equal(after, torch.randn(2))
    assert torch.equal(Dropout(0.2).eval()(values), values)


def test_layers_on_a_gpu_are_evaluated_in_the_numbers_that_were_asked_for() -> None:
    # torch itself leaves it out, with a warning, where it finds no GPU.
    with pytest.warns(UserWarning, match="CUDA is not available"):
        lowered = Precision.BFLOAT16.autocast("cuda")
    assert (lowered.device, lowered.fast_dtype) == ("cuda", torch.bfloat16)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_auto_is_the_cpu_where_there_is_no_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert find_device(Device.AUTO) == find_device(Device.CPU) == CPU
    assert capsys.readouterr().err == "computing on cpu\n" * 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("job", ["train-cvae", "train-classifier", "train-todgan"])
def test_a_gpu_that_is_not_there_is_named_with_what_to_do(
    job: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([job, "--quick", "--device", "cuda", "--output", str(tmp_path)]) == MissingDevice.exit_code
    said = capsys.readouterr().err
    assert "--device cuda: torch finds no GPU: " in said
    assert "or give --device cpu" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_job_that_was_given_no_gpu_is_told_how_to_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert cli.main(["train-cvae", "--device", "cuda", "--output", str(tmp_path)]) == MissingDevice.exit_code
    assert "ask for one with idleq submit --gpus 1" in capsys.readouterr().err
