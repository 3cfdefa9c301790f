"""The generators, by the name of their variant."""

from torch import nn

from idleq.workloads.todgan.conditional import ConditionalGenerator
from idleq.workloads.todgan.config import Variant
from idleq.workloads.todgan.slides import SlidesGenerator
from idleq.workloads.todgan.vae import Decoder

Generator = SlidesGenerator | ConditionalGenerator | Decoder

GENERATORS: dict[Variant, type[Generator]] = {
    Variant.SLIDES: SlidesGenerator,
    Variant.CONDITIONAL: ConditionalGenerator,
    Variant.VAE: Decoder,
}


def parameters(model: nn.Module) -> int:
    """How many numbers of *model* are trained."""
    return sum(values.numel() for values in model.parameters() if values.requires_grad)
