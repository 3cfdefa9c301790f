"""What guests cost, under the names that people write: times in seconds, slopes in seconds for each gigabyte."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from idleq.simulator.costs import GuestCosts
from idleq.simulator.written import Reader, assigned, number, read_each, seconds, size, time, unless, whole

AS_MEMORY = "memory"
UNLIMITED = "unlimited"
AS_SCENARIO = "seed"


@dataclass(frozen=True, slots=True)
class CostKey:
    """A name, the attribute of `GuestCosts` that it sets, how it is read, and what None is written as."""

    name: str
    field: str
    read: Reader = time
    none: str | None = None

    def show(self, value: float | None) -> float | str | None:
        """Return *value* as it is read."""
        if value is None:
            return self.none
        return seconds(int(value)) if self.read is time else value


COST_KEYS: Mapping[str, CostKey] = {
    key.name: key
    for key in (
        CostKey("agent", "agent_ms"),
        CostKey("image", "image_ms"),
        CostKey("launch", "launch_ms"),
        CostKey("thaw", "thaw_ms"),
        CostKey("thaw_per_gb", "thaw_ms_per_gb"),
        CostKey("freeze", "freeze_ms"),
        CostKey("freeze_per_gb", "freeze_ms_per_gb"),
        CostKey("save", "save_ms"),
        CostKey("save_per_gb", "save_ms_per_gb"),
        CostKey("bytes", "bytes", unless(AS_MEMORY, size), AS_MEMORY),
        CostKey("bandwidth", "bandwidth", unless(UNLIMITED, size), UNLIMITED),
        CostKey("unknown_run", "unknown_run_ms"),
        CostKey("freeze_fails", "freeze_fails", number(0, 1)),
        CostKey("failing_seed", "failing_seed", unless(AS_SCENARIO, whole(0)), AS_SCENARIO),
    )
}


def read_costs(given: object, besides: GuestCosts) -> GuestCosts:
    """Return *besides* but for what *given*, a table or a text KEY=VALUE,..., names.

    Raises:
        ValueError: there is no such cost, or it cannot be that.
    """
    values = read_each(assigned(given), {name: key.read for name, key in COST_KEYS.items()})
    changed = replace(besides, **{COST_KEYS[name].field: value for name, value in values.items()})
    if changed.bandwidth == 0:
        raise ValueError(f"bandwidth: it is more than 0 bytes a second, or {UNLIMITED}")
    return changed


def costs_shown(costs: GuestCosts) -> dict[str, float | str | None]:
    """Return all of *costs* under their names."""
    return {name: key.show(getattr(costs, key.field)) for name, key in COST_KEYS.items()}
