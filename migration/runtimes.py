"""All runtimes of a node as one: what is asked of a container goes to the runtime that its order named."""

import contextlib
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from idleq.migration.errors import FreezeFailed, StartFailed
from idleq.migration.ports import ContainerName, Ended, Freezer, FrozenState, Meter, Order, Runtime, RuntimeName
from idleq.migration.tree import empty


class FullRuntime(Runtime, Freezer, Meter, Protocol):
    """A runtime that also freezes and measures, and ends with its caller."""

    def close(self) -> None:
        """Kill everything that still lives."""
        ...


@dataclass(slots=True)
class Runtimes:
    """The runtimes that *makers* make, each when it is first asked for: most nodes never start a container.

    The agent's loop starts plain processes; other threads start containers, freeze and thaw.
    """

    makers: Mapping[RuntimeName, Callable[[], FullRuntime]]
    _made: dict[RuntimeName, FullRuntime] = field(default_factory=dict)
    _where: dict[ContainerName, RuntimeName] = field(default_factory=dict)
    _locks: Mapping[RuntimeName, threading.Lock] = field(init=False)

    def __post_init__(self) -> None:
        self._locks = {kind: threading.Lock() for kind in self.makers}

    def start(self, order: Order) -> None:
        """See Runtime."""
        self._of(order.runtime).start(order)
        self._where[order.name] = order.runtime

    def signal(self, name: ContainerName, number: int) -> None:
        """See Runtime."""
        if name in self._where:
            self._made[self._where[name]].signal(name, number)

    def hears(self, name: ContainerName, number: int) -> bool:
        """See Runtime."""
        return name in self._where and self._made[self._where[name]].hears(name, number)

    def kill(self, names: Collection[ContainerName]) -> None:
        """See Runtime; each runtime is asked once, about all of its own."""
        for kind, runtime in list(self._made.items()):
            if own := [name for name in names if self._where.get(name) is kind]:
                runtime.kill(own)

    def ended(self) -> list[Ended]:
        """See Runtime."""
        told = [ended for runtime in list(self._made.values()) for ended in runtime.ended()]
        for ended in told:
            self._where.pop(ended.name, None)
        return told

    def over(self, limits: Mapping[ContainerName, int]) -> dict[ContainerName, int]:
        """See Meter."""
        found: dict[ContainerName, int] = {}
        for kind, runtime in list(self._made.items()):
            own = {name: limit for name, limit in limits.items() if self._where.get(name) is kind}
            found |= runtime.over(own) if own else {}
        return found

    def freeze(self, name: ContainerName, into: Path) -> FrozenState:
        """See Freezer; what may pass is tried once more."""
        if name not in self._where:
            raise FreezeFailed(f"{name} does not run here")
        runtime = self._made[self._where[name]]
        try:
            state = runtime.freeze(name, into)
        except FreezeFailed as failure:
            if not failure.may_pass:
                raise
            empty(into)
            state = runtime.freeze(name, into)
        self._where.pop(name, None)
        return state

    def thaw(self, order: Order, images: Path) -> None:
        """See Freezer; whoever kills it meanwhile is heard by a runtime that can end it then."""
        runtime = self._of(order.runtime)
        self._where[order.name] = order.runtime
        try:
            runtime.thaw(order, images)
        except BaseException:
            self._where.pop(order.name, None)
            raise

    def close(self) -> None:
        """See FullRuntime."""
        with contextlib.ExitStack() as closing:  # one that fails keeps none of the others
            for runtime in list(self._made.values()):
                closing.callback(runtime.close)

    def _of(self, kind: RuntimeName) -> FullRuntime:
        if kind not in self.makers:
            raise StartFailed(f"this node has no {kind}")
        if kind in self._made:
            return self._made[kind]
        # One that is made ends whatever its owner has left; if two threads made one each, that would be the other's guests.
        with self._locks[kind]:
            if kind not in self._made:
                self._made[kind] = self.makers[kind]()
            return self._made[kind]
