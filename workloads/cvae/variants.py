"""The models by the name of their variant."""

from collections.abc import Mapping

from torch import Tensor

from idleq.workloads.cvae.bell import BellModel
from idleq.workloads.cvae.config import Variant
from idleq.workloads.cvae.model import Model, ModelSize
from idleq.workloads.cvae.plain import PlainModel

MODELS: Mapping[Variant, type[BellModel] | type[PlainModel]] = {
    Variant.BELL: BellModel,
    Variant.PLAIN: PlainModel,
}


def build(size: ModelSize, log_quantiles: Tensor) -> Model:
    """A new model of this size and variant."""
    return MODELS[size.variant](size, log_quantiles)
