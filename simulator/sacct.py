"""A site's own accounting as a trace: what `sacct --json` or `sacct --parsable2` prints becomes a log in swf."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from idleq.simulator.errors import BadTrace

NEEDED = ("JobID", "Submit", "Start", "ElapsedRaw", "Timelimit", "AllocCPUS")
"""The columns that a table must have: `sacct -a -X --parsable2 -o JobID,Submit,Start,ElapsedRaw,Timelimit,AllocCPUS,...`"""

UNFINISHED = {"PENDING", "RUNNING", "SUSPENDED", "REQUEUED", "RESIZING", "COMPLETING", "CONFIGURING"}
COMPLETED, FAILED, CANCELLED = 1, 0, 5
"""The format's states."""

RAW = {"JobID": "JobIDRaw", "Timelimit": "TimelimitRaw"}
"""Columns that will do in place of these; by a raw number no component of a heterogeneous job can be told from a job."""

NEVER = {"None", "Unknown"}
"""What sacct writes for the start of a job that never started, as one that was cancelled while it waited."""

NEVER_BEGUN = 2**32 - 2
"""What its JSON has there."""

UNREADABLE = "a field that cannot be read"
MOST_NAMED = 5
"""So many records that cannot be read are named; the others are counted."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A finished job as sacct tells of it; times in seconds, *limit* None where there was none.

    A component of a heterogeneous job has a record of its own; *parent* says of which job then, and is empty of all others.
    """

    id: str
    submit: int
    start: int
    run: int
    limit: int | None
    size: int
    state: str
    user: str
    qos: str
    parent: str = ""


class Unreadable(ValueError):
    """A field is not what sacct writes there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A log in swf, and what became of each record.

    Attributes:
        text: the log.
        jobs: how many it has.
        processors: what its header says that the machine has.
        unlimited: how many of the jobs have no time limit of their own.
        too_large: how many ask for more than the machine is said to have.
        dropped: why records were dropped, and how many.
        unreadable: of those that cannot be read, where and what: the first few.
    """

    text: str
    jobs: int
    processors: int
    unlimited: int
    too_large: int
    dropped: Mapping[str, int]
    unreadable: tuple[str, ...] = ()


def import_sacct(content: str, processors: int | None = None, default_limit: int | None = None) -> Imported:
    """Return what sacct printed as a log.

    *processors* None takes the most that were ever in use at once; jobs without a time limit get *default_limit* seconds.

    Raises:
        BadTrace: it is not sacct's, or no job of it has ended.
    """
    dropped: Counter[str] = Counter()
    unreadable: list[str] = []
    read = _from_json if content.lstrip().startswith("{") else _from_table
    used = _used(read(content, dropped, unreadable), dropped)
    records = sorted(_put_together(used), key=lambda record: record.submit)
    if not records:
        reasons = ", ".join(f"{count} x {reason}" for reason, count in dropped.items()) or "there are no records"
        raise BadTrace(f"no job of this accounting has run and ended: {'; '.join([reasons, *unreadable[:MOST_NAMED]])}")
    size = processors or _most_in_use(records)
    unlimited = sum(record.limit is None for record in records)
    if default_limit is not None:
        records = [replace(one, limit=default_limit) if one.limit is None else one for one in records]
    notes = [f"dropped: {count} x {reason}" for reason, count in dropped.items()]
    if unlimited and default_limit is not None:
        notes.append(f"{unlimited} jobs had no time limit and got {default_limit} s")
    return Imported(
        text=_swf(records, size, is_given=processors is not None, notes=notes),
        jobs=len(records),
        processors=size,
        unlimited=unlimited,
        too_large=sum(record.size > size for record in records),
        dropped=dict(dropped),
        unreadable=tuple(unreadable[:MOST_NAMED]),
    )


def _from_table(content: str, dropped: Counter[str], unreadable: list[str]) -> Iterator[Record]:
    lines = [one for one in enumerate(content.lstrip("\ufeff").splitlines(), start=1) if one[1].strip()]
    titles = lines[0][1].split("|") if lines else []
    lacking = [name for name in NEEDED if name not in titles and RAW.get(name) not in titles]
    if lacking:
        raise BadTrace(
            f"this is no table of sacct with all that is needed; it lacks {', '.join(lacking)}: "
            f"sacct -a -X --parsable2 -o {','.join(NEEDED)},State,User,QOS"
        )
    for number, line in lines[1:]:
        fields = dict(zip(titles, line.split("|"), strict=False))
        if "." in _id(fields):
            continue  # a step: its job has a line of its own
        reason = _why_not(fields.get("State", "COMPLETED"), has_started=fields.get("Start") not in NEVER)
        try:
            if not reason:
                yield _table_record(fields)
                continue
        except Unreadable as error:
            reason = UNREADABLE
            unreadable.append(f"line {number}: {error}")
        dropped[reason] += 1


def _id(fields: Mapping[str, str]) -> str:
    return fields.get("JobID") or fields.get(RAW["JobID"], "")


def _table_record(fields: Mapping[str, str]) -> Record:
    def read(name: str, reader: Callable[[str], T]) -> T:
        try:
            return reader(fields[name])
        except KeyError:
            raise Unreadable(f"it ends before {name}") from None
        except ValueError:
            raise Unreadable(f"{name} is {fields[name]!r}") from None

    return Record(
        id=_id(fields),
        submit=read("Submit", _moment),
        start=read("Start", _moment),
        run=read("ElapsedRaw", int),
        limit=read("TimelimitRaw" if fields.get("TimelimitRaw") else "Timelimit", _limit),
        size=read("AllocCPUS", int),
        state=fields.get("State", "COMPLETED"),
        user=fields.get("User", ""),
        qos=fields.get("QOS", ""),
        parent=_id(fields).partition("+")[0] if "+" in _id(fields) else "",
    )


