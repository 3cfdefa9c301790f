"""`idleq simulate`: a site's own queue, from its log, under a policy of one's choice."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from idleq.cli.commands.compare import compared
from idleq.cli.commands.submit import pairs
from idleq.cli.commands.sweep import sweep
from idleq.cli.defaulting import DEFAULT, DefaultCommand, DefaultGroup
from idleq.cli.options import IdleqCommand, session_of
from idleq.cli.result import Result, Table
from idleq.cli.wording import counted, span

if TYPE_CHECKING:
    from idleq.cli.session import Session
    from idleq.simulator.mainrun import MainRun, MainSettings
    from idleq.simulator.outages import Outage
    from idleq.simulator.trace import Trace

simulate_app = typer.Typer(cls=DefaultGroup, rich_markup_mode=None, help="Run the main jobs of a trace under a policy.")

SECOND = 1000
Choice = TypeVar("Choice", bound=StrEnum)


Source = Annotated[
    str, typer.Argument(metavar="TRACE", help="A file, a name from `idleq traces ls`, synthetic:... or lublin:....")
]
PolicyName = Annotated[
    str, typer.Option(metavar="fcfs|easy|easy-sjbf|conservative|compressing|slurm", help="Who starts when.")
]
Instant = Annotated[str, typer.Option(metavar="per-timestamp|per-event", help="What happens within one second.")]
Procs = Annotated[int | None, typer.Option(help="Processors [default: what the trace says].")]
EstimateSource = Annotated[str, typer.Option(metavar="user|perfect|model", help="How long jobs are said to run.")]
Over = Annotated[float, typer.Option(help="For a model: users ask for 1 to so many times what they need.")]
Reserved = Annotated[str, typer.Option(metavar="count|nodes", help="What a reservation is of.")]
SlurmPairs = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="A setting of the slurm policy (again for more).")
]
EngineName = Annotated[str, typer.Option(metavar="simpy|fast", help="What computes it; the same starts.")]
OutageFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Outages, drains and reservations (TOML or CSV).")
]
Mtbf = Annotated[
    float | None, typer.Option(metavar="HOURS", help="Draw failures: the mean time between two of a processor.")
]
Repair = Annotated[float, typer.Option(metavar="HOURS", help="For drawn failures: the mean time until it is back.")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse a trace that has jobs larger than the machine.")]
Seed = Annotated[int, typer.Option(help="For everything that is drawn.")]
Tau = Annotated[int, typer.Option(help="Jobs shorter than so many seconds count as so long in slowdowns.")]
NoGuests = Annotated[bool, typer.Option("--no-guests", help="The main queue alone.")]
Starts = Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Write job_id,start of every main job.")]
From = Annotated[float | None, typer.Option("--from", metavar="DAYS", help="Leave out what comes in before that day.")]
Days = Annotated[float | None, typer.Option(metavar="DAYS", help="Use so many days [default: all].")]
Guests = Annotated[
    str | None,
    typer.Option(
        metavar="enough|stream:KEY=VALUE,...|JOB.TOML", help="Put guests into the gaps, and compare strategies."
    ),
]
Strategies = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...", help="Of none, kill, planned-end, young, idleq, oracle [default: none,idleq,oracle]."
    ),
]
Cost = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="What a start, a thaw, a freeze and a save take [default: 60].")
]
Costs = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE|from-journal[:DIR|:URL]",
        help="What single ones take (again for more), or what a journal has measured.",
    ),
]
Grace = Annotated[float | None, typer.Option(metavar="SECONDS", help="What preempted guests are given [default: 0].")]
ModeName = Annotated[
    str | None, typer.Option(metavar="preemptible|window", help="How guests give way [default: preemptible].")
]
Window = Annotated[float | None, typer.Option(metavar="SECONDS", help="The longest window [default: 3600].")]
NodeCores = Annotated[int | None, typer.Option(help="Processors that make a node [default: 1].")]
SharingName = Annotated[
    str | None, typer.Option(metavar="cores|nodes", help="Main jobs take cores, or whole nodes [default: cores].")
]
Replications = Annotated[int | None, typer.Option(help="Runs with seeds of their own [default: 1].")]
Shake = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", help="Main jobs come in later by up to so much [default: 60 with replications, else 0]."
    ),
]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Write a page, figures and numbers into a new folder.")]
NoPlots = Annotated[bool, typer.Option("--no-plots", help="Without figures (they need matplotlib).")]
Parquet = Annotated[bool, typer.Option("--parquet", help="Numbers as Parquet too (needs pyarrow).")]
CheckpointTo = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        help="Keep the running simulation here when it is told to leave (SIGTERM, SIGINT, SIGUSR1), and go on from it.",
    ),
]
CheckpointEvery = Annotated[
    float | None, typer.Option("--checkpoint-every", metavar="SECONDS", help="Keep it every so often as well.")
]


@simulate_app.command(DEFAULT, cls=DefaultCommand)
def simulate(
    context: typer.Context,
    trace: Source,
    policy: PolicyName = "easy",
    semantics: Instant = "per-timestamp",
    procs: Procs = None,
    estimates: EstimateSource = "user",
    over: Over = 3.0,
    reservation: Reserved = "count",
    slurm: SlurmPairs = None,
    engine: EngineName = "simpy",
    outages: OutageFile = None,
    mtbf: Mtbf = None,
    repair: Repair = 4.0,
    strict: Strict = False,
    seed: Seed = 1,
    tau: Tau = 10,
    no_guests: NoGuests = False,
    starts: Starts = None,
    begin: From = None,
    days: Days = None,
    guests: Guests = None,
    strategies: Strategies = None,
    cost: Cost = None,
    costs: Costs = None,
    grace: Grace = None,
    mode: ModeName = None,
    window: Window = None,
    node_cores: NodeCores = None,
    sharing: SharingName = None,
    replications: Replications = None,
    shake: Shake = None,
    out: Out = None,
    no_plots: NoPlots = False,
    parquet: Parquet = False,
    checkpoint: CheckpointTo = None,
    checkpoint_every: CheckpointEvery = None,
) -> Result:
<<<<<<< HEAD
    """Run the main jobs of a trace under a policy, and say how long they wait; with --guests, what guests would gain."""
    from idleq.cli.keeping import Keeping, keeper_for, keeping_asked
=======
    """Run the main jobs of a trace under a policy: how long they wait, and what guests would gain (--guests)."""
>>>>>>> a6a0cb9 (Say in one line what simulate does)
    from idleq.simulator.errors import ImpossibleParameters
    from idleq.simulator.estimates import Estimates
    from idleq.simulator.mainrun import Engine, MainSettings, run_main
    from idleq.simulator.places import Places
    from idleq.simulator.queueing.catalog import Reservation
    from idleq.simulator.queueing.policy import Semantics
    from idleq.simulator.queueing.slurm import settings_from
    from idleq.simulator.sources import load_trace
    from idleq.simulator.stage import part_of

    session = session_of(context)
    of_guests = {
        "strategies": strategies, "cost": cost, "costs": costs, "grace": grace, "mode": mode, "window": window,
        "node_cores": node_cores, "sharing": sharing, "replications": replications, "shake": shake, "out": out,
        "no_plots": no_plots or None, "parquet": parquet or None,
    }  # fmt: skip
    given = {name: value for name, value in of_guests.items() if value is not None}
    if guests is not None:
        alone = {"--no-guests": no_guests, "--starts": starts, "--outages": outages, "--mtbf": mtbf}
        refuse_of_main_queue(alone | {f"--engine {engine}": engine != "simpy"})
        refuse_of_main_queue({f"--semantics {semantics}": semantics != "per-timestamp"})
        refuse_of_main_queue({f"--reservation {reservation}": reservation != "count"})
        site = {
            "trace": trace, "procs": procs, "policy": policy, "estimates": estimates, "over": over,
            "slurm": pairs(slurm, "--slurm") or {}, "seed": seed, "tau": tau, "from": begin or 0, "days": days, "guests": guests,
        }  # fmt: skip
        return compared(session, site, given, strict=strict)
    refuse_without_guests(given)
    settings = MainSettings(
        policy=policy,
        semantics=chosen(Semantics, semantics, "--semantics"),
        reservation=chosen(Reservation, reservation, "--reservation"),
        estimates=chosen(Estimates, estimates, "--estimates"),
        factor=over,
        seed=seed,
        engine=chosen(Engine, engine, "--engine"),
        tau=tau,
        slurm=settings_from(pairs(slurm, "--slurm") or {}),
    )
    if seed < 0:
        raise ImpossibleParameters(f"a seed is a whole number from 0 on, not {seed}")
    if starts is not None:
        check_can_write(starts)
    places = Places.from_environment(session.environment)
    loaded = load_trace(trace, places, procs)
    if strict:
        refuse_too_large(loaded)
    if begin is not None or days is not None:
        loaded = part_of(loaded, begin or 0, days)
    settings = replace(settings, outages=away(loaded, outages, mtbf, repair, seed))
    keeping = keeping_asked(checkpoint, checkpoint_every, session.environment)
    if settings.engine is Engine.FAST:
        if checkpoint is not None:
            raise ImpossibleParameters("the fast engine takes seconds and keeps nothing: leave out --checkpoint")
        keeping = Keeping()
    with (
        progress(session, len(loaded.table)) as show,
        keeper_for(keeping, purpose_of(loaded, settings), show=show, warn=session.say) as keeper,
    ):
        run = run_main(loaded, settings, places.machine_code, keeper)
        if starts is not None:
            write_starts(starts, run)
    return shown(loaded, settings, run, starts)


simulate_app.command(cls=IdleqCommand)(sweep)


def refuse_of_main_queue(given: Mapping[str, object]) -> None:
    """Raise ImpossibleParameters for the first option *given* that does not go with guests."""
    from idleq.simulator.errors import ImpossibleParameters

    for option, value in given.items():
        if value:
            raise ImpossibleParameters(f"{option} is for the main queue alone: leave out either it or --guests")


def refuse_without_guests(given: Mapping[str, object]) -> None:
    """Raise ImpossibleParameters for the first option *given*, which says something of guests."""
    from idleq.simulator.errors import ImpossibleParameters

    for name in given:
        raise ImpossibleParameters(
            f"--{name.replace('_', '-')} is about guests: say which with --guests, for example --guests enough"
        )


def refuse_too_large(trace: "Trace") -> None:
    """Raise JobTooLarge for the first job of *trace* that was left out because the machine is too small for it."""
    from idleq.simulator.errors import JobTooLarge
    from idleq.simulator.swf import TOO_LARGE

    for dropped in trace.dropped:
        if dropped.reason == TOO_LARGE:
            raise JobTooLarge(
                f"main job {dropped.job} (line {dropped.line}) asks for more than {trace.processors} processors"
            )


def away(trace: "Trace", file: Path | None, mtbf: float | None, repair: float, seed: int) -> "tuple[Outage, ...]":
    """Return when parts of the machine are away: what *file* says, and what is drawn until the last submit."""
    from idleq.simulator.outages import failures, read_outages

    found = [] if file is None else read_outages(file, trace.processors)
    if mtbf is not None:
        submit = trace.table.submit
        found += failures(trace.processors, int(submit[0]), int(submit[-1]), mtbf, repair, seed)
    return tuple(sorted(found, key=lambda outage: outage.begin))


def chosen(choices: type[Choice], text: str, option: str) -> Choice:
    """Return what *text* names.

    Raises:
        ImpossibleParameters: it names none of *choices*.
    """
    from idleq.simulator.errors import ImpossibleParameters

    try:
        return choices(text)
    except ValueError:
        raise ImpossibleParameters(f"{option} may be {', '.join(choices)}, not {text!r}") from None


def purpose_of(trace: "Trace", settings: "MainSettings") -> str:
    """Return a digest of all that decides the starts."""
    import hashlib
    import json

    told = [trace.digest, trace.processors, len(trace.table), asdict(settings)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@contextmanager
def progress(session: "Session", jobs: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many of *jobs* have started; yields what is told."""
    if not session.is_talking:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(file=session.stderr), transient=True) as bar:
        task = bar.add_task("Main jobs", total=jobs)
        yield lambda started: bar.update(task, completed=started)


