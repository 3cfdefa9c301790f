"""Given files as what a classifier learns from, sets its cut by and is measured by: three sets without a shower in common."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from idleq.workloads.classifier.config import FULL
from idleq.workloads.classifier.data import Events, TrainingData
from idleq.workloads.errors import BadOption
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import Dataset
from idleq.workloads.iact.given import ORDER_SEED, PARTICLES, EventsFile, Pool, origin_of
from idleq.workloads.messages import say

# Splits that no judge may learn from -> what they are for.
NOT_FOR_JUDGES = {
    "held-out": "beside which it judges generated images",
    "train": "from which generators learn",
}

Numbers = npt.NDArray[np.int64]

# Role -> the option that says how many events of each particle; it is also the split that simulate-showers has for it.
# Showers are dealt in this order, first to those for which a number was asked for; the last one gets the rest.
OPTIONS = {"held-out": "judged", "validation": "validated", "judge": "events"}


def divided(files: Sequence[EventsFile], wanted: Mapping[str, int | None], camera: Camera) -> TrainingData:
    """The data of *files* with *wanted* events of each particle for each role (None = as many as there are)."""
    is_by_split = _is_by_split(files)
    sets: dict[str, list[Dataset]] = {role: [] for role in OPTIONS}
    pools = {particle: _pool(files, particle) for particle in PARTICLES}
    deal = _deal_splits if is_by_split else _deal_showers
    dealt = {particle: deal(pool, wanted) for particle, pool in pools.items()}
    for role, option in OPTIONS.items():
        count = _count(role, option, wanted[role], {particle: len(dealt[particle][role]) for particle in PARTICLES})
        for particle in PARTICLES:
            sets[role].append(pools[particle].dataset(dealt[particle][role][:count]))
        say(f"{count} gammas and as many hadrons {_PURPOSE[role]}")
    found = {role: Events.of(gammas, hadrons, camera) for role, (gammas, hadrons) in sets.items()}
    return TrainingData(
        learn=found["judge"],
        validate=found["validation"],
        measure=found["held-out"],
        digest=" ".join(dataset.digest for role in reversed(OPTIONS) for dataset in sets[role]),
        origin=origin_of(files),
    )


_PURPOSE = {"judge": "to learn from", "validation": "to set the cut by", "held-out": "to measure by"}


def _is_by_split(files: Sequence[EventsFile]) -> bool:
    """Whether the files say themselves what each is for."""
    splits = {file.facts.split for file in files}
    if splits == set(OPTIONS):
        return True
    if splits <= NOT_FOR_JUDGES.keys() and len(splits) == 1:
        (split,) = splits
        raise BadOption(
            f"--images is of the split {split}, {NOT_FOR_JUDGES[str(split)]}; a judge that has learnt from these would know them"
            f" again: give files of the splits {', '.join(sorted(OPTIONS))} together, or of judge alone"
        )
    if len(splits) > 1:
        named = ", ".join(sorted(split or "none" for split in splits))
        raise BadOption(
            f"--images mixes files of the splits {named}; give those of judge alone, which are divided by their showers, or those of"
            f" {', '.join(sorted(OPTIONS))} together"
        )
    return False


def _pool(files: Sequence[EventsFile], particle: str) -> Pool:
    chosen = [file for file in files if file.facts.particle == particle]
    if not chosen:
        raise BadOption(
            f"--images has no {particle}s among its {len(files)} files; a classifier needs gammas and hadrons (--particle of"
            " simulate-showers and of ingest says which a file holds)"
        )
    return Pool.of(chosen)


def _deal_splits(pool: Pool, _wanted: Mapping[str, int | None]) -> dict[str, Numbers]:
    """The events of each role, where each file has one."""
    splits = np.concatenate([np.repeat(str(file.facts.split), len(file.images)) for file in pool.files])
    order = np.random.default_rng(ORDER_SEED).permutation(len(splits))
    return {role: order[splits[order] == role] for role in OPTIONS}


def _deal_showers(pool: Pool, wanted: Mapping[str, int | None]) -> dict[str, Numbers]:
    """The events of each role: whole showers, as many as give the events that are wanted, or the usual shares."""
    showers, shower_of = np.unique(pool.rows, return_inverse=True)
    place = np.random.default_rng(ORDER_SEED).permutation(len(showers))[shower_of]
    order = np.argsort(place, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(place[order])) + 1, len(order))  # after the last event of each shower
    in_turn = sorted(OPTIONS, key=lambda role: wanted[role] is None)
    dealt, start = {}, 0
    for number, role in enumerate(in_turn):
        count, others = wanted[role], sum(FULL[OPTIONS[other]] for other in in_turn[number:])
        share = (len(order) - start) * FULL[OPTIONS[role]] // others if count is None else count
        shower = len(ends) - 1 if role == in_turn[-1] else int(np.searchsorted(ends, start + share))
        end = int(ends[min(shower, len(ends) - 1)])
        dealt[role], start = order[start:end], end
    return dealt


def _count(role: str, option: str, wanted: int | None, there: Mapping[str, int]) -> int:
    most = min(there.values())
    if wanted is not None and wanted > most:
        counted = " and ".join(f"{count} {particle}s" for particle, count in there.items())
        raise BadOption(
            f"--images leaves {counted} {_PURPOSE[role]}, fewer than --{option} {wanted}; give more files, or ask for fewer"
        )
    return most if wanted is None else wanted