def _from_json(content: str, dropped: Counter[str], unreadable: list[str]) -> Iterator[Record]:
    try:
        jobs = json.loads(content)["jobs"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadTrace(f"this is no JSON of sacct (an object with jobs): {error}") from error
    if not isinstance(jobs, list):
        raise BadTrace("this is no JSON of sacct: its jobs are no list")
    for number, job in enumerate(jobs, start=1):
        try:
            state = job["state"]["current"]
            state = state[0] if isinstance(state, list) else state
            reason = _why_not(state, has_started=True) or _why_not(
                state, has_started=_number(job["time"]["start"]) not in {None, 0, NEVER_BEGUN}
            )
            if not reason:
                yield _json_record(job, state)
                continue
        except (KeyError, TypeError, ValueError, IndexError) as error:
            reason = UNREADABLE
            what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            unreadable.append(f"record {number}: {what}")
        dropped[reason] += 1


def _json_record(job: Mapping[str, Any], state: str) -> Record:
    time = job["time"]
    allocated = [entry["count"] for entry in job["tres"]["allocated"] if entry["type"] == "cpu"]
    limit = _number(time["limit"])
    return Record(
        id=str(job["job_id"]),
        submit=int(_number(time["submission"]) or 0),
        start=int(_number(time["start"]) or 0),
        run=int(_number(time["elapsed"]) or 0),
        limit=None if limit is None else limit * 60,
        size=int(allocated[0]),
        state=state,
        user=str(job.get("user", "")),
        qos=str(job.get("qos", "")),
        parent=str(job.get("het", {}).get("job_id") or ""),
    )


def _number(value: dict[str, Any] | int | str) -> int | None:
    """Return a number of sacct's JSON: plain in old versions, {"set", "infinite", "number"} in newer ones."""
    if isinstance(value, dict):
        return int(value["number"]) if value.get("set") and not value.get("infinite") else None
    return int(value)


def _why_not(state: str, *, has_started: bool) -> str:
    if set(state.split(maxsplit=1)[:1]) & UNFINISHED:
        return "not over yet"
    return "" if has_started else "never started"


def _used(records: Iterable[Record], dropped: Counter[str]) -> Iterator[Record]:
    """Yield those that have taken something of the machine, and count the others as dropped."""
    for record in records:
        if record.run <= 0:
            dropped["ran for no time"] += 1
        elif record.size <= 0:
            dropped["had no CPUs"] += 1
        else:
            yield record


def _put_together(records: Iterable[Record]) -> Iterator[Record]:
    """Yield one record for all components of a heterogeneous job: Slurm starts them together."""
    components: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        if record.parent:
            components.setdefault((record.parent, record.submit), []).append(record)
        else:
            yield record
    for parts in components.values():
        start, limits = min(one.start for one in parts), [one.limit for one in parts if one.limit is not None]
        yield replace(
            parts[0],
            start=start,
            run=max(one.start + one.run for one in parts) - start,
            limit=max(limits) if len(limits) == len(parts) else None,
            size=sum(one.size for one in parts),
            state=next((one.state for one in parts if one.state != "COMPLETED"), "COMPLETED"),
        )


def _limit(text: str) -> int | None:
    """Return a limit in seconds: of minutes alone, or written as a duration; None of UNLIMITED and the like."""
    if text.isdecimal():
        return int(text) * 60
    return _span(text) if text[:1].isdecimal() else None


def _moment(text: str) -> int:
    """Return seconds; a time without a zone is taken as UTC, so that all intervals stay what they were."""
    if text.isdecimal():
        return int(text)
    at = datetime.fromisoformat(text)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def _span(text: str) -> int:
    """Return the seconds of [days-]hours:minutes:seconds, days-hours, days-hours:minutes or minutes:seconds."""
    days, has_days, rest = text.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if has_days:
        parts += [0] * (3 - len(parts))  # after days come hours, and minutes and seconds may be left out
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + part
    return int(days or 0) * 86_400 + seconds


def _most_in_use(records: Sequence[Record]) -> int:
    changes = [(record.start, record.size) for record in records]
    changes += [(record.start + record.run, -record.size) for record in records]
    used = most = 0
    for _, change in sorted(changes):
        used += change
        most = max(most, used)
    return max(most, *(record.size for record in records))


def _swf(records: Sequence[Record], processors: int, *, is_given: bool, notes: Iterable[str]) -> str:
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
        *(f"; Note: {note}" for note in notes),
        *(f"; Queue: {number} {name or '(no QOS)'}" for name, number in queues.items()),
    ]
    rows = [_row(number, one, first, users, queues) for number, one in enumerate(records, start=1)]
    return "\n".join([*header, *rows, ""])


def _row(number: int, one: Record, first: int, users: Mapping[str, int], queues: Mapping[str, int]) -> str:
    status = {"COMPLETED": COMPLETED, "CANCELLED": CANCELLED}.get(next(iter(one.state.split()), ""), FAILED)
    limit = -1 if one.limit is None else one.limit
    fields = [number, one.submit - first, max(0, one.start - one.submit), one.run, one.size, -1, -1, one.size, limit]
    fields += [-1, status, users[one.user], -1, -1, queues[one.qos], -1, -1, -1]
    return " ".join(map(str, fields))
