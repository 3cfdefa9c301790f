"""Time-ordered data: how fast TODs are simulated, learned from and generated on one core, by the processor's own time."""

import os
import resource
import time

import numpy as np

from bench.row import Row
from idleq.workloads.todgan.config import TodTrainConfig, Variant
from idleq.workloads.todgan.data import TrainingTods
from idleq.workloads.todgan.models import GENERATORS
from idleq.workloads.todgan.speed import seconds_per_tod
from idleq.workloads.todgan.state import begin
from idleq.workloads.todgan.step import train_step
from idleq.workloads.todjudge.production import PRODUCTION_GOAL, share_of_length
from idleq.workloads.tods.simulation import BLOCK_TODS, Tods, simulate_block
from idleq.workloads.training.device import use_one_thread_pool

WARM_STEPS, STEPS = 3, 12


def rows() -> list[Row]:
    """Each on one core; the generators are untrained, which costs the same."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    use_one_thread_pool(1)
    started = time.process_time()
    tods = simulate_block([1], "balanced", 0, BLOCK_TODS)
    simulating = BLOCK_TODS / (time.process_time() - started)
    found = [Row(name="TODs simulated, one core", value=simulating, unit="TODs/s", better="more")]
    data = TrainingTods.prepare(tods, "bench")
    for variant in Variant:
        found += [_learning(variant, tods), *_generating(variant, data)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [*found, Row(name="peak memory of all of this", value=memory, unit="MiB")]


def _learning(variant: Variant, tods: Tods) -> Row:
    data = TrainingTods.prepare(tods, "bench")
    config = TodTrainConfig(variant=variant, steps=WARM_STEPS + STEPS, count=len(tods), alone_epochs=0)
    state = begin(config, data)
    started = 0.0
    while state.step < config.steps:
        if state.step == WARM_STEPS:
            started = time.process_time()
        train_step(state, config, *data.batch(state.order.next()))
    rate = STEPS / (time.process_time() - started)
    return Row(name=f"{variant}: training steps of {config.batch} TODs", value=rate, unit="steps/s", better="more")


def _generating(variant: Variant, data: TrainingTods) -> list[Row]:
    seconds = float(np.median([seconds_per_tod(GENERATORS[variant]().eval(), data.scale) for _ in range(3)]))
    return [
        Row(name=f"{variant}: TODs generated, one core", value=1 / seconds, unit="TODs/s", better="more"),
        Row(name=f"{variant}: making a TOD, share of its length", value=share_of_length(seconds), unit="",
            target=PRODUCTION_GOAL),
    ]  # fmt: skip
