"""How many `true` jobs two cores run in a second, from one command to the last result, beside HyperQueue.

The two take turns, so that whatever else the machine does hits both.
"""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench import hyperqueue
from bench.row import Row
from bench.server import IDLEQ, idleq, serving
from idleq.ids import EntryId, entry_of
from idleq.scheduler.core.facts import JobDone, SegmentRunning
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.store.database import sqlite_url
from idleq.scheduler.store.journal import Journal

CORES = 2
JOBS = 3_000
ROUNDS = 2
LIMIT_SECONDS = 60
"""A round that takes longer is stopped, and what was done by then is counted."""

CONFIG = f'[cluster]\nkind = "local"\ncores = {CORES}\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """So many jobs were done in so many seconds; *journal_seconds* from the first launch to the last end."""

    done: int
    seconds: float
    journal_seconds: float


def rows() -> list[Row]:
    """All processes of either have the same two cores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    ours: list[Round] = []
    theirs: list[tuple[int, float]] = []
    trouble = ""
    try:
        with hyperqueue.installed() as packages:
            for _ in range(ROUNDS):
                ours.append(_round())
                theirs.append(hyperqueue.run_true(packages, JOBS))
    except hyperqueue.HyperQueueAway as error:
        trouble = str(error)
        ours = ours or [_round()]
    rate = sum(one.done for one in ours) / sum(one.seconds for one in ours)
    return [_our_row(ours, rate), *_their_rows(theirs, rate, trouble)]


def _our_row(rounds: list[Round], rate: float) -> Row:
    done = sum(one.done for one in rounds)
    inside = sum(one.journal_seconds for one in rounds)
    note = f"{done} of {JOBS * len(rounds)} done; from the first launch to the last end, by the journal, {done / inside:.0f} a second"
    name = f"true jobs run end to end on {CORES} cores, {len(rounds)} arrays of {JOBS}"
    return Row(name=name, value=rate, unit="jobs/s", target=200.0, better="more", note=note)


def _their_rows(rounds: list[tuple[int, float]], rate: float, trouble: str) -> list[Row]:
    name = f"the same by HyperQueue {hyperqueue.VERSION}, in turns with idleq"
    ratio = "true jobs a second, idleq to HyperQueue"
    if trouble:
        return [
            Row(name=name, value=None, unit="jobs/s", note=trouble),
            Row(name=ratio, value=None, unit="", note=trouble),
        ]
    their_rate = sum(done for done, _ in rounds) / sum(seconds for _, seconds in rounds)
    each = ", ".join(f"{done / seconds:.0f}" for done, seconds in rounds)
    return [
        Row(name=name, value=their_rate, unit="jobs/s", better="more", note=f"round by round: {each}"),
        Row(name=ratio, value=rate / their_rate, unit="", better="more"),
    ]


def _round() -> Round:
    with serving(CONFIG) as environment:
        start = time.perf_counter()
        entry = idleq(
            *("submit", "--array", f"0-{JOBS - 1}", "--freeze", "none", "--memory", "16M", "--", "true"),
            environment=environment,
        )
        # Its exit code says whether all were done in time; the journal says how many were.
        subprocess.run(
            [IDLEQ, "--quiet", "wait", entry, "--timeout", f"{LIMIT_SECONDS}s"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        done, inside = _journalled(Path(environment["IDLEQ_SERVER_DIR"]), EntryId(int(entry)))
    return Round(done=done, seconds=seconds, journal_seconds=inside)


def _journalled(server_dir: Path, entry: EntryId) -> tuple[int, float]:
    """How many jobs of *entry* are done, and the seconds between the first launch and the last end."""
    journal = Journal.open(sqlite_url(ServerPaths(server_dir).journal), create=False)
    try:
        facts = [fact for _, fact in journal.facts()]
    finally:
        journal.close()
    begun = [fact.since for fact in facts if isinstance(fact, SegmentRunning) and entry_of(fact.job) == entry]
    ended = [fact.ended_at for fact in facts if isinstance(fact, JobDone) and entry_of(fact.job) == entry]
    if not ended:
        raise SystemExit(f"not one job was done within {LIMIT_SECONDS} s")
    return len(ended), (max(ended) - min(begun)) / 1000
