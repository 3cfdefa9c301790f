"""A training in bfloat16 learns, goes on exactly, keeps float32 where it must, and is never mixed with one in float32."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("safetensors", reason="the train extra is not installed")
pytest.importorskip("h5py", reason="the train extra is not installed")

import torch
from safetensors.torch import save
from torch import Tensor, nn

from idleq.workloads import cli
from idleq.workloads.cgan.config import USUAL, ModelSize
from idleq.workloads.cgan.config import TrainConfig as GanConfig
from idleq.workloads.cgan.config import Variant as GanVariant
from idleq.workloads.cgan.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from idleq.workloads.cgan.data import TrainingData as GanData
from idleq.workloads.cgan.state import GanState
from idleq.workloads.cgan.step import train_step as gan_step
from idleq.workloads.checkpoint import Checkpoint, CheckpointStore
from idleq.workloads.classifier.config import TrainConfig as ClassifierConfig
from idleq.workloads.classifier.data import Events, TrainingData
from idleq.workloads.classifier.model import Classifier
from idleq.workloads.classifier.model import ModelSize as ClassifierSize
from idleq.workloads.classifier.state import ClassifierState
from idleq.workloads.classifier.step import train_step as classifier_step
from idleq.workloads.errors import BadOption, CheckpointRefused
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import Dataset
from idleq.workloads.iact.sizing import size_in_class
from idleq.workloads.todgan.config import TodTrainConfig, Variant
from idleq.workloads.todgan.data import TrainingTods
from idleq.workloads.todgan.slides import ChannelNorm, SlidesDiscriminator, SlidesGenerator
from idleq.workloads.todgan.state import begin
from idleq.workloads.todgan.step import train_step as tod_step
from idleq.workloads.todgan.vae import Decoder, Encoder
from idleq.workloads.tods.simulation import simulate_block
from idleq.workloads.training.precision import Precision
from idleq.workloads.training.state import TrainingState

STEPS, FROZEN_AT = 6, 4
LOW, HIGH = Precision.BFLOAT16, Precision.FLOAT32

CONVOLUTIONAL = ModelSize(variant=GanVariant.CONVOLUTIONAL, latent=8, width=4)

Step = Callable[[], dict[str, float]]


@dataclass(frozen=True)
class Training:
    """How a training of so many steps begins, what a step of it is, and which loss falls in how many of them."""

    begin: Callable[[Precision, int], tuple[TrainingState, Step]]
    loss: str
    falls_in: int = 30


@pytest.fixture(scope="module")
def trainings(made_up: Dataset, one_thread: None) -> dict[str, Training]:  # noqa: ARG001 - wanted for what it does
    camera = Camera.load()
    maps = GanData.prepare(made_up, camera, GanVariant.CONVOLUTIONAL)
    count = len(made_up.images)
    events = Events(
        images=made_up.images,
        is_gamma=np.arange(count) < count // 2,
        rows=np.arange(count),
        parameters=np.zeros((count, 1)),
    )
    images = TrainingData(learn=events, validate=events, measure=events, digest="made up")
    tods = TrainingTods.prepare(simulate_block([1], "balanced", 0, 33), "made up")

    def gan(precision: Precision, steps: int) -> tuple[TrainingState, Step]:
        config = GanConfig(steps=steps, events=count, batch=16, model=CONVOLUTIONAL, seed=7, precision=precision)
        state = GanState.begin(config, maps, camera)
        return state, lambda: gan_step(state, config, maps, camera)

    def classifier(precision: Precision, steps: int) -> tuple[TrainingState, Step]:
        config = ClassifierConfig(
            steps=steps, events=count // 2, validated=50, judged=50, batch=20, width=4, seed=7, precision=precision
        )
        state = ClassifierState.begin(config, images, camera)
        return state, lambda: classifier_step(state, config, images)

    def tod(variant: Variant) -> Callable[[Precision, int], tuple[TrainingState, Step]]:
        def one(precision: Precision, steps: int) -> tuple[TrainingState, Step]:
            config = TodTrainConfig(
                variant=variant, steps=steps, count=30, batch=10, seed=7, alone_epochs=0, precision=precision
            )
            state = begin(config, tods)
            return state, lambda: tod_step(state, config, *tods.batch(state.order.next()))

        return one

    return {
        "gan": Training(gan, "discriminator_loss", falls_in=14),
        "classifier": Training(classifier, "loss"),
        "slides": Training(tod(Variant.SLIDES), "discriminator_loss"),
        "vae": Training(tod(Variant.VAE), "likelihood", falls_in=90),
    }


KINDS = pytest.mark.parametrize("kind", ["gan", "classifier", "slides", "vae"])


def networks_of(state: TrainingState) -> dict[str, Tensor]:
    """All weights and statistics."""
    parts = {name: state._own(name) for name in state.OWN_PARTS}
    models = {name: part for name, part in parts.items() if isinstance(part, nn.Module)}
    return {f"{name}.{key}": value for name, part in models.items() for key, value in part.state_dict().items()}


@KINDS
def test_a_training_in_bfloat16_goes_on_exactly(trainings: dict[str, Training], kind: str) -> None:
    state, step = trainings[kind].begin(LOW, STEPS)
    for _ in range(FROZEN_AT):
        step()
    checkpoint = Checkpoint(kind="test", step=state.step, identity={}, parts={**state.parts()})
    for _ in range(STEPS - FROZEN_AT):
        step()
    again, step = trainings[kind].begin(LOW, STEPS)
    again.restore(checkpoint)
    for _ in range(STEPS - FROZEN_AT):
        step()
    assert save(networks_of(again)) == save(networks_of(state))


@KINDS
def test_its_weights_are_float32_and_others_than_those_of_float32(trainings: dict[str, Training], kind: str) -> None:
    found = {}
    for precision in Precision:
        state, step = trainings[kind].begin(precision, STEPS)
        step()
        found[precision] = networks_of(state)
    assert {value.dtype for value in found[LOW].values()} == {value.dtype for value in found[HIGH].values()}
    assert torch.bfloat16 not in {value.dtype for value in found[LOW].values()}
    assert save(found[LOW]) != save(found[HIGH])


@KINDS
def test_it_learns_as_float32_does(trainings: dict[str, Training], kind: str) -> None:
    """Over a few steps the two differ by what rounding explains, and both learn."""
    training, losses = trainings[kind], {}
    for precision in Precision:
        _, step = training.begin(precision, training.falls_in)
        losses[precision] = [step()[training.loss] for _ in range(training.falls_in)]
    for one in losses.values():
        assert np.mean(one[-training.falls_in // 6 :]) < np.mean(one[: training.falls_in // 6])
    assert losses[LOW][:5] == pytest.approx(losses[HIGH][:5], rel=0.03)


def test_light_is_counted_in_float32(training_data: GanData) -> None:
    """A shape's parts sum to one, which they would not in bfloat16."""
    torch.manual_seed(1)
    generator = ConvolutionalGenerator(CONVOLUTIONAL, Camera.load(), training_data.log_quantiles)
    noise, classes = torch.randn(50, 8), torch.arange(50) % 10
    with LOW.autocast():
        light = generator(noise, classes)
    wanted = size_in_class(training_data.log_quantiles, classes, torch.special.ndtr(noise[:, 0]))
    assert light.sum(dim=(1, 2, 3)).detach().numpy() == pytest.approx(wanted.numpy(), rel=1e-5)


