"""What `scontrol show config` says, as far as it matters to us."""

import re
from collections.abc import Mapping

from idleq.ids import Millis
from idleq.scheduler.slurm.errors import SlurmHidesJobs, SlurmUnreadable

HIDING = frozenset({"jobs", "nodes", "reservations"})
"""Words of PrivateData that hide from users what gaps are made of."""

_BACKFILL = re.compile(r"(?:^|,)bf_interval=([0-9]+)(?:,|$)", re.ASCII)
BACKFILL_MS = 30_000
"""Slurm's own default between two backfill cycles."""

_LINE = re.compile(r"^(\w+)\s*=\s?(.*)$", re.ASCII)


def read_configuration(text: str) -> dict[str, str]:
    """Return Slurm's settings by their names; the first of two that are called alike wins."""
    settings: dict[str, str] = {}
    for line in text.splitlines():
        if found := _LINE.match(line.strip()):
            settings.setdefault(found[1], found[2].strip())
    return settings


def hidden(settings: Mapping[str, str]) -> frozenset[str]:
    """Return which of jobs, nodes and reservations of others an ordinary user is not shown.

    Raises:
        SlurmUnreadable: the settings do not say.
    """
    if "PrivateData" not in settings:
        raise SlurmUnreadable("Slurm's configuration does not say what it hides (PrivateData)")
    return HIDING & set(settings["PrivateData"].lower().split(","))


def check_that_all_is_shown(settings: Mapping[str, str]) -> None:
    """Raise SlurmHidesJobs if gaps that an ordinary user sees would look larger than they are."""
    if what := hidden(settings):
        raise SlurmHidesJobs(
            f"Slurm hides other users' {' and '.join(sorted(what))} (PrivateData), so gaps would look larger than they are:"
            " idleq needs a site that shows them to every user"
        )


def cluster_name(settings: Mapping[str, str]) -> str:
    """Return what this cluster is called; the accounting has names in small letters.

    Raises:
        SlurmUnreadable: the settings do not say.
    """
    if "ClusterName" not in settings:
        raise SlurmUnreadable("Slurm's configuration does not say what the cluster is called (ClusterName)")
    return settings["ClusterName"].lower()


def scheduling_cycle_ms(settings: Mapping[str, str]) -> Millis:
    """Return how often Slurm looks which waiting job can start: what a main job may lose by having just missed it."""
    found = _BACKFILL.search(settings.get("SchedulerParameters", ""))
    return Millis(int(found[1]) * 1000 if found else BACKFILL_MS)
