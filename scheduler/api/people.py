"""What people ask of the daemon, mostly through the command line."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from msgspec import Struct
from msgspec.structs import replace

from idleq.ids import JOB_NAME, EntryId, JobId
from idleq.scheduler.api.answers import answer
from idleq.scheduler.api.bodies import read_as
from idleq.scheduler.api.office import Office
from idleq.scheduler.api.owners import check_is_ours, check_own, user_of
from idleq.scheduler.api.sanity import check
from idleq.scheduler.core.inputs import (
    Input,
    JobCancelled,
    JobHeld,
    JobReleased,
    JobsSubmitted,
    Paused,
    Resumed,
)
from idleq.scheduler.core.remarks import remarks
from idleq.scheduler.errors import BadMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why somebody wants something; for those who see what came of it."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """How idleq is to pause: *empty* is the kill switch."""

    empty: bool = False
    reason: str = ""


class Submitted(Struct, frozen=True, omit_defaults=True):
    """The entries that a submission made, in its order; *remarks* of what gaps do not suit as it is described."""

    entries: tuple[EntryId, ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """It is journalled."""

    accepted: bool = True


def people_routes(office: Office) -> APIRouter:
    """Return the routes by which people change something."""
    router = APIRouter(prefix="/v1")

    @router.post("/jobs")
    async def submit(request: Request) -> Response:
        said = await read_as(request, JobsSubmitted)
        said = replace(said, user=user_of(request) or said.user)
        for submission in said.submissions:
            check(submission.spec, office.mount_roots)
        await office.await_first_view()
        decision = await office.ask(said)
        told = await office.look(lambda engine, _now: remarks(engine.state, decision.entries))
        return answer(Submitted(decision.entries, told))

    @router.post("/jobs/{job}/cancel")
    async def cancel(job: str, request: Request) -> Response:
        return await accept(JobCancelled(target=await own(office, job, request)))

    @router.post("/jobs/{job}/hold")
    async def hold(job: str, request: Request) -> Response:
        why = await read_as(request, Reason, Reason())
        return await accept(JobHeld(target=await own(office, job, request), reason=why.reason or "held by its user"))

    @router.post("/jobs/{job}/release")
    async def release(job: str, request: Request) -> Response:
        return await accept(JobReleased(target=await own(office, job, request)))

    @router.post("/pause")
    async def pause(request: Request) -> Response:
        check_is_ours(request)
        how = await read_as(request, Pause, Pause())
        return await accept(Paused(empty=how.empty, reason=how.reason))

    @router.post("/resume")
    async def resume(request: Request) -> Response:
        check_is_ours(request)
        return await accept(Resumed())

    @router.post("/shutdown")
    async def shutdown(request: Request) -> Response:
        check_is_ours(request)
        office.shut_down()
        return answer(Accepted())

    async def accept(said: Input) -> Response:
        await office.ask(said)
        return answer(Accepted())

    return router


async def own(office: Office, job: str, request: Request) -> JobId:
    """Return *job* as the name of one that the caller may touch; raise BadMessage or UnknownTarget."""
    name, user = job_named(job), user_of(request)
    await office.look(lambda engine, _now: check_own(engine.state, user, name))
    return name


def job_named(name: str) -> JobId:
    """Return *name* as a job's; raise BadMessage if jobs are not named so."""
    if not JOB_NAME.fullmatch(name):
        message = f"{name[:40]!r} is no job's name; names are like 17, or 17_3 for a task of an array"
        raise BadMessage(message)
    return JobId(name)
