"""SIGKILL of whoever holds guests in containers, and of whoever freezes and thaws guests from outside: no job is lost, none done twice.

A point is a victim and what goes on when it dies; which of several victims, and the instant, come from a seed. A kill of any of
them is no failure of a job's own, of which none here has one to spare. The testbed's nodes have podman, docker, criu and the
image, and run this very file.
"""

import os
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from signal import SIGKILL

import pytest

from idleq.ids import JobId
from idleq.migration.ports import MARK
from idleq.processes import Process, read_processes, read_program, read_variable
from idleq.scheduler.core.facts import JobFailed, SegmentFailed
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import FreezeMethod, JobSpec, RuntimeWish, Submission
from idleq.scheduler.errors import Refused
from support.accepted import MIB, Crowd
from support.containers import CRIU, DOCKER, IMAGE, PODMAN
from support.faults import SAME
from support.real_server import RealServer, quick

from .conftest import MakeServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("cluster")]

SEED = 20_261_126
LOOK_S = 0.003
"""Between two looks for a process that lives for a few hundredths of a second."""

SEEN_WITHIN_S = 5.0
MOST_JOBS = 3
STEPS = 60

AGENT = "agent"
SHIM = "containerd-shim-runc-v2"
HOLDERS = ("conmon", SHIM)
"""Parents of guests; other processes of the same program start, or clear up after one that has died."""


@dataclass(frozen=True, slots=True)
class Point:
    """The program that dies, and what a job of that *runtime* is doing then."""

    victim: str
    during: str
    runtime: RuntimeWish = RuntimeWish.PODMAN


def points(runtime: RuntimeWish, victims: Mapping[str, tuple[str, ...]]) -> list[Point]:
    return [Point(victim, during, runtime) for during, names in victims.items() for victim in names]


AROUND_PODMAN = [
    *points(
        RuntimeWish.PODMAN,
        {
            "run": ("conmon", "conmon", AGENT),
            "freeze": ("criu", "criu", "podman", "runc", "conmon", AGENT),
            "thaw": ("criu", "podman", "runc", AGENT),
        },
    ),
    *points(RuntimeWish.PROCESS, {"run": (AGENT,), "freeze": ("criu", "criu", AGENT), "thaw": ("criu", AGENT)}),
]
IN_PODMAN = random.Random(SEED).sample(AROUND_PODMAN * 2, 26)
IN_DOCKER = points(
    RuntimeWish.DOCKER,
    {"run": (SHIM, SHIM, AGENT), "freeze": ("criu", "runc"), "thaw": ("criu", "runc")},
)


def count(runtime: RuntimeWish, method: FreezeMethod) -> Submission:
    """A job that is frozen from outside, and gives the right result only if every step was counted once."""
    words = ("count", "--steps", str(STEPS), "--step-seconds", "0.05", "--memory-mb", "0")
    spec = JobSpec(
        name="count",
        argv=("{python}", "-m", "idleq.workloads.cli", *words),
        resources=Resources(1, 128 * MIB),
        freeze=method,
        runtime=runtime,
        image="" if runtime is RuntimeWish.PROCESS else IMAGE,
    )
    return Submission(spec=spec)


