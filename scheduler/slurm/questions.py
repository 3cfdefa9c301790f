"""What we ask Slurm on the command line, as argument lists. Answers are for `answers` (JSON) or `columns` (text).

With `--all`: main jobs in partitions that are hidden, or closed to the asking user's groups, hold nodes as others do.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from idleq.ids import NodeName

SEPARATOR = "|"
"""Free text (comments, names) comes last in a row, so that a separator in it does no harm."""

JOB_COLUMNS = (
    "JobID",
    "State",
    "Partition",
    "UserName",
    "StartTime",
    "EndTime",
    "PreemptTime",
    "EligibleTime",
    "NodeList",
    "SchedNodes",
    "tres-alloc",
    "Reason",
    "Comment",
    "Name",
)
NODE_COLUMNS = ("NodeHost", "StateComplete", "CPUsState", "Memory", "AllocMem", "Gres", "GresUsed")

QOS_COLUMNS = (
    "Name",
    "GraceTime",
    "Preempt",
    "PreemptMode",
    "UsageFactor",
    "MaxJobsPerUser",
    "MaxSubmitJobsPerUser",
    "MaxWall",
)
ASSOCIATION_COLUMNS = ("Account", "Partition", "QOS", "MaxJobs", "MaxSubmitJobs", "MaxWall")

OVER = "BOOT_FAIL,CANCELLED,COMPLETED,DEADLINE,FAILED,NODE_FAIL,OUT_OF_MEMORY,PREEMPTED,TIMEOUT"
"""The states of jobs that are over."""

ENVIRONMENT: Mapping[str, str] = {"SLURM_TIME_FORMAT": "%s", "LC_ALL": "C", "SLURM_JSON": "compact"}
"""With it times are seconds since the epoch, messages are in English, and JSON is without the blanks that are almost half of it, where
Slurm knows how (later than 24.11)."""

PREFERENCES = ("SBATCH_", "SCANCEL_", "SCONTROL_", "SINFO_", "SQUEUE_", "SLURM_CLUSTERS", "SLURM_HINT")
"""So begin the variables by which people set options of these commands for themselves. In a profile they would narrow what we are
shown (SQUEUE_USERS, SCANCEL_STATE), or change what is submitted and where; SLURM_CONF, which says where Slurm is, stays."""


class Format(StrEnum):
    """How Slurm is asked to answer."""

    #: From Slurm 23.02 on.
    JSON = "json"
    #: Any version.
    TEXT = "text"


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return with what of our *own* environment Slurm's commands are run."""
    return {name: value for name, value in own.items() if not name.startswith(PREFERENCES)} | dict(ENVIRONMENT)


def ask_version() -> list[str]:
    """Say which Slurm it is."""
    return ["sinfo", "--version"]


def row_end(mark: str) -> str:
    """Return what ends a row of jobs.

    Comments and names may have line breaks, and whole rows that are made up. What ends a row is therefore nothing that anybody could
    have written into them, where *mark* is new with each question.
    """
    return f"{SEPARATOR}{mark}\n"


def ask_jobs(form: Format, mark: str = "") -> list[str]:
    """Ask for every job that is not over; *mark*: see `row_end`."""
    match form:
        case Format.JSON:
            return ["squeue", "--all", "--json"]
        case Format.TEXT:
            return ["squeue", "--all", "--noheader", _columns(JOB_COLUMNS, mark)]


def ask_ends(jobs: Sequence[int], mark: str = "") -> list[str]:
    """Ask how *jobs*, which are no longer among the others, have ended; Slurm remembers for some minutes (MinJobAge)."""
    numbers = ",".join(map(str, sorted(jobs)))
    return ["squeue", "--all", "--noheader", "--states=all", f"--jobs={numbers}", _columns(JOB_COLUMNS, mark)]


def ask_over_on(nodes: Sequence[NodeName] | None, mark: str = "") -> list[str]:
    """Ask for the jobs that have ended on some of *nodes* (None: anywhere); Slurm remembers for some minutes (MinJobAge)."""
    where = [] if nodes is None else [f"--nodelist={','.join(sorted(nodes))}"]
    return ["squeue", "--all", "--noheader", f"--states={OVER}", *where, _columns(JOB_COLUMNS, mark)]


def ask_nodes(form: Format) -> list[str]:
    """Ask for every node."""
    match form:
        case Format.JSON:
            return ["scontrol", "--all", "show", "nodes", "--json"]
        case Format.TEXT:
            return ["sinfo", "--all", "--noheader", "--Node", _columns(NODE_COLUMNS)]


def ask_features() -> list[str]:
    """Ask in columns what is said of the kind of each node."""
    return ["sinfo", "--all", "--noheader", "--Node", _columns(("NodeHost", "features_act"))]


def ask_reservations(form: Format) -> list[str]:
    """Ask for every reservation."""
    match form:
        case Format.JSON:
            return ["scontrol", "--all", "show", "reservations", "--json"]
        case Format.TEXT:
            return ["scontrol", "--all", "--oneliner", "show", "reservations"]


def ask_scheduler(form: Format) -> list[str]:
    """Ask when the scheduler has last planned."""
    return ["sdiag", "--json"] if form is Format.JSON else ["sdiag"]


def ask_configuration() -> list[str]:
    """Ask how this Slurm is configured; there is no JSON of it."""
    return ["scontrol", "show", "config"]


def ask_token(seconds: int, user: str = "") -> list[str]:
    """Ask for a token that holds for so long, for whoever asks; SlurmUser and root may have one for any *user*."""
    return ["scontrol", "token", *([f"username={user}"] if user else []), f"lifespan={seconds}"]


def ask_partitions() -> list[str]:
    """Ask for every partition; all versions answer in the same words."""
    return ["scontrol", "--all", "--oneliner", "show", "partitions"]


def ask_qos() -> list[str]:
    """Ask the accounting for every QOS; it has JSON of them from 23.02 on, and columns in all versions."""
    return ["sacctmgr", "--noheader", "--parsable2", "show", "qos", f"format={','.join(QOS_COLUMNS)}"]


def ask_associations(user: str, cluster: str) -> list[str]:
    """Ask the accounting under which accounts *user* may submit on *cluster*, and with what limits; it may know other clusters too."""
    return [
        *("sacctmgr", "--noheader", "--parsable2", "show", "associations"),
        *(f"cluster={cluster}", f"user={user}", f"format={','.join(ASSOCIATION_COLUMNS)}"),
    ]


def _columns(names: tuple[str, ...], mark: str = "") -> str:
    """Each column is followed by what stands behind its colon, as it is."""
    return "--Format=" + ",".join(f"{name}:{SEPARATOR}" for name in names) + mark
