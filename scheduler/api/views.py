"""What people may see: jobs, nodes, and how it all goes."""

import os
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from fastapi import APIRouter, Request, Response

from idleq.ids import EntryId, JobId, Millis, entry_of
from idleq.scheduler.api.answers import answer
from idleq.scheduler.api.bodies import whole_number
from idleq.scheduler.api.office import Office
from idleq.scheduler.api.owners import check_own, user_of
from idleq.scheduler.api.people import job_named
from idleq.scheduler.api.waiting import LONGEST_WAIT_MS, wait
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.explain import explain
from idleq.scheduler.core.noderows import node_rows
from idleq.scheduler.core.queries import entry_row, job_detail, job_rows, summary
from idleq.scheduler.core.rows import EntryRow, JobDetail, JobRow, NodeRow, Summary
from idleq.scheduler.core.state import State
from idleq.scheduler.errors import BadMessage, UnknownTarget

T = TypeVar("T")

MOST_ROWS = 10_000
"""In one answer: the engine decides nothing while it makes them."""

MOST_TARGETS = 1_000
"""In one call that waits."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """Rows of jobs; *is_cut* if there are more."""

    jobs: tuple[JobRow, ...]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class JobView:
    """An entry or one of its jobs: *job* is None for a whole array, whose rows are in *jobs*."""

    entry: EntryRow
    job: JobDetail | None
    jobs: tuple[JobRow, ...]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Nodes:
    """Every node with its gap."""

    nodes: tuple[NodeRow, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The daemon, and everything at a glance."""

    daemon: str
    pid: int
    summary: Summary


def view_routes(office: Office) -> APIRouter:
    """Return the routes that change nothing."""
    router = APIRouter(prefix="/v1")

    @router.get("/jobs")
    async def jobs(request: Request) -> Response:
        with_final = whole_number(request, "all", 0, 1) == 1
        most = whole_number(request, "limit", MOST_ROWS, MOST_ROWS)
        user = user_of(request)
        return answer(await office.look(lambda engine, _now: jobs_of(engine.state, most, user, with_final=with_final)))

    @router.get("/jobs/{job}")
    async def job(job: str, request: Request) -> Response:
        name, user = job_named(job), user_of(request)

        def ask(engine: Engine, _now: Millis) -> JobView:
            check_own(engine.state, user, name)
            return view_of(engine.state, name)

        return answer(await office.look(ask))

    @router.get("/jobs/{job}/explain")
    async def why(job: str, request: Request) -> Response:
        name, user = job_named(job), user_of(request)

        def ask(engine: Engine, now: Millis) -> object:
            check_own(engine.state, user, name)
            return known(explain(engine.state, name, now), name)

        return answer(await office.look(ask))

    @router.get("/nodes")
    async def nodes() -> Response:
        return answer(await office.look(lambda engine, now: Nodes(tuple(node_rows(engine.state, now)))))

    @router.get("/status")
    async def status() -> Response:
        glance = await office.look(lambda engine, _now: summary(engine.state))
        return answer(Status(office.daemon_id, os.getpid(), glance))

    @router.get("/wait")
    async def until_over(request: Request) -> Response:
        names = tuple(job_named(name) for name in request.query_params.get("jobs", "").split(","))
        if len(names) > MOST_TARGETS:
            message = f"{len(names)} jobs are too many to wait for in one call; it may be {MOST_TARGETS}"
            raise BadMessage(message)
        user = user_of(request)
        await office.look(lambda engine, _now: check_own(engine.state, user, *names))
        return answer(await wait(office, names, whole_number(request, "timeout_ms", 0, LONGEST_WAIT_MS)))

    return router


def jobs_of(state: State, most: int, user: str = "", *, with_final: bool) -> Jobs:
    """Return the first *most* rows, of *user* alone if one is named."""
    own = (row for row in job_rows(state, with_final=with_final) if not user or row.user == user)
    rows = tuple(islice(own, most + 1))
    return Jobs(rows[:most], len(rows) > most)


def view_of(state: State, name: JobId) -> JobView:
    """Return all about *name*; raise UnknownTarget if there is no such job."""
    entry = known(entry_row(state, entry_of(name)), name)
    if name != str(entry.entry) or state.entries[entry.entry].submission.array is None:
        return JobView(entry, known(job_detail(state, name), name), (), is_cut=False)
    rows = tuple(islice(job_rows(state, with_final=True, entry=EntryId(entry.entry)), MOST_ROWS + 1))
    return JobView(entry, None, rows[:MOST_ROWS], len(rows) > MOST_ROWS)


def known(found: T | None, name: JobId) -> T:
    """Return *found*; raise UnknownTarget if nothing was found."""
    if found is None:
        message = f"there is no job {name}"
        raise UnknownTarget(message)
    return found
