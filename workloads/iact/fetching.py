"""A data set for a guest: from its own folder, from the cache, or made now; the guest may be frozen meanwhile."""

import os

from idleq.workloads.checkpoint import Checkpoint
from idleq.workloads.contract import Places
from idleq.workloads.guest import Guest
from idleq.workloads.iact.dataset import Dataset, DatasetSpec
from idleq.workloads.iact.places import DataPlaces
from idleq.workloads.training.loop import saved_while_making_data


def dataset_for(
    guest: Guest, spec: DatasetSpec, places: Places, option: str | None, checkpoint: Checkpoint | None
) -> Dataset | None:
    """The data set *spec*; None = asked to leave meanwhile, and saved: what *checkpoint* holds is kept as it is."""
    from idleq.workloads.iact.making import ensure_dataset

    def should_stop() -> bool:
        step, parts = (0, saved_while_making_data()) if checkpoint is None else (checkpoint.step, checkpoint.parts)
        return not guest.may_go_on(step, lambda: parts)

    if should_stop():  # reading and verifying takes long where there is much else to do
        return None
    data_places = DataPlaces.choose(os.environ, option, places)
    data_places.fetch(spec)
    dataset = ensure_dataset(spec, data_places.work, should_stop)
    if dataset is not None:
        data_places.keep(spec)
    return dataset
