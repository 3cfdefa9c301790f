"""Which allocations that are over may have an agent that lives on: Slurm cannot know what runs where it reaches nobody. Pure."""

from idleq.ids import NodeName
from idleq.scheduler.slurm.hostlist import expand
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import JobRecord

OUT_OF_REACH = frozenset({"DOWN", "NOT_RESPONDING"})
"""Where a node is so, Slurm counts a job as over that it could not end."""


def out_of_reach(reading: Reading) -> frozenset[NodeName]:
    """Return the nodes that Slurm cannot reach."""
    return frozenset(node.name for node in reading.nodes if not OUT_OF_REACH.isdisjoint(node.states))


def node_of(job: JobRecord) -> NodeName | None:
    """Return the node of an allocation, None if it never began."""
    return next(iter(expand(job.nodes)), None)


def why_it_may_live(job: JobRecord | None, node: NodeName | None, unreached: frozenset[NodeName]) -> str:
    """Return why the agent may live on of an allocation that was on *node* and is over as *job* says; "" if Slurm has seen to its end."""
    if node is None:
        return ""
    if job is not None and "NODE_FAIL" in job.states:
        return "Slurm says that it failed"
    if job is not None and "COMPLETED" in job.states:
        return ""  # its script has seen its agent leave
    return "Slurm cannot reach it" if node in unreached else ""
