"""Carries simulations out so that they can be left between any two events and gone on with later, in another process."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from idleq.simulator.checkpoint import pack, unpack
from idleq.simulator.errors import CheckpointDamaged, CheckpointForeign, CheckpointNotKept, SimulationLeft
from idleq.simulator.kernel import Between

Result_co = TypeVar("Result_co", covariant=True)
Result = TypeVar("Result")
Kept = TypeVar("Kept")


class Run(Protocol[Result_co]):
    """A simulation that has been built; its graph holds nothing but the simulation."""

    @property
    def started(self) -> int:
        """How many main jobs have started so far."""
        ...

    def finish(self, _between: Between | None = None, /) -> Result_co:
        """Go on to the end, calling *between* now and then between two events; called anew after *between* raised."""
        ...


class Store(Protocol):
    """Where a simulation is kept while it does not run."""

    def kept(self) -> Iterable[tuple[str, Callable[[], bytes]]]:
        """Return the name of all that is kept, the newest first, each with what reads it, or raises CheckpointDamaged."""
        ...

    def write(self, _packed: bytes, /) -> None:
        """Keep *packed*, durably, whole or not at all; raises CheckpointNotKept."""
        ...


class Keeper:
    """Carries out one simulation after the other, and keeps what has come of them so far.

    Args:
        store: where to; None keeps nothing.
        purpose: a digest of all that decides the results.
        every_s: how long between two times of keeping, by *clock*; None keeps when it is told to leave only.
        is_leaving: says that it is time to keep all and leave.
        show: told, now and then, how many main jobs of this simulation have started.
        warn: told what went wrong where the simulation goes on all the same.

    Raises:
        CheckpointDamaged, CheckpointForeign: something is kept, and none of it can be gone on with.
    """

    def __init__(
        self,
        store: Store | None,
        purpose: str,
        *,
        clock: Callable[[], float],
        every_s: float | None = None,
        is_leaving: Callable[[], bool] = lambda: False,
        show: Callable[[int], None] = lambda _: None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store, self._purpose, self._clock, self._every_s = store, purpose, clock, every_s
        self._is_leaving, self._show, self._warn = is_leaving, show, warn
        self._kept_at = clock()
        kept = {} if store is None else _newest_whole(store, purpose, warn)
        self._done: dict[str, object] = kept.get("done", {})
        self._name: str | None = kept.get("name")
        self._run: object = kept.get("run")

    def carry_out(
        self, name: str, begin: "Callable[[], Run[Result]]", show: Callable[[int], None] | None = None
    ) -> Result:
        """Return the result of the simulation *name*; as `boil_down`."""
        return self.boil_down(name, begin, _whole, show)

    def boil_down(
        self,
        name: str,
        begin: "Callable[[], Run[Result]]",
        boiled: "Callable[[Result], Kept]",
        show: Callable[[int], None] | None = None,
    ) -> Kept:
        """Return what *boiled* makes of the result of the simulation *name*, which *begin* builds unless it has begun before.

        Nothing else of the result is kept, and without a store nothing at all.

        Raises:
            SimulationLeft: it was time to leave, and all is kept.
        """
        if name in self._done:
            return cast("Kept", self._done[name])
        run = cast("Run[Result]", self._run) if self._name == name else begin()
        kept = boiled(run.finish(partial(self._look, name, run, show or self._show)))
        if self._store is not None:
            self._done[name] = kept
        self._name = self._run = None
        return kept

    def keep_results(self) -> None:
        """Keep all results that there are, before something is done with them that may fail."""
        if self._store is not None:
            try:
                self._store.write(pack({"done": self._done}, self._purpose))
            except CheckpointNotKept as error:  # an insurance only
                self._warn(str(error))

    def _look(self, name: str, run: Run[object], show: Callable[[int], None]) -> None:
        show(run.started)
        is_leaving = self._is_leaving()
        if self._store is None:
            return
        if is_leaving:
            self._keep(self._store, name, run)
            raise SimulationLeft(f"left after {run.started} main jobs had started: the same command goes on from there")
        if self._every_s is not None and self._clock() - self._kept_at >= self._every_s:
            try:
                self._keep(self._store, name, run)
            except CheckpointNotKept as error:  # an insurance only
                self._warn(str(error))
            self._kept_at = self._clock()

    def _keep(self, store: Store, name: str, run: Run[object]) -> None:
        store.write(pack({"done": self._done, "name": name, "run": run}, self._purpose))


def _newest_whole(store: Store, purpose: str, warn: Callable[[str], None]) -> dict[str, Any]:
    """Return the newest of what is kept that is whole; an older one only where newer ones are damaged."""
    damaged: list[CheckpointDamaged] = []
    for name, read in store.kept():
        try:
            kept = cast("dict[str, Any]", unpack(read(), purpose))
        except CheckpointDamaged as error:
            damaged.append(CheckpointDamaged(f"{name} cannot be gone on with: {error}; remove it to begin anew"))
            continue
        except CheckpointForeign as error:
            raise CheckpointForeign(
                f"{name} cannot be gone on with: {error}; remove it to begin anew, or let what made it go on"
            ) from error
        for one in damaged:
            warn(f"{one}; going on from {name}")
        return kept
    if damaged:
        raise damaged[0]
    return {}


def carried_out(
    name: str,
    begin: "Callable[[], Run[Result]]",
    keeper: Keeper | None,
    show: Callable[[int], None] | None = None,
) -> Result:
    """Return the result of the simulation that *begin* builds, kept by *keeper* if there is one; *show* as for a keeper."""
    return boiled_down(name, begin, _whole, keeper, show)


def boiled_down(
    name: str,
    begin: "Callable[[], Run[Result]]",
    boiled: "Callable[[Result], Kept]",
    keeper: Keeper | None,
    show: Callable[[int], None] | None = None,
) -> Kept:
    """Return what *boiled* makes of that result; only that is kept."""
    if keeper is not None:
        return keeper.boil_down(name, begin, boiled, show)
    run = begin()
    return boiled(run.finish(None if show is None else lambda: show(run.started)))


def _whole(result: Result) -> Result:
    return result
