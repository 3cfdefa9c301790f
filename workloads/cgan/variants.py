"""The variants by their names; ARCHITECTURE.md says where the next one goes."""

from collections.abc import Mapping

from torch import Tensor

from idleq.workloads.cgan.bell import BellOpponents
from idleq.workloads.cgan.config import ModelSize, TrainConfig, Variant
from idleq.workloads.cgan.convolutional import ConvolutionalOpponents
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.models import Generator, Opponents
from idleq.workloads.iact.camera import Camera

OPPONENTS: Mapping[Variant, type[BellOpponents] | type[ConvolutionalOpponents]] = {
    Variant.BELL: BellOpponents,
    Variant.CONVOLUTIONAL: ConvolutionalOpponents,
}


def generator_of(size: ModelSize, camera: Camera, log_quantiles: Tensor) -> Generator:
    """A generator with new weights."""
    return OPPONENTS[size.variant].new_generator(size, camera, log_quantiles)


def opponents_of(config: TrainConfig, data: TrainingData, camera: Camera) -> Opponents:
    """Both networks with new weights."""
    return OPPONENTS[config.variant].begin(config, data, camera)
