"""The values that a site is made of: its nodes, and its own jobs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from idleq.ids import NodeName
from idleq.scheduler.core.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class MainJob:
    """One of the site's own jobs; all times in one unit (a trace's seconds, a world's milliseconds).

    Attributes:
        id: its number in the log; no two jobs of a stream share one.
        submit: when it comes in.
        run: how long it really runs; never longer than its limit.
        limit: how long its user says that it runs: all that a queue may know.
        size: how many processors (or whole nodes) it holds.
        user: whose it is, by the log's number; -1 if that is not known.
        queue: which of the site's queues (or qualities of service) it came in by; -1 if that is not known.
        memory: the bytes that it holds with each processor; -1 if that is not known.
    """

    id: int
    submit: int
    run: int
    limit: int
    size: int
    user: int = -1
    queue: int = -1
    memory: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """A node and all that it has."""

    name: NodeName
    resources: Resources


def scaled(jobs: Iterable[MainJob], numerator: int, denominator: int = 1) -> Iterator[MainJob]:
    """Yield *jobs* with every time multiplied by numerator / denominator, no duration falling below 1."""
    for job in jobs:
        run = max(1, job.run * numerator // denominator)
        limit = max(run, job.limit * numerator // denominator)
        yield replace(job, submit=job.submit * numerator // denominator, run=run, limit=limit)


def numbered_nodes(count: int, resources: Resources) -> tuple[NodeSpec, ...]:
    """Return *count* equal nodes n1, n2, ..."""
    return tuple(NodeSpec(name=NodeName(f"n{number}"), resources=resources) for number in range(1, count + 1))


def node_number(name: NodeName) -> int:
    """Return the place in the list of a node that `numbered_nodes` named."""
    return int(name[1:]) - 1
