"""The demo from its first line to its last."""

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from idleq.cli.catalog import load_catalog
from idleq.cli.commands.daemon import await_silence
from idleq.cli.demo.comparing import compare
from idleq.cli.demo.ending import FEWEST_MOVES, Ending, moves_of, problem_of, result_of, segment_lines
from idleq.cli.demo.moment import Moment, newest_losses
from idleq.cli.demo.place import DemoPlace
from idleq.cli.demo.programs import make_data, require_training, slow_down, start_alone
from idleq.cli.demo.screen import screen
from idleq.cli.demo.settings import EVENTS, DemoSettings
from idleq.cli.errors import DemoFailed
from idleq.cli.result import Result
from idleq.cli.session import Session
from idleq.cli.starting import start_daemon
from idleq.cli.wording import counted
from idleq.ids import JobId
from idleq.scheduler.core.submission import Submission
from idleq.scheduler.errors import DaemonAway
from idleq.scheduler.jobfile import submission_of
from idleq.scheduler.signals import on_stop

if TYPE_CHECKING:
    from idleq.cli.client import Client

LOOK_SECONDS = 0.5
PATIENCE_MS = 30 * 60_000
"""Many times what it takes; a demo that goes on for ever shows nothing."""

MOST_TRIES = 3
"""Four times the steps are enough for several gaps on a machine four times as fast."""


def run_demo(session: Session, settings: DemoSettings, directory: Path | None, *, keep: bool) -> Result:
    """Train in gaps and without, compare, report, and stop everything.

    Raises:
        TrainingMissing: packages that the training needs are not installed; nothing was begun.
        DemoFailed: something on the way did not work; what there is stays, to be looked at.
    """
    require_training()
    place = DemoPlace.create(directory)
    mine = replace(session, server_dir=place.server.root)
    place.server.create()
    session.say(f"Making the data set ({EVENTS:,} images, a minute or two) in {place.data} ...")
    with ended_by_signals():
        make_data(place.data, EVENTS, is_shown=session.is_talking)
        settings = replace(settings, slow_down=slow_down())
        if settings.slow_down > 1:
            session.say(f"Starting a training takes long here just now: gaps are {settings.slow_down} times as long.")
        settings.write(place.server.config)
        with everything_running(mine) as client:
            job = moved_often(mine, client, settings, place)
    return summed_up(place, job, keep=keep)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does: with all that it has started."""

    def leave(_: signal.Signals) -> None:
        raise KeyboardInterrupt

    with on_stop(leave, (signal.SIGTERM,)):
        yield


def moved_often(session: Session, client: "Client", settings: DemoSettings, place: DemoPlace) -> JobId:
    """Train until a job has moved as often as is to be shown, with twice the steps if the machine was too quick for that."""
    from idleq.bootstrap import make_report

    job = trained_twice(session, client, settings, place)
    for _ in range(MOST_TRIES - 1):
        moves = moves_of(make_report(place.server.root, place.report), job)
        if moves >= FEWEST_MOVES:
            break
        settings = replace(settings, steps=2 * settings.steps)
        session.say(
            f"This machine is quick: the job moved {counted(moves, 'time')} only. Once more with {settings.steps:,} steps ..."
        )
        place.tidy_alone()
        job = trained_twice(session, client, settings, place)
    return job


def trained_twice(session: Session, client: "Client", settings: DemoSettings, place: DemoPlace) -> JobId:
    """Let the same job train in gaps and, beside it, without any; return the former when both are done."""
    submission = training(settings, place)
    with alone(submission, place) as process:
        job = JobId(
            str(client.submit((submission,), request=uuid.uuid4().hex, user=os.environ.get("USER", "")).entries[0])
        )
        session.say(f"Submitted job {job}: train-cgan {' '.join(settings.arguments)}")
        session.say("The same training runs beside it without idleq, for the comparison at the end.")
        watch(session, client, job)
        session.say("Waiting for the uninterrupted run to compare with ...")
        if process.wait():
            raise DemoFailed(f"the uninterrupted run failed with exit code {process.returncode}: see {place.alone_log}")
    return job


def training(settings: DemoSettings, place: DemoPlace) -> Submission:
    """Return the job: its data set lies where every node can read it."""
    table = {
        "workload": "train-cgan",
        "args": list(settings.arguments),
        "environment": {"IDLEQ_DATA_DIR": str(place.data)},
    }
    return submission_of(table, load_catalog(), "the demo's job")[0]


@contextmanager
def everything_running(session: Session) -> Iterator["Client"]:
    """A daemon with its cluster; both are stopped in the end, whatever happens."""
    from idleq.bootstrap import stop_cluster

    start_daemon(session)
    try:
        yield session.client()
    finally:
        session.say("Stopping the daemon and its cluster ...")
        try:
            stop_daemon(session)
        finally:
            stop_cluster(session.paths.root)


def stop_daemon(session: Session) -> None:
    """Stop the daemon, if it still answers, and wait until it is gone."""
    try:
        client = session.client()
        pid = client.status().pid
        client.shut_down()
    except DaemonAway:
        return
    await_silence(session, pid)


@contextmanager
def alone(submission: Submission, place: DemoPlace) -> Iterator["subprocess.Popen[bytes]"]:
    """The same job as a plain process, at the same time; it does not outlive the demo."""
    process = start_alone(submission.spec.argv, dict(submission.spec.environment), place.alone, place.alone_log)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def watch(session: Session, client: "Client", job: JobId) -> None:
    """Show what happens until the job is over; raise DemoFailed if it is not done then."""
    end, losses = session.now() + PATIENCE_MS, newest_losses(session.paths.cluster.nodes)
    with screen(session) as show:
        while True:
            view = client.job(job)
            losses = newest_losses(session.paths.cluster.nodes) or losses
            if view.job is None:
                raise DemoFailed(f"the daemon says nothing of job {job}")
            show(Moment(now=session.now(), row=view.job.row, nodes=client.nodes(), losses=losses))
            if view.entry.is_over:
                break
            if view.job.row.state == "held":
                raise DemoFailed(
                    f"job {job} is held: {view.job.row.reason}. This machine has too much else to do for the demo's short gaps:"
                    f" try again when it has less; see {session.paths.root}"
                )
            if session.now() > end:
                raise DemoFailed(
                    f"job {job} was not over after {PATIENCE_MS // 60_000} minutes: see {session.paths.root}"
                )
            time.sleep(LOOK_SECONDS)
    if not view.entry.done:
        raise DemoFailed(
            f"job {job} {view.job.row.state}: {view.job.row.reason}; `idleq --server-dir {session.paths.root} logs {job}`"
        )


def summed_up(place: DemoPlace, job: JobId, *, keep: bool) -> Result:
    """Write the report, keep the pictures, compare, and tidy up."""
    from idleq.bootstrap import make_report

    report = make_report(place.server.root, place.report)
    result = place.server.job(job).result
    comparison, moves = compare(result, place.alone), moves_of(report, job)
    place.keep_pictures(result)
    problem = problem_of(comparison, moves)
    is_kept = keep or bool(problem)
    if not is_kept:
        place.tidy()
    return result_of(
        Ending(
            job=job,
            segments=segment_lines(report, job),
            moves=moves,
            result=comparison,
            pictures=place.pictures,
            report=place.report,
            server_dir=place.server.root if is_kept else None,
            problem=problem,
        )
    )
