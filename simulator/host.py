"""The agents on the embedded cluster's nodes, as processes of this machine."""

import contextlib
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from idleq.ids import AllocationId, Millis, NodeName
from idleq.processes import boot_id, started
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.paths import ClusterPaths
from idleq.simulator import proc
from idleq.simulator.book import AgentStarted, Book, Life, lives

ALLOCATION_VARIABLE = "IDLEQ_ALLOCATION"


def agent_argv(template: Sequence[str], words: Mapping[str, str]) -> list[str]:
    """Return *template* with each {word} replaced; other braces stay as they are."""
    argv = []
    for argument in template:
        for word, value in words.items():
            argument = argument.replace(f"{{{word}}}", value)  # noqa: PLW2901 - each word is replaced in what the last left
        argv.append(argument)
    return argv


def ending(code: int | None) -> str:
    """Say how an agent ended; None if that was not seen."""
    if code is None:
        return "its agent has gone"
    if code < 0:
        return f"its agent was ended by signal {-code}"
    return "its agent has left" if code == 0 else f"its agent ended with exit code {code}"


def living_agents(paths: ClusterPaths) -> int:
    """Count the allocations that have not ended and whose agents live, whether the cluster's process does or not.

    Raises:
        BadRecords: what the cluster wrote down cannot be read.
    """
    agents = [life.agent for life in _unfinished(paths) if life.agent is not None]
    boot = boot_id()
    return sum(agent.machine_boot == boot and started(agent.pid) == agent.started for agent in agents)


def has_begun(paths: ClusterPaths) -> bool:
    """Return whether there are allocations that have begun and not ended, as far as is written down.

    Raises:
        BadRecords: what the cluster wrote down cannot be read.
    """
    return any(life.begun is not None for life in _unfinished(paths))


def _unfinished(paths: ClusterPaths) -> list[Life]:
    known, _ = lives(Book.read(paths.allocations), Millis(0))
    return [life for life in known.values() if life.over is None]


@dataclass(slots=True, kw_only=True)
class _Agent:
    pid: int
    started: int
    node: NodeName


class Host:
    """Starts agents, signals them, and ends all that is left of them."""

    def __init__(self, paths: ClusterPaths, template: Sequence[str], grace_ms: Millis) -> None:
        self._paths, self._template, self._grace_ms = paths, template, grace_ms
        self._agents: dict[AllocationId, _Agent] = {}
        self._codes: dict[int, int] = {}
        self._boot = boot_id()

    def start(self, allocation: AllocationId, node: NodeName, resources: Resources, until: Millis) -> AgentStarted:
        """Start the agent of *allocation* in an empty scratch.

        Raises:
            OSError: it could not be started.
        """
        scratch = self._empty_scratch(node, allocation)
        words = {
            "allocation": allocation,
            "node": node,
            "scratch": str(scratch),
            "cores": str(resources.cores),
            "memory": str(resources.memory),
            "gpus": str(resources.gpus),
            "until": str(until),
            "grace": str(self._grace_ms),
        }
        argv = agent_argv(self._template, words)
        environment = {**os.environ, ALLOCATION_VARIABLE: allocation, proc.SCRATCH_VARIABLE: str(scratch)}
        pid = proc.spawn(argv, environment, self._log(node, allocation))
        # A child that has ended already is a zombie until it is reaped: then its time is unknown, and does not matter.
        self._agents[allocation] = _Agent(pid=pid, started=started(pid) or 0, node=node)
        return AgentStarted(
            allocation=allocation, pid=pid, started=self._agents[allocation].started, machine_boot=self._boot
        )

    def find(self, agent: AgentStarted, node: NodeName) -> bool:
        """Return whether *agent*, started in an earlier life of this process, still lives; then it is ours again."""
        if agent.machine_boot != self._boot or started(agent.pid) != agent.started:
            return False
        self._agents[agent.allocation] = _Agent(pid=agent.pid, started=agent.started, node=node)
        return True

    def ask_to_leave(self, allocation: AllocationId) -> None:
        """Send the agent SIGTERM: it has the grace to save what it can."""
        agent = self._agents.get(allocation)
        if agent is not None and started(agent.pid) == agent.started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(agent.pid, signal.SIGTERM)

    def end(self, allocation: AllocationId, node: NodeName) -> int:
        """Kill all that is left of *allocation* and delete its scratch; return how many processes would not die."""
        agent = self._agents.pop(allocation, None)
        others = [other.pid for other in self._agents.values()]
        scratch = self._paths.scratch(node, allocation)
        # A pid alone may by now be another process's: it counts only as long as it is the agent's.
        pid = agent.pid if agent is not None and started(agent.pid) in (agent.started, None) else None
        alive = proc.end_all(pid, scratch, others, self.reap)
        shutil.rmtree(scratch, ignore_errors=True)
        return alive

    def alive(self, allocation: AllocationId) -> int:
        """Count the processes of *allocation*, its agent not among them."""
        agent = self._agents.get(allocation)
        if agent is None:
            return 0
        others = [other.pid for other in self._agents.values() if other is not agent]
        scratch = self._paths.scratch(agent.node, allocation)
        return len(proc.members(proc.living(), agent.pid, scratch, os.getpid(), others) - {agent.pid})

    def gone(self) -> dict[AllocationId, str]:
        """Return the allocations whose agents have ended, and how."""
        # First who has gone, then how: one that goes in between is found the next time.
        gone = {
            allocation: agent.pid
            for allocation, agent in self._agents.items()
            if agent.pid in self._codes or started(agent.pid) != agent.started
        }
        self.reap()
        return {allocation: ending(self._codes.pop(pid, None)) for allocation, pid in gone.items()}

    def reap(self) -> None:
        """Take leave of all children that have ended, and remember how agents did."""
        agents = {agent.pid for agent in self._agents.values()}
        self._codes.update({pid: code for pid, code in proc.reap().items() if pid in agents})

    def _empty_scratch(self, node: NodeName, allocation: AllocationId) -> Path:
        scratch = self._paths.scratch(node, allocation)
        if scratch.exists():
            shutil.rmtree(scratch)
        scratch.mkdir(mode=0o700, parents=True)
        return scratch

    def _log(self, node: NodeName, allocation: AllocationId) -> Path:
        folder = self._paths.nodes / node / "logs"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder / f"{allocation}.log"
