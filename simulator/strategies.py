"""Ways to treat guests, on the same site with the same main jobs, so that only the way differs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from msgspec import structs

from idleq.ids import Millis
from idleq.scheduler.core.commands import AgentCommand, Launch, Mode, Replan, SegmentPlan
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.freeze import save_interval_ms
from idleq.scheduler.core.inputs import JobsSubmitted
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import FreezeMethod, JobSpec
from idleq.simulator.costs import GuestCosts, runs_for
from idleq.simulator.experiment import Experiment, Watcher
from idleq.simulator.guestload import Arrival
from idleq.simulator.harm import HarmWatch
from idleq.simulator.harvest import Clairvoyant, Harvest, IdleGap, gaps_without_guests, harvestable_ms, share
from idleq.simulator.jobs import MainJob, numbered_nodes
from idleq.simulator.kernel import Between
from idleq.simulator.outages import Outage
from idleq.simulator.outageworld import unheld_around
from idleq.simulator.placement import Placement, SizeUnit
from idleq.simulator.queueing import Policy, Semantics, easy
from idleq.simulator.tuning import LONGEST_MS, closing_together, engine_policy, least_cost_ms, specs_in


class Strategy(StrEnum):
    """What is done about the end of a gap."""

    #: No guests at all.
    NONE = "none"
    #: Nothing: guests are killed, and begin anew.
    KILL = "kill"
    #: Guests freeze before the end that the plan names, and are lost at any other.
    PLANNED_END = "planned-end"
    #: Guests save at one interval, after Young; it is that of the run without guests, known beforehand.
    YOUNG = "young"
    #: idleq's engine as it is.
    IDLEQ = "idleq"
    #: The engine is shown when each gap really ends, and saves for nothing else.
    ORACLE = "oracle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where and what is simulated; times in milliseconds.

    Attributes:
        nodes: how many.
        node: what each of them has.
        jobs: the main jobs, by submit.
        until: where the run ends.
        grace_ms: what a preempted guest is given.
        policy: the main queue's; a new one for each run, if it remembers anything.
        semantics: what an instant means to it.
        sharing: what main jobs take: whole nodes, or cores.
        placement: which nodes they get.
        mode: how guests' allocations give way.
        longest_ms: no allocation is asked for longer than this.
        outages: when nodes are away; in milliseconds, a processor is a whole node.
    """

    nodes: int
    node: Resources
    jobs: Sequence[MainJob]
    until: Millis
    grace_ms: Millis = Millis(0)
    policy: Policy = easy
    semantics: Semantics = Semantics.PER_TIMESTAMP
    sharing: SizeUnit = SizeUnit.NODES
    placement: Placement = Placement.LOWEST
    mode: Mode = Mode.PREEMPTIBLE
    longest_ms: Millis = LONGEST_MS
    outages: tuple[Outage, ...] = ()

    @property
    def units(self) -> int:
        """What of each node main jobs can hold."""
        return self.node.cores if self.sharing is SizeUnit.CORES else 1

    def gaps(self) -> list[IdleGap]:
        """Return the gaps of the run without guests."""
        return self.unheld()[0]

    def unheld(self) -> tuple[list[IdleGap], list[IdleGap]]:
        """Return the gaps of the run without guests, and what no main job holds there because it is away."""
        if self.outages:
            nodes = numbered_nodes(self.nodes, self.node)
            return unheld_around(nodes, self.jobs, self.until, self.outages, self.policy)
        units = [self.units] * self.nodes
        return gaps_without_guests(units, self.jobs, self.until, self.policy, self.placement, self.semantics), []


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a strategy came to.

    Attributes:
        strategy: which.
        useful_core_ms: guests' progress that survived.
        harvest: that over what could be harvested; None if nothing could.
        segments, frozen, lost, done: how many segments ended, and how.
        main_starts: when each main job started.
        waited: what each main job that found guests waited for them, and the most that it might.
    """

    strategy: Strategy
    useful_core_ms: int
    harvest: float | None
    segments: int
    frozen: int
    lost: int
    done: int
    main_starts: dict[int, int]
    waited: dict[int, tuple[Millis, Millis]]


def run(
    site: Site, strategy: Strategy, guests: Sequence[Arrival], costs: GuestCosts, gaps: Sequence[IdleGap]
) -> Outcome:
    """Run one strategy; *gaps* are those of the run without guests."""
    return Trial(site, strategy, guests, costs, gaps).finish()


class Trial:
    """One strategy on a site; can be left between two events."""

    def __init__(
        self,
        site: Site,
        strategy: Strategy,
        guests: Sequence[Arrival],
        costs: GuestCosts,
        gaps: Sequence[IdleGap],
    ) -> None:
        self._strategy, self._until = strategy, site.until
        self._harvest, self._harm = Harvest(), HarmWatch()
        harvestable = harvestable_ms(gaps, least_cost_ms(costs, specs_in(guests, site.node)))
        self._harvestable_ms = harvestable * site.node.cores // site.units
        self._experiment = prepared(site, strategy, guests, costs, gaps, (self._harvest, self._harm))

    @property
    def started(self) -> int:
        """How many main jobs have started."""
        return len(self._experiment.starts)

    def finish(self, between: Between | None = None) -> Outcome:
        """Go on to the end and say what it came to."""
        self._experiment.run(self._until, between)
        self._experiment.take_stock()
        harvest = self._harvest
        return Outcome(
            strategy=self._strategy,
            useful_core_ms=harvest.useful_core_ms,
            harvest=share(harvest.useful_core_ms, self._harvestable_ms),
            segments=harvest.segments,
            frozen=harvest.frozen,
            lost=harvest.lost,
            done=harvest.done,
            main_starts=self._experiment.starts,
            waited=self._harm.waited,
        )


def prepared(
    site: Site,
    strategy: Strategy,
    guests: Sequence[Arrival],
    costs: GuestCosts,
    gaps: Sequence[IdleGap],
    watchers: Sequence[Watcher],
) -> Experiment:
    """Return the experiment of one strategy, to be run; *gaps* are those of the run without guests."""
    specs = specs_in(guests, site.node)
    policy = engine_policy(site.grace_ms, costs, specs, closing_together(gaps))
    policy = replace(policy, mode=site.mode, max_allocation_ms=site.longest_ms)
    experiment = Experiment(
        Engine(policy),
        numbered_nodes(site.nodes, site.node),
        site.jobs,
        costs,
        grace_ms=site.grace_ms,
        policy=site.policy,
        semantics=site.semantics,
        sharing=site.sharing,
        placement=site.placement,
        outages=site.outages,
        keeps_diary=False,
        watchers=watchers,
        amend=_amendment(strategy, costs, specs, gaps),
        foresight=Clairvoyant(gaps) if strategy is Strategy.ORACLE else None,
    )
    for at, said in () if strategy is Strategy.NONE else guests:
        experiment.tell(at, _unfreezable(said) if strategy is Strategy.KILL else said)
    return experiment


def _unfreezable(said: JobsSubmitted) -> JobsSubmitted:
    """Return the same guests, who can only be killed; how long they run is not said, or none would be tried."""
    submissions = tuple(
        structs.replace(
            one,
            spec=structs.replace(
                one.spec,
                freeze=FreezeMethod.NONE,
                expected_ms=None,
                argv=(*one.spec.argv, *runs_for(one.spec.expected_ms)),
            ),
        )
        for one in said.submissions
    )
    return structs.replace(said, submissions=submissions)


Amendment = Callable[[SegmentPlan], SegmentPlan]


def _amendment(
    strategy: Strategy, costs: GuestCosts, specs: Sequence[JobSpec], gaps: Sequence[IdleGap]
) -> Callable[[AgentCommand], AgentCommand] | None:
    """Return how the strategy's plans differ from the engine's, None if they do not."""
    match strategy:
        case Strategy.PLANNED_END | Strategy.ORACLE:
            return partial(_amend, _without_saves)
        case Strategy.YOUNG:
            exposure = Millis(sum(gap.length_ms for gap in gaps))
            save_ms = max((costs.save_of(spec) for spec in specs), default=costs.save_ms)
            every = save_interval_ms(save_ms, max(1, len(gaps)), exposure)
            return partial(_amend, partial(_with_saves_only, every))
        case _:
            return None


def _amend(amendment: Amendment, command: AgentCommand) -> AgentCommand:
    return structs.replace(command, plan=amendment(command.plan)) if isinstance(command, Launch | Replan) else command


def _without_saves(plan: SegmentPlan) -> SegmentPlan:
    return structs.replace(plan, save_every_ms=None)


def _with_saves_only(every_ms: Millis, plan: SegmentPlan) -> SegmentPlan:
    return structs.replace(plan, freeze_at=None, save_every_ms=every_ms)
