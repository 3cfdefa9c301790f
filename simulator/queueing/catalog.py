"""The policies by name."""

from collections.abc import Callable, Mapping
from enum import StrEnum

from idleq.scheduler.nearest import did_you_mean
from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.queueing.compressing import Compressing
from idleq.simulator.queueing.conservative import conservative
from idleq.simulator.queueing.easy import easy, easy_sjbf
from idleq.simulator.queueing.fcfs import fcfs
from idleq.simulator.queueing.named import NamedEasy
from idleq.simulator.queueing.policy import Policy
from idleq.simulator.queueing.slurm import SlurmLike, SlurmSettings


class Reservation(StrEnum):
    """What a reservation is of."""

    #: A number of processors.
    COUNT = "count"
    #: Certain processors, which jobs that would run into it cannot have.
    NODES = "nodes"


_BY_COUNT: Mapping[str, Callable[[int, SlurmSettings], Policy]] = {
    "fcfs": lambda _processors, _settings: fcfs,
    "easy": lambda _processors, _settings: easy,
    "easy-sjbf": lambda _processors, _settings: easy_sjbf,
    "conservative": lambda _processors, _settings: conservative,
    "compressing": lambda _processors, _settings: Compressing(),
    "slurm": SlurmLike,
}

_BY_NODES: Mapping[str, Callable[[int, int], Policy]] = {
    "easy": lambda processors, node_cores: NamedEasy(processors, node_cores=node_cores),
    "easy-sjbf": lambda processors, node_cores: NamedEasy(processors, shortest_first=True, node_cores=node_cores),
}

POLICIES = tuple(_BY_COUNT)


def policy_named(
    name: str,
    processors: int,
    reservation: Reservation = Reservation.COUNT,
    settings: SlurmSettings | None = None,
    node_cores: int = 1,
) -> Policy:
    """Return a new policy for one queue; where reservations are of nodes, so many processors are one.

    Raises:
        ImpossibleParameters: there is none of that name, or not with such reservations.
    """
    if name not in _BY_COUNT:
        raise ImpossibleParameters(
            f"there is no policy {name!r}: it may be {', '.join(POLICIES)}{did_you_mean(name, POLICIES)}"
        )
    if reservation is Reservation.COUNT or name == "fcfs":  # nobody has a reservation there
        return _BY_COUNT[name](processors, settings or SlurmSettings())
    if name not in _BY_NODES:
        raise ImpossibleParameters(
            f"reservations by nodes are there for fcfs, {' and '.join(_BY_NODES)}, not for {name}"
        )
    return _BY_NODES[name](processors, node_cores)
