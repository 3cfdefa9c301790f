"""A site's own accounting as a trace: what `sacct --json` or `sacct --parsable2` prints becomes a log in swf."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from idleq.simulator.errors import BadTrace

NEEDED = ("JobID", "Submit", "Start", "ElapsedRaw", "Timelimit", "AllocCPUS")
"""The columns that a table must have: `sacct -a -X --parsable2 -o JobID,Submit,Start,ElapsedRaw,Timelimit,AllocCPUS,...`"""

UNFINISHED = {"PENDING", "RUNNING", "SUSPENDED", "REQUEUED", "RESIZING", "COMPLETING", "CONFIGURING"}
COMPLETED, FAILED, CANCELLED = 1, 0, 5
"""The format's states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A finished job as sacct tells of it; times in seconds, *limit* None where there was none."""

    id: str
    submit: int
    start: int
    run: int
    limit: int | None
    size: int
    state: str
    user: str
    qos: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A log in swf, and what became of each record.

    Attributes:
        text: the log.
        jobs: how many it has.
        processors: what its header says that the machine has.
        dropped: why records were left out, and how many.
    """

    text: str
    jobs: int
    processors: int
    dropped: Mapping[str, int]


def import_sacct(content: str, processors: int | None = None) -> Imported:
    """Return what sacct printed as a log; *processors* None takes the most that were ever in use at once.

    Raises:
        BadTrace: it is not sacct's, or no job of it has ended.
    """
    dropped: Counter[str] = Counter()
    found = _from_json(content, dropped) if content.lstrip().startswith("{") else _from_table(content, dropped)
    records = sorted(found, key=lambda record: record.submit)
    if not records:
        reasons = ", ".join(f"{count} x {reason}" for reason, count in dropped.items()) or "there are no records"
        raise BadTrace(f"no job of this accounting has run and ended: {reasons}")
    size = processors or _most_in_use(records)
    return Imported(
        text=_swf(records, size, is_given=processors is not None, dropped=dropped),
        jobs=len(records),
        processors=size,
        dropped=dict(dropped),
    )


def _from_table(content: str, dropped: Counter[str]) -> Iterator[Record]:
    lines = content.splitlines()
    titles = lines[0].split("|") if lines else []
    lacking = [name for name in NEEDED if name not in titles and f"{name}Raw" not in titles]
    if lacking:
        raise BadTrace(
            f"this is no table of sacct with all that is needed; it lacks {', '.join(lacking)}: "
            f"sacct -a -X --parsable2 -o {','.join(NEEDED)},State,User,QOS"
        )
    for line in lines[1:]:
        fields = dict(zip(titles, line.split("|"), strict=False))
        if "." in fields["JobID"]:
            continue  # a step: its job has a line of its own
        reason = _why_not(fields.get("State", "COMPLETED"))
        try:
            if not reason:
                yield _table_record(fields)
                continue
        except (ValueError, KeyError):
            reason = "a field that cannot be read"
        dropped[reason] += 1


def _table_record(fields: Mapping[str, str]) -> Record:
    start = _moment(fields["Start"])
    run = int(fields["ElapsedRaw"]) if "ElapsedRaw" in fields else _span(fields["Elapsed"])
    limit = fields.get("TimelimitRaw") or fields["Timelimit"]
    return Record(
        id=fields["JobID"],
        submit=_moment(fields["Submit"]),
        start=start,
        run=run,
        limit=int(limit) * 60 if limit.isdigit() else _span(limit) if limit[:1].isdigit() else None,
        size=int(fields["AllocCPUS"]),
        state=fields.get("State", "COMPLETED"),
        user=fields.get("User", ""),
        qos=fields.get("QOS", ""),
    )


def _from_json(content: str, dropped: Counter[str]) -> Iterator[Record]:
    try:
        jobs = json.loads(content)["jobs"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadTrace(f"this is no JSON of sacct (an object with jobs): {error}") from error
    for job in jobs:
        try:
            state = job["state"]["current"]
            state = state[0] if isinstance(state, list) else state
            reason = _why_not(state)
            if not reason:
                yield _json_record(job, state)
                continue
        except (KeyError, TypeError, ValueError, IndexError):
            reason = "a field that cannot be read"
        dropped[reason] += 1


def _json_record(job: Mapping[str, Any], state: str) -> Record:
    time = job["time"]
    allocated = [entry["count"] for entry in job["tres"]["allocated"] if entry["type"] == "cpu"]
    limit = _number(time["limit"])
    return Record(
        id=str(job["job_id"]),
        submit=int(time["submission"]),
        start=int(_number(time["start"]) or 0),
        run=int(time["elapsed"]),
        limit=None if limit is None else limit * 60,
        size=int(allocated[0]),
        state=state,
        user=str(job.get("user", "")),
        qos=str(job.get("qos", "")),
    )


def _number(value: dict[str, Any] | int | str) -> int | None:
    """Return a number of sacct's JSON: plain in old versions, {"set", "infinite", "number"} in newer ones."""
    if isinstance(value, dict):
        return int(value["number"]) if value.get("set") and not value.get("infinite") else None
    return int(value)


