"""What one simulation is of: a site, its guests, and what is done about the end of a gap."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from idleq.ids import Millis
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import JobSpec, Submission
from idleq.simulator.costs import GuestCosts, equal_costs
from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.estimates import Estimates
from idleq.simulator.guestload import GuestStream
from idleq.simulator.metrics import TAU
from idleq.simulator.outagesource import REPAIR_HOURS, OutageSource
from idleq.simulator.placement import Placement, SizeUnit
from idleq.simulator.queueing.catalog import Reservation, policy_named
from idleq.simulator.queueing.policy import DEPTHS as FITTING
from idleq.simulator.queueing.policy import Semantics
from idleq.simulator.strategies import Strategy

MEMORY_PER_CORE = 2**30
"""Of simulated nodes, and of guests that do not say what they need."""

COST_MS = Millis(60_000)
"""Of a freeze, a thaw and a save where none is given: some gigabytes on a busy parallel file system."""

WINDOW_MS = Millis(3_600_000)
"""The longest window where none is given: a main job may have to wait for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enough:
    """Always enough guests, longer than any gap, of *cores* cores, *memory_per_core* bytes with each, and *gpus* GPUs."""

    cores: int = 1
    memory_per_core: int = MEMORY_PER_CORE
    gpus: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """The jobs of a job file, all there from the beginning."""

    path: str
    submissions: tuple[Submission, ...]


