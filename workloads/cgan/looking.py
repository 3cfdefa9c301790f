"""How near a generator is to events that are kept from training: by what it is chosen."""

import numpy as np
import torch

from idleq.workloads.cgan.models import Generator
from idleq.workloads.cgan.sampling import sample
from idleq.workloads.cgan.telling import told_of
from idleq.workloads.iact.camera import Camera
from idleq.workloads.judging.measures import ks

# Random numbers of its own: how often a training looks must not change what it learns.
SEED = 20_261_128


def distance(generator: Generator, camera: Camera, told: torch.Tensor, classes: torch.Tensor) -> float:
    """The mean over all that is told of images of the distance (KS) between made ones and true ones (n, TOLD); lower is better."""
    drawn = sample(generator, classes.cpu().numpy(), torch.Generator().manual_seed(SEED))
    made = told_of(torch.from_numpy(drawn.images), torch.from_numpy(camera.to_unit()).float())
    distances = [ks(one.numpy(), other.numpy()) for one, other in zip(made.T, told.cpu().T, strict=True)]
    return float(np.mean(distances))
