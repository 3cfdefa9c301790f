"""What the API answers: JSON as the codec makes it, and errors that say what to do."""

from starlette.responses import Response

from idleq.errors import IdleqError
from idleq.scheduler import codec
from idleq.scheduler.core.draft import Refusal
from idleq.scheduler.errors import (
    AccessDenied,
    BadJobFile,
    BadMessage,
    DaemonAway,
    JournalUnavailable,
    Refused,
    SchedulerError,
    UnknownTarget,
)

STATUS: dict[type[IdleqError], int] = {
    BadMessage: 400,
    AccessDenied: 401,
    UnknownTarget: 404,
    Refused: 409,
    BadJobFile: 422,
    DaemonAway: 503,
    JournalUnavailable: 503,
}

HINTS: dict[type[IdleqError], str] = {
    BadMessage: "see docs/reference/api.md",
    AccessDenied: "take url and token from access.json in the server directory; they change when the daemon starts",
    UnknownTarget: "`idleq ps --all` lists the jobs",
    BadJobFile: "correct the description and submit again; nothing was submitted",
    DaemonAway: "start it with `idleq daemon start`",
    JournalUnavailable: "see that the disk is not full; the daemon tries again by itself, running jobs go on",
}


def answer(value: object, status: int = 200) -> Response:
    """Return *value* as JSON."""
    return Response(codec.to_json(value), status, media_type="application/json")


def failure(error: IdleqError, status: int | None = None) -> Response:
    """Return *error* as the client will raise it again."""
    what = {
        "kind": type(error).__name__,
        "message": str(error) or (type(error).__doc__ or "").strip(),
        "hint": HINTS.get(type(error), ""),
        "exit_code": error.exit_code,
    }
    return answer({"error": what}, status or STATUS.get(type(error), 500))


def refused(refusal: Refusal) -> SchedulerError:
    """Return the error that stands for the engine's refusal."""
    match refusal.kind:
        case "unknown":
            return UnknownTarget(refusal.message)
        case "conflict":
            return Refused(refusal.message)
        case "invalid":
            return BadJobFile(refusal.message)