def _why_not(state: str) -> str:
    return "not over yet" if set(state.split(maxsplit=1)[:1]) & UNFINISHED else ""


def _moment(text: str) -> int:
    """Return seconds; a time without a zone is taken as UTC, so that all intervals stay what they were."""
    if text.isdigit():
        return int(text)
    at = datetime.fromisoformat(text)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def _span(text: str) -> int:
    """Return the seconds of [days-]hours:minutes:seconds or minutes:seconds."""
    days, _, rest = text.rpartition("-")
    seconds = 0
    for part in rest.split(":"):
        seconds = seconds * 60 + int(part)
    return int(days or 0) * 86_400 + seconds


def _most_in_use(records: Sequence[Record]) -> int:
    changes = [(record.start, record.size) for record in records]
    changes += [(record.start + record.run, -record.size) for record in records]
    used = most = 0
    for _, change in sorted(changes):
        used += change
        most = max(most, used)
    return max(most, *(record.size for record in records))


def _swf(records: Sequence[Record], processors: int, *, is_given: bool, dropped: Mapping[str, int]) -> str:
    first = records[0].submit
    users = {name: number for number, name in enumerate(dict.fromkeys(one.user for one in records), start=1)}
    queues = {name: number for number, name in enumerate(dict.fromkeys(one.qos for one in records), start=1)}
    header = [
        "; Version: 2.2",
        "; Conversion: from sacct, by idleq",
        f"; MaxJobs: {len(records)}",
        f"; UnixStartTime: {first}",
        f"; MaxProcs: {processors}",
        *([] if is_given else ["; Note: MaxProcs is the most that were in use at once; the machine may be larger"]),
        "; Note: processors are allocated CPUs; users are numbered in the order of their first job",
        "; Note: a job without a time limit has -1 there; times without a zone were taken as UTC",
        *(f"; Note: left out: {count} x {reason}" for reason, count in dropped.items()),
        *(f"; Queue: {number} {name or '(no QOS)'}" for name, number in queues.items()),
    ]
    rows = [_row(number, one, first, users, queues) for number, one in enumerate(records, start=1)]
    return "\n".join([*header, *rows, ""])


def _row(number: int, one: Record, first: int, users: Mapping[str, int], queues: Mapping[str, int]) -> str:
    status = {"COMPLETED": COMPLETED, "CANCELLED": CANCELLED}.get(one.state.split()[0], FAILED)
    limit = -1 if one.limit is None else one.limit
    fields = [number, one.submit - first, max(0, one.start - one.submit), one.run, one.size, -1, -1, one.size, limit]
    fields += [-1, status, users[one.user], -1, -1, queues[one.qos], -1, -1, -1]
    return " ".join(map(str, fields))
