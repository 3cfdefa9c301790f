"""The generators that are trained and judged, and how much each is given; a new one is one more line of `MODELS`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Self, get_args

Kind = Literal["images", "tods"]
# The main models are trained and judged in the first hour. The classifier, the variants and the baselines have a second one;
# the main models from other seeds, which say what of a figure is luck, come last.
Part = Literal["main", "second", "seeds"]
PARTS: tuple[Part, ...] = get_args(Part)
KINDS: Mapping[Kind, str] = {"images": "images", "tods": "time-ordered data"}


class Size(NamedTuple):
    """A training: how many steps, and how many images or TODs to learn from."""

    steps: int
    examples: int


class Sizes(NamedTuple):
    """A training under each budget."""

    tiny: Size
    short: Size
    half: Size
    hour: Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A generator.

    Attributes:
        key: names its jobs, train-KEY, generate-KEY and evaluate-KEY, and its pictures.
        label: what people call it.
        kind: what it makes.
        workload: it is made by train-WORKLOAD, and makes by generate-WORKLOAD.
        options: of its training, beside its size.
        weights: the file that its training leaves.
        sizes: how much it is given.
        beside: the key of the main model that it is to be compared with; empty of a main model.
        role: what it is beside that one.
        part: whose time it takes.
    """

    key: str
    label: str
    kind: Kind
    workload: str
    options: tuple[str, ...] = ()
    weights: str
    sizes: Sizes
    beside: str = ""
    role: str = ""
    part: Part = "second"

    @property
    def is_main(self) -> bool:
        """Whether it is one of those that the first hour is for."""
        return self.part == "main"

    def again(self, seed: int) -> Self:
        """The same one, trained from another *seed*."""
        return replace(
            self,
            key=f"{self.key}-seed-{seed}",
            label=f"{self.label}, seed {seed}",
            options=(*self.options, "--seed", str(seed)),
            beside=self.key,
            role=f"seed {seed}",
            part="seeds",
        )


CGAN = Sizes(Size(20, 300), Size(1_500, 40_000), Size(4_000, 60_000), Size(6_000, 60_000))
# Each of its steps, of a quarter of the images, takes nearly as long.
CONVOLUTIONAL = Sizes(Size(20, 300), Size(1_500, 40_000), Size(4_000, 60_000), Size(8_000, 60_000))
CVAE = Sizes(Size(40, 300), Size(2_500, 40_000), Size(8_000, 60_000), Size(16_000, 60_000))
# One of the plain one's steps takes twice as long.
PLAIN = Sizes(Size(40, 300), Size(1_250, 40_000), Size(4_000, 60_000), Size(8_000, 60_000))
TODGAN = Sizes(Size(20, 128), Size(800, 5_000), Size(2_500, 20_000), Size(5_000, 20_000))
# The slides' discriminator learns alone for two epochs, which must be few steps of so few. One of their steps takes four
# times as long as one of the others'.
SLIDES = Sizes(Size(20, 128), Size(150, 1_000), Size(300, 2_000), Size(600, 2_000))
TODVAE = Sizes(Size(20, 128), Size(500, 5_000), Size(1_500, 20_000), Size(3_000, 20_000))

CGAN_WEIGHTS, CVAE_WEIGHTS, TODGAN_WEIGHTS = "generator.safetensors", "decoder.safetensors", "tod-generator.safetensors"

_MODELS: Sequence[Model] = (
    Model(key="cgan", label="cGAN", kind="images", workload="cgan", weights=CGAN_WEIGHTS, sizes=CGAN, part="main"),
    Model(key="cvae", label="cVAE", kind="images", workload="cvae", weights=CVAE_WEIGHTS, sizes=CVAE, part="main"),
    Model(
        key="todgan", label="TOD GAN", kind="tods", workload="todgan", options=("--variant", "conditional"),
        weights=TODGAN_WEIGHTS, sizes=TODGAN, part="main",
    ),
    Model(
        key="slides", label="slides' GAN", kind="tods", workload="todgan", options=("--variant", "slides"),
        weights=TODGAN_WEIGHTS, sizes=SLIDES, beside="todgan", role="baseline, the slides' own architecture",
    ),
    Model(
        key="todvae", label="TOD VAE", kind="tods", workload="todgan", options=("--variant", "vae"),
        weights=TODGAN_WEIGHTS, sizes=TODVAE, beside="todgan", role="variant",
    ),
    Model(
        key="cgan-convolutional", label="convolutional cGAN", kind="images", workload="cgan",
        options=("--variant", "convolutional"), weights=CGAN_WEIGHTS, sizes=CONVOLUTIONAL,
        beside="cgan", role="baseline, the paper's architecture",
    ),
    Model(
        key="cvae-plain", label="plain cVAE", kind="images", workload="cvae", options=("--variant", "plain"),
        weights=CVAE_WEIGHTS, sizes=PLAIN, beside="cvae", role="baseline, a plain one",
    ),
)  # fmt: skip

OTHER_SEEDS = (2, 3)

MODELS: Sequence[Model] = (*_MODELS, *(model.again(seed) for model in _MODELS if model.is_main for seed in OTHER_SEEDS))


def in_order(models: Sequence[Model], kind: Kind) -> list[Model]:
    """Those that make *kind*, each from its first seed: each main one, then those beside it."""
    chosen = [model for model in models if model.kind == kind and model.part != "seeds"]
    return [
        model
        for main in chosen
        if main.is_main
        for model in (main, *(other for other in chosen if other.beside == main.key))
    ]