def check_can_write(path: Path) -> None:
    """Notice before anything long is done that *path* cannot be written.

    Raises:
        TraceNotKept: so it is.
    """
    import os

    from idleq.simulator.errors import TraceNotKept

    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise TraceNotKept(f"{path} cannot be written: its folder must be there and be yours to write in")


def write_starts(path: Path, run: "MainRun") -> None:
    """Write the start of each job, whole or not at all.

    Raises:
        TraceNotKept: it cannot be written.
    """
    from idleq.scheduler.atomic import write_atomically
    from idleq.simulator.errors import TraceNotKept

    rows = zip(run.table.id.tolist(), run.start.tolist(), strict=True)
    text = "job_id,start\n" + "".join(f"{job},{start}\n" for job, start in rows)
    try:
        write_atomically(path.absolute(), text.encode(), mode=0o644)
    except OSError as error:
        raise TraceNotKept(f"{path} cannot be written: {error.strerror or error}") from error


def shown(trace: "Trace", settings: "MainSettings", run: "MainRun", starts: Path | None) -> Result:
    """Return what the command answers."""
    dropped = trace.dropped_by_reason()
    value = {
        "trace": {
            "name": trace.name,
            "digest": trace.digest,
            "jobs": len(trace.table),
            "processors": trace.processors,
            "load": trace.load,
            "dropped": dropped,
            "shortened": trace.shortened,
        },
        "settings": asdict(replace(settings, outages=())),
        "outages": len(settings.outages),
        "restarts": run.restarts,
        "lost_processor_seconds": run.lost,
        "metrics": asdict(run.metrics),
        "starts": None if starts is None else str(starts.absolute()),
    }
    head = f"{trace.name}: {counted(len(trace.table), 'main job')} on {counted(trace.processors, 'processor')}, load {trace.load:.3f}"
    notes = [head, *left_out(trace)]
    if starts is not None:
        notes.append(f"The starts are in {starts.absolute()}")
    return Result(value=value, text=("\n".join(notes), metrics_table(settings, run)), ids=())


