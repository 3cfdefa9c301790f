"""Where outages come from: a file on a log's clock, failures that are drawn, or both."""

from dataclasses import dataclass, replace
from pathlib import Path

from idleq.simulator.errors import BadOutages
from idleq.simulator.outages import Outage, failures, read_outages
from idleq.simulator.tracecache import digest_of

REPAIR_HOURS = 4.0
"""Until a failed node is back, in the mean, where nobody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageSource:
    """What people say of outages; nothing is ever away if they say neither *file* nor *mtbf_hours*.

    Attributes:
        file: when which processors are away, in seconds on the log's clock.
        mtbf_hours: the mean time between two failures of a node that is drawn.
        repair_hours: the mean time until it is back.
        seed: of what is drawn.
    """

    file: Path | None = None
    mtbf_hours: float | None = None
    repair_hours: float = REPAIR_HOURS
    seed: int = 1

    def outages(
        self, processors: int, since: int, until: int, *, zero: int = 0, node_cores: int = 1
    ) -> tuple[Outage, ...]:
        """Return when nodes of *node_cores* processors are away, by begin, in seconds from *zero* of the log's clock on.

        A node is away while any of its processors is. Failures are drawn from *since* until *until*, which count from *zero*.

        Raises:
            BadOutages: the file cannot be used.
            ImpossibleParameters: such failures cannot be drawn.
        """
        found = [] if self.file is None else read_outages(self.file, processors)
        found = [_of_nodes(one, node_cores) for one in _counted_from(zero, found)]
        if self.mtbf_hours is not None:
            nodes = processors // node_cores
            found += failures(nodes, since, until, self.mtbf_hours, self.repair_hours, self.seed)
        return tuple(sorted(found, key=lambda one: one.begin))


def digest_of_outages(file: Path | None) -> str | None:
    """Return what changes when *file* says something else; None without a file.

    Raises:
        BadOutages: it cannot be read.
    """
    if file is None:
        return None
    try:
        return digest_of(file.read_bytes())
    except OSError as error:
        raise BadOutages(f"{file} cannot be read: {error.strerror or error}") from error


def _counted_from(zero: int, outages: list[Outage]) -> list[Outage]:
    """Return what of *outages* is not over at *zero*, on a clock that begins there."""
    return [replace(one, begin=max(0, one.begin - zero), until=one.until - zero) for one in outages if one.until > zero]


def _of_nodes(outage: Outage, node_cores: int) -> Outage:
    if node_cores == 1:
        return outage
    nodes = {number // node_cores for number in outage.numbers()}
    return replace(outage, processors=sum(1 << node for node in nodes))
