"""Slurm by slurmrestd, with a token (auth/jwt): for login nodes without its commands, and to submit as other users."""

import http.client
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from idleq.ids import Millis, NodeName
from idleq.scheduler.slurm import answers
from idleq.scheduler.slurm.batch import BatchJob
from idleq.scheduler.slurm.commandline import AWAY, LIMITS, UNKNOWN_JOB
from idleq.scheduler.slurm.errors import SlurmAway, SlurmLimit, SlurmRefused, SlurmTokenUnusable, SlurmUnreadable
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import MEBI, JobRecord

VERSIONS = ("v0.0.44", "v0.0.43", "v0.0.42", "v0.0.41", "v0.0.40")
"""Of slurmrestd's own interface, newest first; each Slurm offers some three of them."""

TIMEOUT_S = 60
NO_ANSWER = (http.client.BAD_GATEWAY, http.client.SERVICE_UNAVAILABLE, http.client.GATEWAY_TIMEOUT)
"""Of a proxy before slurmrestd that got no answer from it."""

REFUSED_TOKEN = (http.client.UNAUTHORIZED, http.client.NETWORK_AUTHENTICATION_REQUIRED)
"""By slurmrestd itself, and by the controller behind it, as of a token that has expired on the way; that may come without a word."""

UNKNOWN_USER = ("Authentication failure", "authentication failure", "Protocol authentication error")
PATH = "/usr/local/bin:/usr/bin:/bin"
"""What is submitted by slurmrestd has only the environment that it is given; the script needs `srun`."""

PORT = 6820
SCHEMES: Mapping[str, type[http.client.HTTPConnection]] = {
    "http": http.client.HTTPConnection,
    "https": http.client.HTTPSConnection,  # of a proxy, since slurmrestd has none of its own
}

Fetch = Callable[[str, str, bytes | None], tuple[int, bytes]]
"""Sends (method, path, body) and returns the answer's status and body; raises SlurmAway if there is none."""

T = TypeVar("T")


class Submitted(msgspec.Struct, frozen=True):
    """The answer to a submission."""

    job_id: int


