"""What we submit: a batch job that holds one allocation and runs its agent. Pure text and values."""

import hashlib
import hmac
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from idleq.ids import AllocationId, Millis, NodeName
from idleq.migration.confinement import OWNER_LABEL
from idleq.migration.ports import RuntimeName
from idleq.scheduler.core.commands import Mode, RequestAllocation
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.paths import AGENT_PID
from idleq.scheduler.sitefolder import TICKET
from idleq.scheduler.slurm.errors import SlurmRefused
from idleq.scheduler.slurm.partitions import words_of
from idleq.scheduler.slurm.records import MEBI, JobRecord

MINUTE_MS = 60_000

END_SECONDS, KILL_SECONDS = 60, 5
"""For so long an engine may take to end what an agent that was killed has left in it, and then to end itself."""

NODE, UNTIL, SCRATCH = "{node}", "{until}", "{scratch}"
"""What an agent is told on its node: its name, when Slurm ends the allocation (Unix milliseconds, by the node's clock), an empty folder of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """How allocations are asked for at this site; what is empty is left to the site's defaults.

    Attributes:
        server: names our daemon among others, in every allocation's comment.
        user: who submits.
        partition: where preemptible allocations go.
        window_partition: where windows go.
        mode: which of the two is asked for.
        qos: of both.
        account: who is charged.
        features: what every node must have all of, with commas between.
        shares_nodes: whether guests take what main jobs leave of their nodes; whole idle nodes alone where not.
        folder: the server directory, where Slurm writes what the script prints; empty where it is not to be written, as in the name
            of users who have nothing there.
        secret: where allocations belong to many users: seals their comments, so that none of those users can pass a job of theirs off
            as an allocation; empty where all are the daemon's own user's.
    """

    server: str
    user: str
    partition: str = ""
    window_partition: str = ""
    mode: Mode = Mode.PREEMPTIBLE
    qos: str = ""
    account: str = ""
    features: str = ""
    shares_nodes: bool = False
    folder: str = "/"
    secret: bytes = field(default=b"", repr=False)

    @property
    def needed_features(self) -> frozenset[str]:
        """What a node must have all of."""
        return words_of(self.features.replace(" ", ""))

    @property
    def partitions(self) -> frozenset[str]:
        """Where allocations go in the mode that is in force; none is Slurm's default."""
        return frozenset({self.window_partition if self.mode is Mode.WINDOW else self.partition}) - {""}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJob:
    """One allocation as Slurm is asked for it; whole minutes, as Slurm counts them.

    What could not be over by *deadline* Slurm does not start, and drops: also where no daemon is there any more to take it back.
    """

    comment: str
    name: str
    partition: str
    qos: str
    account: str
    node: NodeName | None
    resources: Resources
    minutes: int
    least_minutes: int | None
    folder: str
    script: str
    deadline: Millis | None = None
    user: str = ""
    features: frozenset[str] = frozenset()

    @property
    def log(self) -> str:
        """Where Slurm writes what the script prints."""
        return f"{self.folder}/{self.name}.slurm.log" if self.folder else "/dev/null"

    @property
    def constraint(self) -> str:
        """Its features, as Slurm reads that all are meant."""
        return "&".join(sorted(self.features))


def server_name(folder: Path) -> str:
    """Return what tells the daemon of *folder* from others of the same user; any login node that shares the folder says the same."""
    return hashlib.sha256(str(folder).encode()).hexdigest()[:8]


def comment(settings: SiteSettings, allocation: AllocationId, user: str = "") -> str:
    """Return what marks an allocation of ours, which *user* holds, in the outside world."""
    mark = f"idleq:{settings.server}:{allocation}"
    return f"{mark}:{_seal(settings, allocation, user)}" if settings.secret else mark


def allocation_of(job: JobRecord, settings: SiteSettings) -> AllocationId | None:
    """Return which of our allocations *job* is, None if it is somebody else's.

    Others can write comments too, but not as us; and where allocations belong to others, not with our seal for their name.
    """
    ours, _, rest = job.comment.partition(f"idleq:{settings.server}:")
    name, _, seal = rest.partition(":")
    if ours or not name:
        return None
    allocation = AllocationId(name)
    if settings.secret:
        is_ours = hmac.compare_digest(seal.encode(), _seal(settings, allocation, job.user_name).encode())
    else:
        is_ours = not seal and job.user_name == settings.user
    return allocation if is_ours else None


def _seal(settings: SiteSettings, allocation: AllocationId, user: str) -> str:
    words = f"{settings.server}:{allocation}:{user}".encode()
    return hmac.new(settings.secret, words, hashlib.sha256).hexdigest()[:32]


