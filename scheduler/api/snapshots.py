"""What people may see and do of snapshots."""

from dataclasses import dataclass
from itertools import islice

from fastapi import APIRouter, Request, Response

from idleq.ids import SnapshotId
from idleq.scheduler.api.answers import answer
from idleq.scheduler.api.bodies import read_as
from idleq.scheduler.api.office import Office
from idleq.scheduler.api.owners import user_of
from idleq.scheduler.api.people import Accepted, Reason, own
from idleq.scheduler.api.views import MOST_ROWS
from idleq.scheduler.core.inputs import SnapshotRemoved
from idleq.scheduler.core.retention import snapshot_rows
from idleq.scheduler.core.rows import SnapshotRow
from idleq.scheduler.core.state import State


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Rows of snapshots; *is_cut* if there are more."""

    snapshots: tuple[SnapshotRow, ...]
    is_cut: bool


def snapshot_routes(office: Office) -> APIRouter:
    """Return the routes about snapshots."""
    router = APIRouter(prefix="/v1")

    @router.get("/snapshots")
    async def snapshots(request: Request) -> Response:
        user = user_of(request)
        return answer(await office.look(lambda engine, _now: snapshots_of(engine.state, user)))

    @router.post("/jobs/{job}/snapshots/{snapshot}/remove")
    async def remove(job: str, snapshot: str, request: Request) -> Response:
        name = await own(office, job, request)
        why = await read_as(request, Reason, Reason())
        reason = why.reason or "removed by its user"
        await office.ask(SnapshotRemoved(job=name, snapshot=SnapshotId(snapshot), reason=reason))
        return answer(Accepted())

    return router


def snapshots_of(state: State, user: str = "") -> Snapshots:
    """Return the first rows of snapshots, only those of *user* if one is named."""
    rows = tuple(islice(snapshot_rows(state, user), MOST_ROWS + 1))
    return Snapshots(rows[:MOST_ROWS], len(rows) > MOST_ROWS)
