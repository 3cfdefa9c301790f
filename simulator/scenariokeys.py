"""The names under which people give a scenario: the same on the command line, in a sweep file and in results.

The command line writes them with dashes (`--node-cores`), files with underscores. Times are seconds, or texts like "5m".
"""

from collections.abc import Mapping
from typing import Any

from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.submission import Submission
from idleq.scheduler.jobkeys import no_such
from idleq.scheduler.nearest import did_you_mean
from idleq.simulator.costkeys import costs_shown, read_costs
from idleq.simulator.costs import GuestCosts, equal_costs
from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.estimates import Estimates
from idleq.simulator.guestkeys import JobReader, guests_shown, read_guests
from idleq.simulator.placement import Placement, SizeUnit
from idleq.simulator.queueing.catalog import POLICIES, Reservation
from idleq.simulator.queueing.policy import Semantics
from idleq.simulator.queueing.slurm import settings_from
from idleq.simulator.scenario import COST_MS, Scenario
from idleq.simulator.strategies import Strategy
from idleq.simulator.swf import MOST_PROCESSORS
from idleq.simulator.written import Key, Plain, number, one_of, seconds, some_size, some_time, text, time, unless, whole


def _policy(value: object) -> str:
    if value not in POLICIES:
        raise ValueError(f"it may be {', '.join(POLICIES)}, not {value!r}{did_you_mean(value, POLICIES)}")
    return str(value)


def _slurm(value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError(f"it is a table of settings, not {value!r}")
    given = {str(key): str(one) for key, one in value.items()}
    settings_from(given)
    return given


def _no_files(path: str) -> tuple[Submission, ...]:
    raise ValueError(f"{path!r} is neither enough nor stream:..., and job files cannot be read here")


KEYS: Mapping[str, Key] = {
    key.name: key
    for key in (
        Key("trace", "trace", text),
        Key("procs", "procs", unless(None, whole(1, MOST_PROCESSORS))),
        Key("from", "begin_days", number(0, 10**5)),
        Key("days", "days", unless(None, number(0.01, 10**5))),
        Key("policy", "policy", _policy),
        Key("semantics", "semantics", one_of(Semantics), str),
        Key("reservation", "reservation", one_of(Reservation), str),
        Key("estimates", "estimates", one_of(Estimates), str),
        Key("over", "over", number(1, 10**6)),
        Key("slurm", "slurm", _slurm, dict),
        Key("tau", "tau", whole(1)),
        Key("node_cores", "node_cores", whole(1, 10**5)),
        Key("sharing", "sharing", one_of(SizeUnit), str),
        Key("placement", "placement", one_of(Placement), str),
        Key("memory", "memory", unless(None, some_size)),
        Key("gpus", "gpus", whole(0, 1000)),
        Key("outages", "outages", unless(None, text)),
        Key("mtbf", "mtbf", unless(None, number(0.001, 10**9))),
        Key("repair", "repair", number(0.001, 10**9)),
        Key("guests", "guests", lambda value: read_guests(value, _no_files), guests_shown),
        Key("costs", "costs", lambda value: read_costs(value, equal_costs(COST_MS)), costs_shown),
        Key("grace", "grace_ms", time, seconds),
        Key("mode", "mode", one_of(Mode), str),
        Key("window", "window_ms", some_time, seconds),
        Key("strategy", "strategy", one_of(Strategy), str),
        Key("seed", "seed", whole(0, 2**53)),
        Key("shake", "shake_ms", time, seconds),
    )
}
"""All but `cost`: what a start, a thaw, a freeze and a save cost that `costs` does not name."""

COST = "cost"

KEYS_ALONE = frozenset(
    {
        *("trace", "procs", "from", "days", "policy", "semantics", "reservation", "estimates", "over", "slurm", "tau"),
        *("outages", "mtbf", "repair", "seed"),
    }
)
"""Keys that say something where there are no guests."""


def scenario_of(given: Mapping[str, object], read_jobs: JobReader = _no_files) -> Scenario:
    """Return the scenario that *given* names; what it does not name has its default. *read_jobs* reads job files.

    Raises:
        ImpossibleParameters: a name that does not exist, or a value that cannot be; the message says what would be right.
    """
    named = {name.replace("-", "_"): value for name, value in given.items()}
    if "trace" not in named:
        raise ImpossibleParameters("a scenario needs a trace")
    values: dict[str, Any] = {}
    if COST in named or "costs" in named:
        values["costs"] = costs_of(named.pop(COST, None), named.pop("costs", None))
    for name, value in named.items():
        if name not in KEYS:
            raise ImpossibleParameters(no_such("key", name, [*KEYS, COST]))
        try:
            values[KEYS[name].field] = read_guests(value, read_jobs) if name == "guests" else KEYS[name].read(value)
        except ValueError as error:
            raise ImpossibleParameters(f"{name}: {error}") from None
    return Scenario(**values)


def check_values(given: Mapping[str, object]) -> None:
    """Look at the values that *given* names, without a scenario to make of them; None is not given.

    Raises:
        ImpossibleParameters: one of them cannot be; the message says what would be right.
    """
    for name, value in given.items():
        try:
            if value is not None:
                KEYS[name].read(value)
        except ValueError as error:
            raise ImpossibleParameters(f"--{name}: {error}") from None


def costs_of(cost: object, costs: object) -> GuestCosts:
    """Return what a start, a thaw, a freeze and a save cost: all *cost*, but for what *costs* names; None: not given.

    Raises:
        ImpossibleParameters: one of the two cannot be.
    """
    try:
        equal = equal_costs(COST_MS if cost is None else time(cost))
    except ValueError as error:
        raise ImpossibleParameters(f"{COST}: {error}") from None
    try:
        return equal if costs is None else read_costs(costs, equal)
    except ValueError as error:
        raise ImpossibleParameters(f"costs: {error}") from None


def plain(scenario: Scenario) -> dict[str, Plain]:
    """Return *scenario* under its names, all of them, so that `scenario_of` gives the same again."""
    return {key.name: key.show(getattr(scenario, key.field)) for key in KEYS.values()}
