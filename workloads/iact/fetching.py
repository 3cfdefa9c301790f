"""A data set for a guest: from its own folder, from the cache, or made now; the guest may be frozen meanwhile."""

import os
from typing import TYPE_CHECKING

from idleq.workloads.checkpoint import Checkpoint
from idleq.workloads.contract import Places
from idleq.workloads.guest import Guest
from idleq.workloads.iact.dataset import Dataset, DatasetSpec
from idleq.workloads.iact.places import DataPlaces
from idleq.workloads.training.loop import stopping
from idleq.workloads.training.options import Given

if TYPE_CHECKING:
    from idleq.workloads.iact.given import EventsFile


def dataset_for(
    guest: Guest,
    spec: DatasetSpec,
    places: Places,
    option: str | None,
    checkpoint: Checkpoint | None,
    given: Given | None = None,
) -> Dataset | None:
    """The data set *spec*, or that of the *given* files; None = asked to leave meanwhile, and saved.

    What *checkpoint* holds is kept as it is then.
    """
    if given is not None:
        from idleq.workloads.iact.given import gammas_of

        files = files_for(guest, given, checkpoint)
        return None if files is None else gammas_of(files, given.events)
    from idleq.workloads.iact.making import ensure_dataset

    should_stop = stopping(guest, checkpoint)
    if should_stop():  # reading and verifying takes long where there is much else to do
        return None
    data_places = DataPlaces.choose(os.environ, option, places)
    data_places.fetch(spec)
    dataset = ensure_dataset(spec, data_places.work, should_stop)
    if dataset is not None:
        data_places.keep(spec)
    return dataset


def files_for(guest: Guest, given: Given, checkpoint: Checkpoint | None) -> "list[EventsFile] | None":
    """The *given* files; None = asked to leave meanwhile, and saved. A guest reads them again in every segment."""
    from idleq.workloads.iact.given import read_files

    return read_files(given.paths, stopping(guest, checkpoint))