def batch_job(
    command: RequestAllocation, settings: SiteSettings, agent: Sequence[str], now: Millis, ticket: str = ""
) -> BatchJob:
    """Return the batch job for *command*, which runs *agent*, if it is submitted *now*; *ticket*: see `script`.

    Raises:
        SlurmRefused: it is a window of less than a minute, which Slurm would make longer than its gap.
    """
    is_window = command.mode is Mode.WINDOW
    left_ms = command.max_ms if command.ends_by is None else min(command.max_ms, command.ends_by - now)
    most = left_ms // MINUTE_MS
    if is_window and most <= 0:
        raise SlurmRefused(f"Slurm counts in minutes, and this window has {left_ms / 1000:g} s")
    least, minutes = max(1, -(-command.min_ms // MINUTE_MS)), max(1, most)
    return BatchJob(
        comment=comment(settings, command.allocation, command.user),
        name=f"idleq-{command.allocation}",
        partition=settings.window_partition if is_window else settings.partition,
        qos=settings.qos,
        account=settings.account,
        node=command.node,
        resources=command.resources,
        minutes=minutes,
        least_minutes=None if is_window or least >= minutes else least,
        folder=settings.folder,
        script=script(command.allocation, command.resources, agent, ticket),
        deadline=command.ends_by,
        user=command.user,
        features=settings.needed_features,
    )


def script(allocation: AllocationId, resources: Resources, agent: Sequence[str], ticket: str = "") -> str:
    """Return the batch script of *allocation*, which is to have all of *resources*; its agent finds *ticket* in its environment.

    Words of *agent* that are `NODE`, `UNTIL` or `SCRATCH` become what they name, on the node. Slurm's times are those of the
    controller. A node whose clock is behind counts the allocation's length from when the script begins, which is late by the
    prologue; one whose clock is right, or ahead, takes the end that it is told.
    """
    words, told = shlex.join(agent), f"export {TICKET}={shlex.quote(ticket)}\n" if ticket else ""
    for word in (NODE, UNTIL, SCRATCH):
        words = words.replace(shlex.quote(word), f'"${word.strip("{}")}"')
    return f"""\
#!/bin/sh
# Allocation {allocation} of idleq. The agent is a step of its own: when Slurm takes a node back it tells steps, and not this shell,
# that their grace has begun. A step has no more cores than it asks for, and none of this shell's environment unless told so.
node=$SLURMD_NODENAME
told() {{ SLURM_TIME_FORMAT=%s squeue --all --noheader --jobs="$SLURM_JOB_ID" --format="$1"; }}
begin=${{SLURM_JOB_START_TIME:-$(told %S)}}
end=${{SLURM_JOB_END_TIME:-$(told %e)}}
by_length=$(($(date +%s) + end - begin))
until=$((by_length < end ? by_length : end))000
# Where Slurm kills this shell outright, the scratch stays, empty once the agent has left: the next one there removes it a day later.
find "${{TMPDIR:-/tmp}}/" -mindepth 1 -maxdepth 1 -type d -user "$(id -u)" -name 'idleq-[0-9]*-??????' -mtime +0 -empty -delete 2>/dev/null
scratch=$(mktemp -d "${{TMPDIR:-/tmp}}/idleq-$SLURM_JOB_ID-XXXXXX") || exit 1
{told}srun --export=ALL --ntasks=1 --cpus-per-task={resources.cores} --cpu-bind=none --overlap {words}
code=$?
# Where Slurm has given the node up, srun ends, and not the agent: it and its guests are still at home in the scratch.
while agent=$(cat "$scratch/{AGENT_PID}" 2>/dev/null) && [ "$agent" -gt 1 ] 2>/dev/null && kill -0 "$agent" 2>/dev/null; do sleep 1; done
# Of an agent that was killed, containers go on: no step's children, and nothing that Slurm ends where a job does not end by Slurm.
owner="label={OWNER_LABEL}=$scratch"
# What an engine that hangs still has is left to the next agent of this user here: the node is to be given back.
soon="timeout --kill-after={KILL_SECONDS} {END_SECONDS}"
[ -e "$scratch/{RuntimeName.PODMAN}" ] && $soon podman rm --force --volumes --time=0 --filter "$owner" >/dev/null 2>&1
[ -e "$scratch/{RuntimeName.DOCKER}" ] && $soon docker ps --all --quiet --filter "$owner" | xargs -r $soon docker rm --force --volumes >/dev/null 2>&1
rm -rf "$scratch"
exit $code
"""


def sbatch_argv(job: BatchJob) -> list[str]:
    """Return how `sbatch` is asked for *job*; the script goes to its standard input."""
    return [
        "sbatch",
        "--parsable",
        *sorted(f"--{name}={value}" if value else f"--{name}" for name, value in _options(job).items()),
    ]


def scancel_argv(jobs: Sequence[int]) -> list[str]:
    """Return how `scancel` ends *jobs*."""
    return ["scancel", "--quiet", *map(str, sorted(jobs))]


def _options(job: BatchJob) -> Mapping[str, str]:
    options = {
        "no-requeue": "",  # the daemon owns what runs again
        "export": "NONE",  # what the daemon has in its environment is not for nodes
        "job-name": job.name,
        "comment": job.comment,
        "nodes": "1",
        "ntasks": "1",
        "cpus-per-task": str(job.resources.cores),
        "mem": f"{-(-job.resources.memory // MEBI)}M",
        "time": str(job.minutes),
        "chdir": job.folder or "/",
        "output": f"{job.name}.slurm.log" if job.folder else job.log,
        "open-mode": "append",
    }
    optional = {
        "partition": job.partition,
        "qos": job.qos,
        "account": job.account,
        "nodelist": job.node or "",
        "time-min": str(job.least_minutes or ""),
        "gpus-per-node": str(job.resources.gpus or ""),
        "constraint": job.constraint,
        "deadline": "" if job.deadline is None else _in_local_time(job.deadline),
    }
    return options | {name: value for name, value in optional.items() if value}


def _in_local_time(instant: Millis) -> str:
    """Return *instant* as Slurm's commands read times: by this machine's time zone, and to the second before."""
    return datetime.fromtimestamp(instant // 1000).strftime("%Y-%m-%dT%H:%M:%S")  # noqa: DTZ006 - the commands know no zone
