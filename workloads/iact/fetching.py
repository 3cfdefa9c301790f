"""A data set for a guest: from its own folder, from the cache, or made now; the guest may be frozen meanwhile."""

import os
from collections.abc import Callable, Mapping

from idleq.workloads.contract import Places
from idleq.workloads.guest import Guest
from idleq.workloads.iact.dataset import Dataset, DatasetSpec
from idleq.workloads.iact.places import DataPlaces
from idleq.workloads.training.loop import saved_while_making_data


def dataset_for(
    guest: Guest,
    spec: DatasetSpec,
    places: Places,
    option: str | None,
    done: Callable[[], Mapping[str, bytes] | None] = lambda: None,
) -> Dataset | None:
    """The data set *spec*; None = asked to leave while it was made, and saved, with what was already *done*."""
    from idleq.workloads.iact.making import ensure_dataset

    def should_stop() -> bool:
        return not guest.may_go_on(0, lambda: done() or saved_while_making_data())

    data_places = DataPlaces.choose(os.environ, option, places)
    data_places.fetch(spec)
    dataset = ensure_dataset(spec, data_places.work, should_stop)
    if dataset is not None:
        data_places.keep(spec)
    return dataset
