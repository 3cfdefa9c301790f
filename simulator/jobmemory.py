"""What main jobs need of their nodes' memory, where that is to count."""

from dataclasses import replace

import numpy as np

from idleq.simulator.errors import BadTrace
from idleq.simulator.table import Column, JobTable
from idleq.simulator.trace import Dropped, Trace

TOO_MUCH = "more memory than the machine has"


def with_memory(trace: Trace, node_cores: int, memory: int) -> Trace:
    """Return *trace* for nodes of so many cores and bytes of *memory*: each job's memory is known, and could be had.

    A job of which the log does not say it holds of each node what goes with its cores in proportion.

    Raises:
        BadTrace: no job is left.
    """
    table = trace.table
    table = replace(table, memory=np.where(table.memory < 0, memory // node_cores, table.memory))
    nodes = trace.processors // node_cores
    fits = table.size <= nodes * cores_for(table, node_cores, memory)
    dropped = tuple(Dropped(None, number, TOO_MUCH) for number in table.id[~fits].tolist())
    if not fits.any():
        raise BadTrace(f"no job of {trace.name} can run on nodes of {memory} bytes: give them more memory")
    return replace(trace, table=table.where(fits), dropped=(*trace.dropped, *dropped))


def cores_for(table: JobTable, node_cores: int, memory: int) -> Column:
    """Return how many processors of each job an empty node takes."""
    by_memory = memory // np.maximum(1, table.memory)
    return np.where(table.memory > 0, np.minimum(node_cores, by_memory), node_cores)


def in_whole_nodes(table: JobTable, node_cores: int, memory: int | None) -> JobTable:
    """Return *table* with sizes in nodes, as many as each job's cores need, and its memory if that counts."""
    each = node_cores if memory is None else cores_for(table, node_cores, memory)
    return replace(table, size=-(-table.size // each))
