"""Either variant's networks."""

from torch import Tensor

from idleq.workloads.cgan.bell import BellGenerator, ToldDiscriminator
from idleq.workloads.cgan.config import ModelSize, Variant
from idleq.workloads.cgan.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from idleq.workloads.iact.camera import Camera

Generator = BellGenerator | ConvolutionalGenerator
Discriminator = ToldDiscriminator | ConvolutionalDiscriminator


def generator_of(size: ModelSize, camera: Camera, log_quantiles: Tensor) -> Generator:
    """A generator with new weights."""
    kind = BellGenerator if size.variant is Variant.BELL else ConvolutionalGenerator
    return kind(size, camera, log_quantiles)