def test_a_normalisation_over_channels_loses_no_more_than_its_input_has_lost() -> None:
    maps = torch.randn(4, 8, 50, generator=torch.Generator().manual_seed(1)).bfloat16()
    assert torch.equal(ChannelNorm(8)(maps), ChannelNorm(8)(maps.float()))


def test_what_networks_give_is_float32() -> None:
    hits, tods = torch.zeros(4, dtype=torch.long), torch.randn(4, 1060)
    with LOW.autocast():
        given = [
            ConvolutionalDiscriminator(CONVOLUTIONAL)(torch.randn(4, 1, 32, 32), hits),
            Classifier(ClassifierSize(width=2), Camera.load())(torch.rand(4, 609)),
            SlidesGenerator()((torch.randn(4, 100),), hits),
            SlidesDiscriminator()(tods, hits),
            Decoder().mean(torch.randn(4, 64), hits),
            *Encoder()(tods, hits),
        ]
    assert {value.dtype for value in given} == {torch.float32}


@pytest.mark.parametrize(
    ("argv", "identity"),
    [
        (
            ("train-cgan", "--quick", "--variant", "convolutional"),
            GanConfig(steps=600, events=12_000, batch=64, model=USUAL[GanVariant.CONVOLUTIONAL].model).identity(),
        ),
        (
            ("train-classifier", "--quick"),
            ClassifierConfig(steps=1_000, events=6_000, validated=2_000, judged=3_000).identity(),
        ),
        (
            ("train-todgan", "--quick", "--variant", "vae"),
            {
                **TodTrainConfig(variant=Variant.VAE, steps=500, count=2_000, looked_at=600).identity(),
                "hits": "balanced",
            },
        ),
    ],
)
def test_a_checkpoint_of_another_precision_is_refused_and_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], identity: dict[str, object]
) -> None:
    store = CheckpointStore(tmp_path / ".checkpoints")
    store.save(Checkpoint(kind=argv[0], step=3, identity=identity, parts={"progress.jsonl": b""}))
    code = cli.main([*argv, "--precision", "bfloat16", "--output", str(tmp_path)])
    assert code == CheckpointRefused.exit_code
    assert 'made with precision = "float32", this job has "bfloat16"' in capsys.readouterr().err
    assert store.load() is not None


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("train-todgan", "--variant", "conditional"), "--precision bfloat16 is not for the conditional variant"),
        (("train-cgan",), "--precision bfloat16 is for --variant convolutional only"),
    ],
)
def test_variants_that_have_to_be_exact_are_refused_in_bfloat16(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], said: str
) -> None:
    assert cli.main([*argv, "--precision", "bfloat16", "--output", str(tmp_path / "o")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_another_precision_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train-cgan", "--precision", "float16", "--output", "o"]) == BadOption.exit_code
    assert "--precision must be one of float32, bfloat16, not float16" in capsys.readouterr().err
