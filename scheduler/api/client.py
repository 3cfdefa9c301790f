"""The people's client: what the command line needs of the daemon, and nothing that takes long to import."""

import http.client
import json
import ssl
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from idleq.errors import IdleqError
from idleq.ids import JobId, Millis, SnapshotId
from idleq.scheduler import errors
from idleq.scheduler.api.access import Access, read_access, read_door
from idleq.scheduler.api.munge import credential_for
from idleq.scheduler.core.submission import Submission
from idleq.scheduler.core.wishes import Changes
from idleq.scheduler.errors import AccessDenied, DaemonAway, SchedulerError
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.pinning import pinned
from idleq.scheduler.plain import to_plain
from idleq.scheduler.slurm import errors as slurm_errors

TIMEOUT_S = 30
"""Without a byte from the daemon; a wait gets as much on top of its own time."""

Json = dict[str, Any]


@dataclass(slots=True)
class Client:
    """Asks one daemon; every method raises what the daemon answers as the error that it is (scheduler.errors).

    It connects with the first call and stays connected; a daemon that shows another certificate than *access* names gets
    nothing told, the token least of all.
    """

    access: Access
    credential: Callable[[], str] | None = field(default=None, repr=False)
    _connection: http.client.HTTPSConnection | None = field(default=None, repr=False)

    @classmethod
    def for_directory(cls, paths: ServerPaths) -> Self:
        """Return the client of the daemon that serves *paths*; raise DaemonAway if none does."""
        found = read_door(paths)
        if found is None:
            return cls(read_access(paths))
        door, daemon = found
        access = Access(url=door.url, token="", certificate=door.certificate, pid=0, started=Millis(0))
        return cls(access, lambda: credential_for(daemon))

    def submit(self, submissions: Sequence[Submission], request: str, user: str) -> Json:
        """Submit all, or none; the same *request* again is the same submission. Return {"entries": numbers}, and "remarks" if there are any."""
        plain = [to_plain(submission) for submission in submissions]
        return self._call("POST", "/v1/jobs", {"request": request, "user": user, "submissions": plain})

    def jobs(self, *, with_final: bool = False) -> Json:
        """Return {"jobs": rows, "is_cut": whether there are more}."""
        return self._call("GET", "/v1/jobs", query={"all": int(with_final)})

    def job(self, job: JobId) -> Json:
        """Return all about an entry or a job."""
        return self._call("GET", f"/v1/jobs/{_part(job)}")

    def explain(self, job: JobId) -> Json:
        """Return why *job* is where it is."""
        return self._call("GET", f"/v1/jobs/{_part(job)}/explain")

    def cancel(self, job: JobId) -> None:
        """End *job* for good."""
        self._call("POST", f"/v1/jobs/{_part(job)}/cancel")

    def hold(self, job: JobId, reason: str = "") -> None:
        """Let *job* not start, and freeze it if it runs."""
        self._call("POST", f"/v1/jobs/{_part(job)}/hold", {"reason": reason})

    def release(self, job: JobId) -> None:
        """Let *job* start again."""
        self._call("POST", f"/v1/jobs/{_part(job)}/release")

    def freeze(self, job: JobId, reason: str = "") -> None:
        """Freeze what runs of *job*, until it is released."""
        self._call("POST", f"/v1/jobs/{_part(job)}/freeze", {"reason": reason})

    def move(self, job: JobId, to: str | None = None) -> None:
        """Freeze *job* and thaw it on another node: on *to*, if one is named."""
        self._call("POST", f"/v1/jobs/{_part(job)}/move", {"to": to})

    def modify(self, job: JobId, changes: Changes) -> None:
        """Make *job* another in what *changes* say."""
        self._call("POST", f"/v1/jobs/{_part(job)}/modify", to_plain(changes))

    def input_copies(self, names: Sequence[str]) -> Json:
        """Return {"wanted": those of *names* that a job has which is not over, "spent": those that only jobs have which are done}."""
        return self._call("POST", "/v1/inputs", {"names": list(names)})

    def snapshots(self) -> Json:
        """Return {"snapshots": rows, "is_cut": whether there are more}."""
        return self._call("GET", "/v1/snapshots")

    def remove_snapshot(self, job: JobId, snapshot: SnapshotId) -> None:
        """Let *job* forget *snapshot*; its files are the caller's to remove."""
        self._call("POST", f"/v1/jobs/{_part(job)}/snapshots/{_part(snapshot)}/remove")

    def status(self) -> Json:
        """Return everything at a glance."""
        return self._call("GET", "/v1/status")

    def nodes(self) -> Json:
        """Return {"nodes": rows}."""
        return self._call("GET", "/v1/nodes")

    def pause(self, *, empty: bool = False, reason: str = "") -> None:
        """Start nothing from here on; with *empty* get the guests off the nodes too."""
        self._call("POST", "/v1/pause", {"empty": empty, "reason": reason})

    def resume(self) -> None:
        """Start jobs again."""
        self._call("POST", "/v1/resume")

    def wait(self, jobs: Sequence[JobId], timeout_ms: int) -> Json:
        """Return {"is_over", "jobs"} when all *jobs* are over, or after *timeout_ms* (a minute at most)."""
        query = {"jobs": ",".join(jobs), "timeout_ms": timeout_ms}
        return self._call("GET", "/v1/wait", query=query, timeout_s=TIMEOUT_S + timeout_ms / 1000)

    def shut_down(self) -> None:
        """Stop the daemon; what runs goes on for a while."""
        self._call("POST", "/v1/shutdown")

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _call(
        self, method: str, path: str, body: Json | None = None, query: Mapping[str, object] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Json:  # fmt: skip
        target = f"{path}?{urllib.parse.urlencode(query, safe=',')}" if query else path
        payload = None if body is None else json.dumps(body).encode()
        status, content = self._exchange(method, target, payload, timeout_s)
        try:
            answer: Json = json.loads(content)
        except ValueError:
            message = f"{self.access.url} does not answer as idleq does (status {status}); is it another program?"
            raise DaemonAway(message) from None
        if status >= http.client.BAD_REQUEST:
            raise self._refusal(answer)
        return answer

    def _refusal(self, answer: Json) -> IdleqError:
        """Our own token is refused by a daemon only that is not the one of this access.json: ours is away, or has just begun."""
        error = error_of(answer)
        if not isinstance(error, AccessDenied):
            return error
        message = (
            f"the daemon at {self.access.url} is not the one that wrote access.json, and refuses its token;"
            " try again, or start one with `idleq daemon start`"
        )
        return DaemonAway(message)

    def _exchange(self, method: str, target: str, payload: bytes | None, timeout_s: float) -> tuple[int, bytes]:
        is_kept = self._connection is not None
        try:
            return self._send(method, target, payload, timeout_s)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            # The daemon hangs up on connections that were idle for long.
            if is_kept:
                self.close()
                return self._exchange(method, target, payload, timeout_s)
            raise self._away(error) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._away(error) from error

    def _send(self, method: str, target: str, payload: bytes | None, timeout_s: float) -> tuple[int, bytes]:
        connection = self._connected(timeout_s)
        shown = f"Munge {self.credential()}" if self.credential else f"Bearer {self.access.token}"
        headers = {"Authorization": shown, "Content-Type": "application/json"}
        connection.request(method, target, payload, headers)
        response = connection.getresponse()
        return response.status, response.read()

    def _away(self, error: Exception) -> DaemonAway:
        self.close()
        return DaemonAway(
            f"the daemon at {self.access.url} does not answer ({error}); start it with `idleq daemon start`"
        )

    def _connected(self, timeout_s: float) -> http.client.HTTPSConnection:
        if self._connection is None:
            self._connection = connect(self.access, timeout_s)
        elif self._connection.sock is not None:
            self._connection.sock.settimeout(timeout_s)
        return self._connection


def connect(access: Access, timeout_s: float) -> http.client.HTTPSConnection:
    """Return a connection to the daemon; it is made now, and only to the one that has the pinned certificate.

    Raises:
        DaemonAway: nobody listens there, or another program, to which the port of a killed daemon may go.
    """
    url = urllib.parse.urlsplit(access.url)
    connection = http.client.HTTPSConnection(
        url.hostname or "", url.port, timeout=timeout_s, context=pinned(access.certificate)
    )
    try:
        connection.connect()
    except ssl.SSLError as error:
        connection.close()
        message = (
            f"no daemon serves this server directory: another program answers at {access.url} ({error});"
            " start one with `idleq daemon start`"
        )
        raise DaemonAway(message) from error
    except OSError as error:
        connection.close()
        message = f"no daemon answers at {access.url} ({error}); start it with `idleq daemon start`"
        raise DaemonAway(message) from error
    return connection


def error_of(answer: Mapping[str, Any]) -> IdleqError:
    """Return the error that the daemon's *answer* stands for; one that this version does not know is a SchedulerError."""
    told = answer.get("error", {})
    message = " ".join(part for part in (told.get("message", ""), _hint(told)) if part)
    name = str(told.get("kind"))
    kind = getattr(errors, name, getattr(slurm_errors, name, SchedulerError))
    is_ours = isinstance(kind, type) and issubclass(kind, SchedulerError)
    return kind(message) if is_ours else SchedulerError(message)


def _hint(told: Mapping[str, Any]) -> str:
    return f"({told['hint']})" if told.get("hint") else ""


def _part(name: JobId | SnapshotId) -> str:
    return urllib.parse.quote(name, safe="")
