"""What `squeue`, `sinfo` and `scontrol` print in columns, as records: for versions whose JSON lacks what gaps are made of (before 23.02)."""

import re

from idleq.ids import NodeName
from idleq.scheduler.slurm.errors import SlurmUnreadable
from idleq.scheduler.slurm.questions import JOB_COLUMNS, NODE_COLUMNS, SEPARATOR, row_end
from idleq.scheduler.slurm.records import JobRecord, NodeRecord, ReservationRecord

NOTHING_SAID = {"(null)", "N/A", "NONE", "Unknown", "None", ""}
NO_RESERVATIONS = "No reservations in the system"
_LAST_BACKFILL = re.compile(r"Last cycle when:.*\(([0-9]+)\)", re.ASCII)


def read_jobs(text: str, mark: str = "") -> list[JobRecord]:
    """Return the jobs that `squeue` printed when it was asked with *mark*.

    Raises:
        SlurmUnreadable: a row is not what was asked for, or its end is missing.
    """
    *rows, rest = f"{text}\n".split(row_end(mark))
    if rest.strip():
        raise SlurmUnreadable(f"{rest[:200]!r} has no end: it is not what was asked for, or not all of it")
    return [_job(row) for row in rows]


def read_nodes(text: str) -> list[NodeRecord]:
    """Return the nodes that `sinfo` printed, once each (it prints them once for every partition); raise as `read_jobs` does."""
    return [_node(line) for line in dict.fromkeys(_lines(text))]


def read_features(text: str) -> dict[NodeName, str]:
    """Return the features of each node that `sinfo` printed; raise as `read_jobs` does."""
    lines = [_split(line, ("NodeHost", "features_act")) for line in _lines(text)]
    return {NodeName(name): _text(features) for name, features in lines}


def read_reservations(text: str) -> list[ReservationRecord]:
    """Return the reservations that `scontrol` printed; raise as `read_jobs` does."""
    return [_reservation(line) for line in _lines(text) if not line.startswith(NO_RESERVATIONS)]


def read_last_backfill(text: str) -> int | None:
    """Return when the scheduler last planned, by what `sdiag` printed; None if it does not say."""
    found = _LAST_BACKFILL.search(text)
    return int(found[1]) if found else None


def _job(line: str) -> JobRecord:
    number, state, _partition, user, start, end, preempted, eligible, *rest = _split(line, JOB_COLUMNS)
    nodes, planned, tres, _reason, comment, name = rest
    return JobRecord(
        job_id=_whole(number, line),
        name=name,
        job_state=state,
        nodes=_text(nodes),
        scheduled_nodes=_text(planned),
        start_time=_time(start, line),
        end_time=_time(end, line),
        preempt_time=_time(preempted, line),
        eligible_time=_time(eligible, line),
        user_name=user,
        comment=_text(comment),
        tres_alloc_str=_text(tres),
    )


def _node(line: str) -> NodeRecord:
    name, state, cpus, memory, allocated_memory, gres, gres_used = _split(line, NODE_COLUMNS)
    allocated, total = _allocated_and_total(cpus, line)
    return NodeRecord(
        name=NodeName(name),
        state=state.upper().split("+"),
        cpus=total,
        real_memory=_whole(memory, line),
        alloc_cpus=allocated,
        alloc_memory=_whole(allocated_memory, line),
        gres=_text(gres),
        gres_used=_text(gres_used),
    )


def _reservation(line: str) -> ReservationRecord:
    said = dict(word.split("=", 1) for word in line.split() if "=" in word)
    try:
        start, end = _time(said["StartTime"], line), _time(said["EndTime"], line)
        return ReservationRecord(
            name=said["ReservationName"],
            node_list=_text(said["Nodes"]),
            start_time=start,
            end_time=end,
            flags=said.get("Flags", "").split(","),
        )
    except KeyError as missing:
        raise SlurmUnreadable(f"a reservation lacks {missing}: {line[:200]!r}") from None


def _lines(text: str) -> list[str]:
    """Return the lines of *text*; what else Unicode takes for the end of a line is a part of one."""
    return [line for line in text.split("\n") if line]


def _split(line: str, columns: tuple[str, ...]) -> list[str]:
    parts = [part.strip() for part in line.split(SEPARATOR, len(columns) - 1)]
    if len(parts) != len(columns):
        raise SlurmUnreadable(f"{line[:200]!r} has {len(parts)} columns, not the {len(columns)} that were asked for")
    parts[-1] = parts[-1].removesuffix(SEPARATOR)
    return parts


def _allocated_and_total(cpus: str, line: str) -> tuple[int, int]:
    """Return the first and the last of "allocated/idle/other/total"."""
    parts = [_whole(part, line) for part in cpus.split("/")]
    if len(parts) != len("AIOT"):
        raise SlurmUnreadable(f"{line[:200]!r} has no CPUs as allocated/idle/other/total")
    return parts[0], parts[-1]


def _text(said: str) -> str:
    return "" if said in NOTHING_SAID else said


def _time(said: str, line: str) -> int:
    return 0 if said in NOTHING_SAID else _whole(said, line)


def _whole(said: str, line: str) -> int:
    if not (said.isascii() and said.isdigit()):
        raise SlurmUnreadable(f"{said!r} is no number, in {line[:200]!r}")
    return int(said)