def left_out(trace: "Trace") -> Iterator[str]:
    """Yield what the reading left out or changed, and why."""
    for reason, count in trace.dropped_by_reason().items():
        yield f"Left out: {counted(count, 'line')}: {reason}"
    if trace.shortened:
        yield f"Ended by their limits: {counted(trace.shortened, 'job')} that ran longer in the log"


def metrics_table(settings: "MainSettings", run: "MainRun") -> Table:
    """Return the sums as people read them."""
    sums = run.metrics
    rows = [
        ("mean wait", f"{sums.mean_wait:.2f} s", span(round(sums.mean_wait) * SECOND)),
        ("median wait", f"{sums.median_wait:.0f} s", span(round(sums.median_wait) * SECOND)),
        ("95 % wait less than", f"{sums.p95_wait:.0f} s", span(round(sums.p95_wait) * SECOND)),
        ("longest wait", f"{sums.max_wait} s", span(sums.max_wait * SECOND)),
        ("mean bounded slowdown", f"{sums.mean_bounded_slowdown:.4f}", f"tau {sums.tau} s"),
        ("utilisation", f"{sums.utilisation:.2%}", "without warm-up and drain"),
        ("makespan", f"{sums.makespan} s", span(sums.makespan * SECOND)),
        ("backfilled", f"{sums.backfilled:.2%}", "of the jobs, past one that came earlier"),
        ("passes", str(sums.passes), ""),
    ]
    if settings.outages:
        rows.append(("killed by outages", str(run.restarts), f"{run.lost} processor-seconds lost"))
    title = f"{settings.policy}, {settings.semantics}, reservations by {settings.reservation}, {settings.estimates} estimates"
    return Table(columns=("MEASURE", "VALUE", ""), rows=rows, right=frozenset({"VALUE"}), title=title)