Guests = Enough | GuestStream | JobFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One strategy on one site with one seed; `scenariokeys` has the names that people write for these, and their ranges.

    Attributes:
        trace: a file, a name or a recipe, as `sources.load_trace` reads it.
        procs: how large the machine is; None: what the trace says.
        begin_days: the part of the trace before that day is left out.
        days: so many days of it are used; None: all that follow.
        policy: the main queue's, by name.
        semantics: what an instant means to it.
        reservation: what a reservation of its is of.
        estimates: where limits come from.
        over: for drawn ones.
        slurm: settings of the policy of that name, as on the command line.
        tau: for slowdowns, in seconds.
        node_cores: so many of the trace's processors are one node.
        sharing: whether main jobs take cores, or whole nodes as many as they need.
        placement: which nodes they get.
        memory: the bytes that each node has, of which main jobs hold what the trace says; None: so much for each core, of which
            they hold what goes with their cores.
        gpus: how many each node has.
        outages: a file that says when processors are away; None: never.
        mtbf: mean hours between two failures of a node, drawn; None: none fails by itself.
        repair: mean hours until such a node is back.
        guests: who fills the gaps.
        costs: what guests cost.
        grace_ms: what a preempted guest is given.
        mode: how allocations give way.
        window_ms: the longest window.
        strategy: what is done about the end of a gap.
        seed: of all that is drawn.
        shake_ms: each main job comes in later by up to so much, drawn; 0: as in the trace.
    """

    trace: str
    procs: int | None = None
    begin_days: float = 0.0
    days: float | None = None
    policy: str = "easy"
    semantics: Semantics = Semantics.PER_TIMESTAMP
    reservation: Reservation = Reservation.COUNT
    estimates: Estimates = Estimates.USER
    over: float = 3.0
    slurm: Mapping[str, str] = field(default_factory=dict)
    tau: int = TAU
    node_cores: int = 1
    sharing: SizeUnit = SizeUnit.CORES
    placement: Placement = Placement.LOWEST
    memory: int | None = None
    gpus: int = 0
    outages: str | None = None
    mtbf: float | None = None
    repair: float = REPAIR_HOURS
    guests: Guests = field(default_factory=Enough)
    costs: GuestCosts = field(default_factory=lambda: equal_costs(COST_MS))
    grace_ms: Millis = Millis(0)
    mode: Mode = Mode.PREEMPTIBLE
    window_ms: Millis = WINDOW_MS
    strategy: Strategy = Strategy.IDLEQ
    seed: int = 1
    shake_ms: Millis = Millis(0)

    def __post_init__(self) -> None:
        for wanted in wanted_by(self.guests):
            if not wanted.fits_in(self.node):
                raise ImpossibleParameters(
                    f"guests that ask for {_said(wanted)} never fit on a node of {_said(self.node)}: "
                    "give nodes more (node_cores, memory, gpus), or guests less"
                )
        if self.counts_memory and self.policy not in FITTING:
            raise ImpossibleParameters(
                f"memory of main jobs that share nodes goes with {', '.join(FITTING)}, not with {self.policy}: "
                "leave out memory, or let main jobs take whole nodes (sharing nodes)"
            )
        policy_named(self.policy, 1, self.reservation)  # refuses what there is not
        is_plain = self.semantics is Semantics.PER_TIMESTAMP and self.reservation is Reservation.COUNT
        if (self.has_outages or self.counts_memory) and not is_plain:
            raise ImpossibleParameters(
                "outages, and memory of main jobs that share nodes, go with per-timestamp and with reservations by count"
            )
        if (
            self.reservation is Reservation.NODES
            and self.placement is not Placement.LOWEST
            and not self.has_whole_nodes
        ):
            raise ImpossibleParameters("reservations by nodes give jobs the lowest processors: leave out placement")
        if self.has_outages and not self.has_whole_nodes:
            raise ImpossibleParameters(
                "outages with guests go with nodes that main jobs do not share: "
                "leave out node_cores, or let main jobs take whole nodes (sharing nodes)"
            )

    @property
    def is_drawn(self) -> bool:
        """Whether its seed decides anything; that of a drawn trace is in the trace's own name."""
        drawn = self.shake_ms or self.mtbf or self.costs.freeze_fails
        return bool(drawn) or self.estimates is Estimates.MODEL or isinstance(self.guests, GuestStream)

    @property
    def has_outages(self) -> bool:
        """Whether parts of the machine may be away."""
        return self.outages is not None or self.mtbf is not None

    @property
    def has_whole_nodes(self) -> bool:
        """Whether each node is all one main job's."""
        return self.sharing is SizeUnit.NODES or self.node_cores == 1

    @property
    def counts_memory(self) -> bool:
        """Whether main jobs share nodes, and start only where there is memory for them too."""
        return self.memory is not None and not self.has_whole_nodes

    @property
    def outage_source(self) -> OutageSource:
        """Where outages come from."""
        file = None if self.outages is None else Path(self.outages)
        return OutageSource(file=file, mtbf_hours=self.mtbf, repair_hours=self.repair, seed=self.seed)

    @property
    def node(self) -> Resources:
        """What each node has."""
        memory = self.node_cores * MEMORY_PER_CORE if self.memory is None else self.memory
        return Resources(self.node_cores, memory, self.gpus)


def _said(resources: Resources) -> str:
    gpus = f" and {resources.gpus} GPUs" if resources.gpus else ""
    return f"{resources.cores} cores and {resources.memory} bytes{gpus}"


def wanted_by(guests: Guests) -> list[Resources]:
    """Return what the guests ask for at the most, in every form that they come in."""
    match guests:
        case Enough():
            return [Resources(guests.cores, guests.cores * guests.memory_per_core, guests.gpus)]
        case GuestStream():
            # Drawn memory has no upper end; what does not fit is refused by the site, as it would be in life.
            return [Resources(cores, 0, guests.gpus) for cores in guests.cores]
        case JobFile():
            return [submission.spec.resources for submission in guests.submissions]


def kinds_of(guests: Guests) -> list[JobSpec]:
    """Return what kinds of guests there are; drawn memory is in the mean as large as it is said to be."""
    sizes = wanted_by(guests)
    if isinstance(guests, GuestStream):
        sizes = [Resources(cores, guests.memory_per_core * cores, guests.gpus) for cores in guests.cores]
    return [JobSpec(name="guest", argv=("guest",), resources=size) for size in sizes]
