"""One training step: the discriminator on real and synthetic images, then the generator, then its average."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, relu

from idleq.workloads.cgan.bell import BellGenerator, ToldDiscriminator
from idleq.workloads.cgan.config import TrainConfig
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.looking import distance
from idleq.workloads.cgan.recording import record
from idleq.workloads.cgan.state import GanState
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import CLASSES
from idleq.workloads.iact.scaling import to_network
from idleq.workloads.training.state import update_average

FEWEST_SEEN = 2

LEAST_SIZE = 20.0
"""What an image of which nothing is left counts as having, in photo-electrons."""

MOST_SLOPE = 20.0
"""By which one shower's numbers may move the loss: that of an image's moments has no bound where cleaning is near a far pixel."""


def train_step(state: GanState, config: TrainConfig, data: TrainingData, camera: Camera) -> dict[str, float]:
    """Advance *state* by one step."""
    rates = config.rates
    share = rates.share_at(state.step / config.steps)
    for optimiser, rate in (
        (state.generator_optimiser, rates.generator),
        (state.discriminator_optimiser, rates.discriminator),
    ):
        optimiser.param_groups[0]["lr"] = rate * share
    chosen = state.order.next()
    if isinstance(state.generator, BellGenerator) and isinstance(state.discriminator, ToldDiscriminator):
        told = data.told[torch.from_numpy(chosen)]
        metrics = told_step(state, state.generator, state.discriminator, config, told)
    else:
        metrics = hinge_step(state, config, *data.batch(chosen))
    # The beginning is soon forgotten.
    update_average(state.average, state.generator, min(rates.average_decay, (1 + state.step) / (10 + state.step)))
    state.step += 1
    if config.is_looked_at(state.step):
        kept_back = slice(config.trained_on, config.events)
        figure = distance(state.average, camera, data.told[kept_back], data.classes[kept_back])
        state.best.look(state.average, figure, state.step)
    return metrics


def told_step(
    state: GanState, generator: BellGenerator, discriminator: ToldDiscriminator, config: TrainConfig, told: Tensor
) -> dict[str, float]:
    """The logistic loss on what is *told* of real images (B, TOLD) and of what is recorded of made light.

    Goodfellow et al., arXiv:1406.2661; a discriminator that is steep at real images costs (R1 of Mescheder et al.,
    arXiv:1801.04406, section 4.1).
    """
    # --- what the camera records of made light; what does not trigger is left out, as it will be drawn again
    wanted = (torch.arange(config.batch) + state.python_random.randrange(CLASSES)) % CLASSES  # of each as many
    noise = generator.noise(config.batch)
    sizes = generator.sizes(noise, wanted.to(state.device))
    numbers = generator.numbers(noise, sizes)
    numbers.register_hook(_bounded)  # type: ignore[no-untyped-call] # torch leaves it untyped
    recorded = record(generator.light(numbers, noise, sizes), generator.response)
    seen = recorded.is_seen.nonzero()[:, 0]
    if len(seen) < FEWEST_SEEN:  # of a training at its beginning: a batch has no spread otherwise
        seen = torch.arange(config.batch).to(state.device)
    images, sizes = recorded.images[seen], sizes[seen]
    made = discriminator.told(images, recorded.lit[seen])

    # --- discriminator: real scores high, synthetic low, and not steeply
    real = discriminator.scaled(told).requires_grad_()
    real_score, made_score = discriminator(real), discriminator(made.detach())
    discriminator_loss = -logsigmoid(real_score).mean() - logsigmoid(-made_score).mean()
    (slopes,) = torch.autograd.grad(real_score.sum(), real, create_graph=True)
    steepness = slopes.square().sum(dim=1).mean() / 2
    state.discriminator_optimiser.zero_grad()
    (discriminator_loss + config.smoothness * steepness).backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    state.discriminator_optimiser.step()

    # --- generator: the same images should score high with the discriminator as it is now, and be of the size drawn
    discriminator.requires_grad_(requires_grad=False)
    generator_loss = -logsigmoid(discriminator(made)).mean()
    measured = images.sum(dim=1).clamp(min=LEAST_SIZE)
    missed = (torch.log(measured) - torch.log(sizes)).square().mean()
    state.generator_optimiser.zero_grad()
    (generator_loss + config.size_weight * missed).backward()  # type: ignore[no-untyped-call] # as above
    state.generator_optimiser.step()
    discriminator.requires_grad_(requires_grad=True)
    return {
        "generator_loss": generator_loss.item(),
        "discriminator_loss": discriminator_loss.item(),
        "size_missed": missed.item(),
    }


def hinge_step(state: GanState, config: TrainConfig, maps: Tensor, classes: Tensor) -> dict[str, float]:
    """The hinge loss on real *maps* (B, 1, 32, 32) with their *classes* (B,), and on synthetic ones."""
    # --- discriminator: real above +1, synthetic below -1
    noise, wanted = draw(state, config)
    with config.precision.autocast(state.device.type):
        synthetic = to_network(state.generator(noise, wanted))  # (B, 1, 32, 32)
        real_score = state.discriminator(maps, classes)  # (B,)
        synthetic_score = state.discriminator(synthetic.detach(), wanted)
        discriminator_loss = relu(1 - real_score).mean() + relu(1 + synthetic_score).mean()
    state.discriminator_optimiser.zero_grad()
    discriminator_loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    state.discriminator_optimiser.step()

    # --- generator: the same images should score high with the discriminator as it is now
    state.discriminator.requires_grad_(requires_grad=False)
    with config.precision.autocast(state.device.type):
        generator_loss = -state.discriminator(synthetic, wanted).mean()
    state.generator_optimiser.zero_grad()
    generator_loss.backward()
    state.generator_optimiser.step()
    state.discriminator.requires_grad_(requires_grad=True)
    return {"generator_loss": generator_loss.item(), "discriminator_loss": discriminator_loss.item()}


def draw(state: GanState, config: TrainConfig) -> tuple[Tensor, Tensor]:
    """Noise (B, latent) and the classes (B,) that the generator is asked for."""
    wanted = torch.tensor([state.python_random.randrange(CLASSES) for _ in range(config.batch)])
    return torch.randn(config.batch, state.generator.latent).to(state.device), wanted.to(state.device)


def _bounded(slopes: Tensor) -> Tensor:
    """No shower's slope (B, numbers) is longer than MOST_SLOPE over the batch."""
    length = slopes.norm(dim=1, keepdim=True).clamp(min=1e-12)
    bounded: Tensor = slopes * (MOST_SLOPE / len(slopes) / length).clamp(max=1)
    return bounded
