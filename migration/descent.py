"""Which processes belong together."""

from collections.abc import Collection, Mapping

from idleq.processes import Process


def owners(processes: Mapping[int, Process], roots: Mapping[int, str]) -> dict[int, str]:
    """Return whom each process belongs to: the root in whose session or group it is, or that it descends from."""
    found: dict[int, str] = {}
    for pid in processes:
        path: list[int] = []
        owner = None
        while owner is None and pid in processes and pid not in path:
            path.append(pid)
            process = processes[pid]
            owner = roots.get(pid) or roots.get(process.session) or roots.get(process.group) or found.get(pid)
            pid = process.parent  # noqa: PLW2901 - the walk up the tree starts at each process
        if owner is not None:
            found.update(dict.fromkeys(path, owner))
    return found


def leaders_first(pids: Collection[int], leaders: Collection[int]) -> list[int]:
    """Return *pids* in the order in which to kill them.

    A leader that saw its helpers die would end by itself, with an exit code that reads like a failure of its own.
    """
    return sorted(pids, key=lambda pid: (pid not in leaders, pid))
