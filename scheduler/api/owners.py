"""Whose jobs a caller may touch: the daemon's own user all of them, a user of a site their own, as if there were no others."""

from fastapi import Request

from idleq.ids import JobId, entry_of
from idleq.scheduler.api.auth import USER
from idleq.scheduler.core.state import State
from idleq.scheduler.errors import Refused, UnknownTarget


def user_of(request: Request) -> str:
    """Return which of a site's users asks, "" if it is the daemon's own."""
    user: str = request.scope.get(USER) or ""
    return user


def check_own(state: State, user: str, *names: JobId) -> None:
    """Raise UnknownTarget if one of *names* is somebody's who is not *user*."""
    for name in names:
        entry = state.entries.get(entry_of(name))
        if user and (entry is None or entry.user != user):
            raise UnknownTarget(f"there is no job {name}")


def check_is_ours(request: Request) -> None:
    """Raise Refused if a user asks for what concerns all."""
    if user := user_of(request):
        raise Refused(
            f"that concerns the jobs of all users: it is not for {user}, but for the user that the daemon runs as"
        )