class Http:
    """A `Fetch` over HTTP to *url*; *token* is asked for every time, since it may be renewed."""

    def __init__(self, url: str, user: str, token: Callable[[], str]) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None  # config.toml was checked
        self._connect, self._user, self._token = SCHEMES[parts.scheme], user, token
        self._host, self._port = parts.hostname, parts.port or PORT

    def __call__(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        """Send one request on a connection of its own: polls are seconds apart."""
        headers = {"X-SLURM-USER-NAME": self._user, "X-SLURM-USER-TOKEN": self._token()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = self._connect(self._host, self._port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise SlurmAway(f"slurmrestd at {self._host}:{self._port} does not answer: {error}") from error
        finally:
            connection.close()


class Rest:
    """The `Site` that slurmrestd shows."""

    def __init__(self, fetch: Fetch, folders: Sequence[str] = ()) -> None:
        """*folders* are where the script looks for `srun` before it looks in the usual ones."""
        self._fetch, self._path = fetch, ":".join([*folders, PATH])
        self._version = ""

    def read(self, now: Millis) -> Reading:
        """Return all that Slurm says now, in the order that `Site.read` asks for."""
        nodes = answers.read_nodes(self._ask("GET", "nodes")).nodes
        told = answers.read_jobs(self._ask("GET", "jobs"))
        return Reading(
            at=now,
            jobs=told.jobs,
            nodes=nodes,
            reservations=answers.read_reservations(self._ask("GET", "reservations")).reservations,
            planned_at=answers.planned_at(told),
            partitions=answers.read_partitions(self._ask("GET", "partitions")),
        )

    def ends(self, jobs: Sequence[int]) -> Mapping[int, JobRecord]:
        """Return what Slurm still knows of *jobs*."""
        known: dict[int, JobRecord] = {}
        for number in jobs:
            try:
                known |= {job.job_id: job for job in answers.read_jobs(self._ask("GET", f"job/{number}")).jobs}
            except SlurmRefused as error:
                if UNKNOWN_JOB not in str(error):
                    raise
        return known

    def over_on(self, nodes: Sequence[NodeName] | None) -> Sequence[JobRecord]:  # noqa: ARG002 - slurmrestd's jobs have those that are over
        """Return nothing: they were in the reading."""
        return ()

    def submit(self, job: BatchJob) -> int:
        """Submit *job* and return its number."""
        answer = self._ask("POST", "job/submit", msgspec.json.encode(submission(job, self._path)))
        try:
            return msgspec.json.decode(answer, type=Submitted).job_id
        except msgspec.DecodeError as error:
            raise SlurmUnreadable(f"slurmrestd's answer to a submission names no job: {error}") from error

    def cancel(self, jobs: Sequence[int]) -> None:
        """End *jobs*."""
        for number in jobs:
            self._ask("DELETE", f"job/{number}")

    def _ask(self, method: str, what: str, body: bytes | None = None) -> bytes:
        self._version = self._version or self._find_version()
        status, answer = self._fetch(method, f"/slurm/{self._version}/{what}", body)
        if status == http.client.NOT_FOUND:
            self._version = ""  # a newer slurmrestd may offer it no more: looked for anew with the next question
        if status != http.client.OK:
            raise refusal(status, answer)
        return answer

    def _find_version(self) -> str:
        for version in VERSIONS:
            status, _answer = self._fetch("GET", f"/slurm/{version}/ping", None)
            if status != http.client.NOT_FOUND:
                return version
        raise SlurmUnreadable(f"slurmrestd offers none of {', '.join(VERSIONS)}")


def refusal(status: int, answer: bytes) -> SlurmAway | SlurmRefused | SlurmTokenUnusable:
    """Return what it means that slurmrestd answered *status* and said *answer*."""
    try:
        words = "; ".join(map(str, msgspec.json.decode(answer, type=answers.Refusal).errors))
    except msgspec.DecodeError:
        words = answer[:500].decode(errors="replace")
    said = f"slurmrestd ({status}): {words}"
    if status in REFUSED_TOKEN or any(sign in words for sign in UNKNOWN_USER):
        return SlurmTokenUnusable(f"{said}: it does not accept the token")
    if status in NO_ANSWER or any(sign in words for sign in AWAY):
        return SlurmAway(said)
    return SlurmLimit(said) if any(sign in words for sign in LIMITS) else SlurmRefused(said)


def submission(job: BatchJob, path: str = PATH) -> dict[str, object]:
    """Return the body that asks slurmrestd for *job*: the same as `sbatch_argv` asks for, but for how its log is opened; with *path* to search."""
    fields: dict[str, object] = {
        "name": job.name,
        "comment": job.comment,
        "partition": job.partition,
        "qos": job.qos,
        "account": job.account,
        "constraints": job.constraint,
        "required_nodes": [job.node] if job.node else None,
        "minimum_nodes": 1,
        "maximum_nodes": 1,
        "tasks": 1,
        "cpus_per_task": job.resources.cores,
        "memory_per_node": _number(-(-job.resources.memory // MEBI)),
        "tres_per_node": f"gres/gpu:{job.resources.gpus}" if job.resources.gpus else "",
        "time_limit": _number(job.minutes),
        "time_minimum": _number(job.least_minutes) if job.least_minutes else None,
        "deadline": None if job.deadline is None else job.deadline // 1000,
        "requeue": False,
        "current_working_directory": job.folder or "/",
        "standard_output": job.log,
        "environment": [f"PATH={path}"],
    }
    return {"script": job.script, "job": {name: value for name, value in fields.items() if value not in ("", None)}}


def _number(value: int) -> dict[str, object]:
    return {"set": True, "infinite": False, "number": value}