@dataclass(slots=True)
class Siege:
    """Jobs that come and go in all *runtimes*, and a hand that kills."""

    server: RealServer
    runtimes: tuple[RuntimeWish, ...]
    chance: random.Random
    crowd: Crowd = field(init=False)
    struck: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.crowd = Crowd(self.server, self.chance)

    def strike(self, point: Point) -> None:
        """Have somebody die at *point*, which comes sooner or later."""
        self.server.until(lambda: self._try(point))
        self.struck.append(f"{point.victim} in a {point.during} of {point.runtime}")

    def end(self) -> str:
        """Let all jobs end, see that nothing was lost, doubled or left, and say what was done."""
        self.server.until(self._let_all_go)
        self.server.until_over(list(self.crowd.submitted))
        assert [fact for fact in self.server.facts() if isinstance(fact, SegmentFailed | JobFailed)] == []
        self.crowd.check()
        assert self.server.end() == {}
        assert self.server.faults.verdict.read_text() == SAME
        assert guests(read_processes()) == []
        return f"killed at {len(self.struck)} points: {', '.join(self.struck)}; {len(self.crowd.submitted)} jobs done"

    def _try(self, point: Point) -> bool:
        self._keep_busy()
        wanted = {"run": "running", "freeze": "running", "thaw": "held"}[point.during]
        job = self._any_job(point.runtime, wanted)
        if job is None:
            self._lead_to(wanted, point.runtime)
            return False
        if point.during == "freeze":
            self._hold(job)
        elif point.during == "thaw":
            self.server.ask(lambda client: client.release(job))
        return self._kill(point)

    def _lead_to(self, wanted: str, runtime: RuntimeWish) -> None:
        """Hold a job that runs, or let go one that is held."""
        if wanted == "held" and (running := self._any_job(runtime, "running")):
            self._hold(running)
        elif wanted == "running" and (held := self._any_job(runtime, "held")):
            self.server.ask(lambda client: client.release(held))

    def _kill(self, point: Point) -> bool:
        give_up = time.monotonic() + SEEN_WITHIN_S
        if point.victim == AGENT:
            time.sleep(self.chance.uniform(0, 1))
            return self.server.kill_one(AGENT, self.chance)
        while not (found := victims(point.victim)):
            if time.monotonic() > give_up:
                return False
            time.sleep(LOOK_S)
        time.sleep(self.chance.choice((0, self.chance.uniform(0, 0.1))))
        victim = self.chance.choice(found)
        if read_program(victim) != point.victim:
            return False  # it has ended, or of criu's children become the guest that it has thawed
        try:
            os.kill(victim, SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def _keep_busy(self) -> None:
        found = self._jobs()
        for runtime in self.runtimes:
            of_it = [job for job, kind, _ in found if kind is runtime]
            if len(of_it) * len(self.runtimes) < MOST_JOBS:
                method = self.chance.choice((FreezeMethod.CRIU, FreezeMethod.AUTO))
                self.crowd.add(count(runtime, method))

    def _jobs(self) -> list[tuple[JobId, RuntimeWish, str]]:
        rows = self.server.ask(lambda client: client.jobs())["jobs"]
        kinds = {str(entry): submission.spec.runtime for entry, submission in self.crowd.submitted.items()}
        return [(JobId(row["id"]), kinds[row["id"]], row["state"]) for row in rows]

    def _any_job(self, runtime: RuntimeWish, state: str) -> JobId | None:
        found = [job for job, kind, now in self._jobs() if (kind, now) == (runtime, state)]
        return self.chance.choice(found) if found else None

    def _hold(self, job: JobId) -> None:
        with suppress(Refused):  # it was done meanwhile
            self.server.ask(lambda client: client.hold(job, "to see it freeze"))

    def _let_all_go(self) -> bool:
        jobs = self._jobs()
        for job in [job for job, _, state in jobs if state == "held"]:
            self.server.ask(lambda client: client.release(job))  # noqa: B023 - asked before the loop goes on
        return all(state not in {"held", "freezing"} for _, _, state in jobs)


def victims(program: str) -> list[int]:
    processes = read_processes()
    among = {processes[pid].parent for pid in guests(processes)} if program in HOLDERS else processes
    return [pid for pid in among if read_program(pid) == program]


def guests(processes: Mapping[int, Process]) -> list[int]:
    """What bears the mark of a guest and lives."""
    return [pid for pid, process in processes.items() if not process.is_zombie and read_variable(pid, MARK)]


@pytest.fixture
def siege_of(make_server: MakeServer, request: pytest.FixtureRequest) -> Callable[..., Siege]:
    def make(*runtimes: RuntimeWish) -> Siege:
        server = make_server(quick(lease="30s").replace('grace = "2s"', 'grace = "20s"'))
        server.keep_up()
        return Siege(server, runtimes, random.Random(f"{SEED} {request.node.name}"))

    return make


@PODMAN
@CRIU
def test_a_kill_around_guests_in_podman_and_under_criu_costs_no_job_and_doubles_none(
    siege_of: Callable[..., Siege], record_property: Callable[[str, object], None]
) -> None:
    siege = siege_of(RuntimeWish.PODMAN, RuntimeWish.PROCESS)
    for point in siege.chance.sample(IN_PODMAN, len(IN_PODMAN)):
        siege.strike(point)
    record_property("summary", siege.end())


@DOCKER
def test_a_kill_around_guests_in_docker_costs_no_job_and_doubles_none(
    siege_of: Callable[..., Siege], record_property: Callable[[str, object], None]
) -> None:
    siege = siege_of(RuntimeWish.DOCKER)
    for point in siege.chance.sample(IN_DOCKER, len(IN_DOCKER)):
        siege.strike(point)
    record_property("summary", siege.end())


def test_at_least_thirty_points_are_covered() -> None:
    assert len(IN_PODMAN) + len(IN_DOCKER) >= 30
