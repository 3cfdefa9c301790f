"""What guests cost, under the names that people write: times in seconds, slopes in seconds for each gigabyte."""

from collections.abc import Mapping
from dataclasses import replace

from idleq.simulator.costs import GuestCosts
from idleq.simulator.written import Key, assigned, number, read_each, seconds, size, time, unless, unless_none, whole

AS_MEMORY = "memory"
UNLIMITED = "unlimited"
AS_SCENARIO = "seed"


COST_KEYS: Mapping[str, Key] = {
    key.name: key
    for key in (
        Key("agent", "agent_ms", time, seconds),
        Key("image", "image_ms", time, seconds),
        Key("launch", "launch_ms", time, seconds),
        Key("thaw", "thaw_ms", time, seconds),
        Key("thaw_per_gb", "thaw_ms_per_gb", time, seconds),
        Key("freeze", "freeze_ms", time, seconds),
        Key("freeze_per_gb", "freeze_ms_per_gb", time, seconds),
        Key("save", "save_ms", time, seconds),
        Key("save_per_gb", "save_ms_per_gb", time, seconds),
        Key("bytes", "bytes", unless(AS_MEMORY, size), unless_none(AS_MEMORY)),
        Key("bandwidth", "bandwidth", unless(UNLIMITED, size), unless_none(UNLIMITED)),
        Key("unknown_run", "unknown_run_ms", time, seconds),
        Key("freeze_fails", "freeze_fails", number(0, 1)),
        Key("failing_seed", "failing_seed", unless(AS_SCENARIO, whole(0)), unless_none(AS_SCENARIO)),
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
