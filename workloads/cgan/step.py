"""One training step: the discriminator on real and synthetic images, then the generator, then its average."""

from idleq.workloads.cgan.config import TrainConfig
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.looking import distance
from idleq.workloads.cgan.state import GanState
from idleq.workloads.iact.camera import Camera
from idleq.workloads.training.stepping import decay_at, descend, update_average


def train_step(state: GanState, config: TrainConfig, data: TrainingData, camera: Camera) -> dict[str, float]:
    """Advance *state* by one step."""
    rates = config.rates
    share = rates.share_at(state.step / config.steps)
    for optimiser, rate in (
        (state.generator_optimiser, rates.generator),
        (state.discriminator_optimiser, rates.discriminator),
    ):
        optimiser.param_groups[0]["lr"] = rate * share
    meeting = state.opponents.meet(config, data, state.order.next(), state.python_random)
    loss, seen = meeting.discriminator_loss()
    descend(loss, state.discriminator_optimiser)
    # The same images should score high with the discriminator as it is now.
    state.discriminator.requires_grad_(requires_grad=False)
    loss, made = meeting.generator_loss()
    descend(loss, state.generator_optimiser)
    state.discriminator.requires_grad_(requires_grad=True)
    update_average(state.average, state.generator, decay_at(state.step, rates.average_decay))
    state.step += 1
    if config.is_looked_at(state.step):
        kept_back = slice(config.trained_on, config.events)
        figure = distance(state.average, camera, data.told[kept_back], data.classes[kept_back])
        state.best.look(state.average, figure, state.step)
    return {name: value.item() for name, value in {**seen, **made}.items()}
