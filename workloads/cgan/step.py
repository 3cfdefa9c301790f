"""One training step: the discriminator on real and synthetic images, then the generator, then its average."""

import torch
from torch import Tensor
from torch.nn.functional import relu

from idleq.workloads.cgan.config import TrainConfig
from idleq.workloads.cgan.state import GanState
from idleq.workloads.iact.dataset import CLASSES
from idleq.workloads.iact.scaling import to_network
from idleq.workloads.training.state import update_average


def train_step(state: GanState, config: TrainConfig, maps: Tensor, classes: Tensor) -> dict[str, float]:
    """Advance *state* by one step on a batch of real *maps* (B, 1, 32, 32) with their *classes* (B,)."""
    # --- discriminator: real above +1, synthetic below -1 (hinge loss)
    noise, wanted = draw(state, config)
    with config.precision.autocast():
        synthetic = to_network(state.generator(noise, wanted))  # (B, 1, 32, 32)
        real_score = state.discriminator(maps, classes)  # (B,)
        synthetic_score = state.discriminator(synthetic.detach(), wanted)
        discriminator_loss = relu(1 - real_score).mean() + relu(1 + synthetic_score).mean()
    state.discriminator_optimiser.zero_grad()
    discriminator_loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    state.discriminator_optimiser.step()

    # --- generator: the same images should score high with the discriminator as it is now
    state.discriminator.requires_grad_(requires_grad=False)
    with config.precision.autocast():
        generator_loss = -state.discriminator(synthetic, wanted).mean()
    state.generator_optimiser.zero_grad()
    generator_loss.backward()
    state.generator_optimiser.step()
    state.discriminator.requires_grad_(requires_grad=True)

    update_average(state.average, state.generator, config.average_decay)
    state.step += 1
    return {"generator_loss": generator_loss.item(), "discriminator_loss": discriminator_loss.item()}


def draw(state: GanState, config: TrainConfig) -> tuple[Tensor, Tensor]:
    """Noise (B, latent) and the classes (B,) that the generator is asked for."""
    wanted = torch.tensor([state.python_random.randrange(CLASSES) for _ in range(config.batch)])
    return torch.randn(config.batch, config.latent), wanted
