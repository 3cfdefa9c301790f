"""One engine, three worlds: what the simulator's inputs lead to, the daemon decides too, restart or no restart, and the other way round."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from idleq.bootstrap import stop_cluster
from idleq.ids import JobId, Millis
from idleq.scheduler import codec, daemon
from idleq.scheduler.core.commands import Command, Publish
from idleq.scheduler.core.engine import Decision, Engine
from idleq.scheduler.core.facts import SegmentRunning
from idleq.scheduler.core.inputs import Input, JobCancelled, JobHeld, JobReleased, JobsSubmitted
from idleq.scheduler.core.job import Held
from idleq.scheduler.core.policy import MINUTE, SECOND, Policy
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import PYTHON, ArrayRange, FreezeMethod, JobSpec, Submission
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.service import Service
from idleq.scheduler.store.database import sqlite_url
from idleq.scheduler.store.journal import Journal
from idleq.simulator.agents import GuestCosts
from idleq.simulator.experiment import Experiment, replay
from idleq.simulator.jobs import numbered_nodes
from idleq.simulator.synthetic import Stream, synthetic
from support.daemon import Bench

EPOCH = Millis(1_800_000_000_000)
NODE = Resources(4, 16 << 30)
DAY = Millis(24 * 60 * MINUTE)
POLICY = Policy(grace_ms=Millis(20 * SECOND), ramp_start=4, freeze_ms=Millis(30 * SECOND), stall_segments=3)

PATIENCE_SECONDS = 90
COUNTS = JobSpec(
    name="count",
    argv=(PYTHON, "-m", "idleq.workloads.cli", "count", "--steps", "100"),
    resources=Resources(1, 1 << 26),
    freeze=FreezeMethod.APP,
)

Timed = list[tuple[Millis, Command]]


def job(name: str, cores: int, *, minutes: int | None, priority: int = 0) -> JobSpec:
    """A guest of the experiment."""
    expected = None if minutes is None else Millis(minutes * MINUTE)
    freeze = FreezeMethod.APP if minutes is None or minutes > 30 else FreezeMethod.NONE
    return JobSpec(
        name=name,
        argv=("run",),
        resources=Resources(cores, 1 << 30),
        expected_ms=expected,
        priority=priority,
        freeze=freeze,
    )


def simulated(seed: int) -> Experiment:
    """A day of a small busy site with guests of all kinds, and people who change their minds."""
    dice = random.Random(seed)
    engine = Engine()
    engine.configure(POLICY, EPOCH)
    stream = Stream(nodes=8, load=0.8, sizes={1: 4, 2: 2, 8: 1}, mean_run_ms=20 * MINUTE)
    costs = GuestCosts(agent_ms=Millis(1500), launch_ms=Millis(400), thaw_ms=Millis(9_000), freeze_ms=Millis(12_000))
    experiment = Experiment(
        engine, numbered_nodes(8, NODE), synthetic(stream, seed), costs, grace_ms=POLICY.grace_ms, epoch=EPOCH
    )
    for number in range(30):
        spec = job(
            f"w{number % 3}", dice.choice((1, 2, 4)), minutes=dice.choice((None, 5, 90, 400)), priority=number % 2
        )
        array = ArrayRange(0, dice.randrange(1, 12), 1, dice.choice((None, 3))) if number % 4 == 0 else None
        submissions = (Submission(spec=spec, array=array), Submission(spec=spec, after_here=(0,)))
        at = Millis(dice.randrange(DAY // 2))
        experiment.tell(at, JobsSubmitted(submissions=submissions, request=f"r{number}"))
        target = str(2 * number + 1)
        later = Millis(at + dice.randrange(1, 90) * MINUTE)
        what: Input = dice.choice(
            (JobCancelled(target=target), JobHeld(target=target, reason="x"), JobReleased(target=target))  # type: ignore[arg-type]  # a JobId is a str
        )
        experiment.tell(later, what)
    experiment.run(DAY)
    return experiment


def through_the_daemon(
    root: Path, inputs: Sequence[tuple[Millis, Input]], restarts: set[int]
) -> Iterator[tuple[Millis, Command]]:
    """Yield what a daemon with a real journal commands when it is told *inputs*, killed before each of *restarts*."""
    root.mkdir(mode=0o700)
    journal = Journal.open(sqlite_url(root / "journal.db"))
    bench = Bench(root, POLICY, journal=journal)
    bench.clock.at = EPOCH
    bench.turn()
    for place, (at, said) in enumerate(inputs):
        if place in restarts:
            journal.close()
            journal = Journal.open(sqlite_url(root / "journal.db"))
            bench = Bench(root, POLICY, journal=journal)
        bench.clock.at = at
        kind, body = codec.encode(said)
        for decision in bench.tell(codec.decode_input(kind, body)):
            yield from ((at, command) for command in decision.commands)
    journal.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_daemon_decides_what_the_simulation_decided(tmp_path: Path, seed: int) -> None:
    experiment = simulated(seed)
    assert len(experiment.commands) > 300
    assert len(experiment.published) > 10
    dice = random.Random(seed)
    restarts = set(dice.sample(range(len(experiment.inputs)), 40))
    assert list(through_the_daemon(tmp_path / "server", experiment.inputs, restarts)) == experiment.commands


def test_what_the_daemon_journalled_is_what_the_simulation_decided(tmp_path: Path) -> None:
    experiment = simulated(4)
    list(through_the_daemon(tmp_path / "server", experiment.inputs, set()))
    journal = Journal.open(sqlite_url(tmp_path / "server" / "journal.db"))
    assert list(journal.commands()) == experiment.commands
    assert list(journal.facts())[1:] == experiment.facts
    journal.close()


class Recorded(Engine):
    """An engine that keeps what it was told, when, and what it commanded."""

    told: list[tuple[Millis, Input]]
    commanded: Timed
    journalled: Timed

    def handle(self, what: Input, now: Millis) -> Decision:
        """Decide, and remember."""
        decision = super().handle(what, now)
        Recorded.told.append((now, what))
        commands = [(now, command) for command in decision.commands]
        Recorded.commanded.extend(commands)
        if decision.facts:  # a decision without facts only repeats what is in the journal
            Recorded.journalled.extend(commands)
        return decision


@pytest.mark.xdist_group("cluster")
def test_a_plain_engine_decides_what_a_daemon_on_a_living_cluster_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other way round: real agents, guests and time first, then the same inputs without any of them."""
    from idleq import bootstrap

    Recorded.told, Recorded.commanded, Recorded.journalled = [], [], []
    monkeypatch.setattr(daemon, "Engine", Recorded)
    paths = ServerPaths(tmp_path / "s")
    paths.create()
    paths.config.write_text(
        '[policy]\nmin_gap = "2s"\nfreeze = "1s"\nthaw = "1s"\nmargin = "500ms"\ngrace = "3s"\n'
        '[cluster]\nkind = "embedded"\nmain_jobs = "busy"\nnodes = 3\ncores = 2\n'
    )
    with bootstrap._service(paths, None) as service:
        thread = threading.Thread(target=service.run)
        thread.start()
        try:
            nap = JobSpec(name="nap", argv=("sleep", "0.2"), resources=Resources(1, 1 << 26), freeze=FreezeMethod.NONE)
            naps = Submission(spec=nap, array=ArrayRange(0, 30))
            jobs = (naps, Submission(spec=COUNTS), Submission(spec=COUNTS, after_here=(1,)))
            service._mailbox.ask((JobsSubmitted(submissions=jobs, request="r"),)).result()
            _hold_and_release(service)
            service._mailbox.ask((JobCancelled(target=JobId("3")),)).result()
            _await(service, _is_over)
        finally:
            service.stop()
            thread.join()
            stop_cluster(paths.root)
    journal = Journal.open(sqlite_url(paths.journal))
    journalled = list(journal.commands())
    facts = list(journal.facts())
    journal.close()
    engine = Engine()
    engine.configure(service._parts.config.policy, facts[0][0])
    assert replay(engine, Recorded.told) == Recorded.commanded
    assert journalled == Recorded.journalled
    assert Engine.restore(facts).state == engine.state
    assert len({command for _, command in journalled if isinstance(command, Publish)}) == 32
    thawed = [fact for _, fact in facts if isinstance(fact, SegmentRunning) and fact.job == "2" and fact.fence > 1]
    assert thawed, "the one that was held went on"


def _hold_and_release(service: Service) -> None:
    """Have job 2 frozen in the middle by whoever submitted it, and let it go on."""
    _await(service, lambda engine, _now: engine.state.jobs[JobId("2")].step > 0 if "2" in engine.state.jobs else False)
    service._mailbox.ask((JobHeld(target=JobId("2"), reason="wait"),)).result()
    _await(service, lambda engine, _now: isinstance(engine.state.jobs[JobId("2")].state, Held))
    service._mailbox.ask((JobReleased(target=JobId("2")),)).result()


def _await(service: Service, is_so: Callable[[Engine, Millis], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not service._mailbox.look(is_so).result():
        assert time.monotonic() < end
        time.sleep(0.1)


def _is_over(engine: Engine, _now: Millis) -> bool:
    return all(entry.is_over for entry in engine.state.entries.values())
