"""`idleq simulate` without guests: the main queue alone, from a trace to starts and sums."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from idleq.cli.bar import progress
from idleq.cli.commands.submit import pairs
from idleq.cli.outfile import OutFile
from idleq.cli.outfolder import OutFolder
from idleq.cli.result import Result, Table
from idleq.cli.wording import counted, span

if TYPE_CHECKING:
    from idleq.cli.session import Session
    from idleq.simulator.mainrun import MainRun, MainSettings
    from idleq.simulator.outages import Outage
    from idleq.simulator.study.comparison import Comparison
    from idleq.simulator.trace import Trace

SECOND = 1000
STARTS = "job_id,start\n"
Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class MainOptions:
    """What was asked for on the command line."""

    trace: str
    policy: str
    semantics: str
    procs: int | None
    estimates: str
    over: float
    reservation: str
    slurm: list[str] | None
    engine: str
    outages: Path | None
    mtbf: float | None
    repair: float
    strict: bool
    seed: int
    tau: int
    starts: Path | None
    begin: float | None
    days: float | None
    checkpoint: Path | None
    checkpoint_every: float | None


def settings_of(asked: MainOptions) -> "MainSettings":
    """Return how the main queue is run, but for outages.

    Raises:
        ImpossibleParameters: so it cannot be run.
    """
    from idleq.simulator.estimates import Estimates
    from idleq.simulator.mainrun import Engine, MainSettings
    from idleq.simulator.queueing.catalog import Reservation
    from idleq.simulator.queueing.policy import Semantics
    from idleq.simulator.queueing.slurm import settings_from
    from idleq.simulator.scenariokeys import check_values

    given = ("procs", "days", "over", "tau", "mtbf", "repair", "seed")
    check_values({"from": asked.begin, **{name: getattr(asked, name) for name in given}})
    return MainSettings(
        policy=asked.policy,
        semantics=chosen(Semantics, asked.semantics, "--semantics"),
        reservation=chosen(Reservation, asked.reservation, "--reservation"),
        estimates=chosen(Estimates, asked.estimates, "--estimates"),
        over=asked.over,
        seed=asked.seed,
        engine=chosen(Engine, asked.engine, "--engine"),
        tau=asked.tau,
        slurm=settings_from(pairs(asked.slurm, "--slurm") or {}),
    )


def site_values(asked: MainOptions) -> dict[str, object]:
    """Return what of the options says which site it is, under a scenario's names."""
    return {
        "trace": asked.trace,
        "procs": asked.procs,
        "policy": asked.policy,
        "semantics": asked.semantics,
        "reservation": asked.reservation,
        "estimates": asked.estimates,
        "over": asked.over,
        "slurm": pairs(asked.slurm, "--slurm") or {},
        "seed": asked.seed,
        "tau": asked.tau,
        "from": asked.begin or 0,
        "days": asked.days,
        "outages": None if asked.outages is None else str(asked.outages),
        "mtbf": asked.mtbf,
        "repair": asked.repair,
    }


def run_alone(session: "Session", asked: MainOptions, folder: OutFolder | None) -> Result:
    """Run the main queue alone, and write the starts, and the *folder*, if that is asked for."""
    from idleq.cli.keeping import Keeping, keeper_for, keeping_asked
    from idleq.simulator.errors import ImpossibleParameters, TraceNotKept
    from idleq.simulator.mainrun import Engine, run_main
    from idleq.simulator.places import Places
    from idleq.simulator.scenariokeys import scenario_of
    from idleq.simulator.sources import load_trace
    from idleq.simulator.stage import begin_of, part_of
    from idleq.simulator.study.alone import alone

    settings = settings_of(asked)
    starts = None if asked.starts is None else OutFile(asked.starts, TraceNotKept, STARTS.encode())
    if starts is not None:
        starts.check()
    if folder is not None:
        folder.check()
        scenario_of(site_values(asked))  # what it refuses is refused before anything long is done
    places = Places.from_environment(session.environment)
    loaded = load_trace(asked.trace, places, asked.procs)
    if asked.strict:
        refuse_too_large(loaded)
    zero, is_part = 0, asked.begin is not None or asked.days is not None
    if is_part:
        zero = begin_of(loaded, asked.begin or 0)
        loaded = part_of(loaded, asked.begin or 0, asked.days)
    settings = replace(settings, outages=away(loaded, asked, zero))
    keeping = keeping_asked(asked.checkpoint, asked.checkpoint_every, session.environment, session.say)
    if settings.engine is Engine.FAST:
        if asked.checkpoint is not None:
            raise ImpossibleParameters("the fast engine takes seconds and keeps nothing: leave out --checkpoint")
        keeping = Keeping()
        announce_compiling(session, settings.policy, places.machine_code)
    with (
        progress(session, "Main jobs", len(loaded.table)) as show,
        keeper_for(keeping, purpose_of(loaded, settings), show=show, warn=session.say) as keeper,
    ):
        run = run_main(loaded, settings, places.machine_code, keeper)
        if starts is not None:
            starts.write(starts_of(run))
        written = None
        if folder is not None:
            scenario, begin = scenario_of(site_values(asked)), 0 if is_part else int(loaded.table.submit[0])
            comparison = alone(scenario, loaded, run, settings.engine, settings.outages, begin)
            folder.write(comparison, session, keeper)
            written = comparison, folder
    return shown(loaded, settings, run, asked.starts, written, is_part=is_part)


def announce_compiling(session: "Session", policy: str, machine_code: Path) -> None:
    """Tell a person who waits for the first run of the fast engine what for."""
    from idleq.simulator.fast.engine import must_compile

    if session.is_talking and must_compile(policy, machine_code):
        session.say("Compiling the fast engine: half a minute, once on this machine")


def refuse_too_large(trace: "Trace") -> None:
    """Raise JobTooLarge for the first job of *trace* that was dropped because the machine is too small for it."""
    from idleq.simulator.errors import JobTooLarge
    from idleq.simulator.jobmemory import TOO_MUCH
    from idleq.simulator.swf import TOO_LARGE

    for dropped in trace.dropped:
        if dropped.reason == TOO_LARGE:
            raise JobTooLarge(
                f"main job {dropped.job} (line {dropped.line}) asks for more than {trace.processors} processors"
            )
        if dropped.reason == TOO_MUCH:
            raise JobTooLarge(f"main job {dropped.job} asks for more memory than the nodes have for it")


def away(trace: "Trace", asked: MainOptions, zero: int) -> "tuple[Outage, ...]":
    """Return when processors are away, in seconds on the clock of *trace*, which begins at *zero* of the log's."""
    from idleq.simulator.outagesource import OutageSource

    source = OutageSource(file=asked.outages, mtbf_hours=asked.mtbf, repair_hours=asked.repair, seed=asked.seed)
    submit = trace.table.submit
    return source.outages(trace.processors, int(submit[0]), int(submit[-1]), zero=zero)


def chosen(choices: type[Choice], text: str, option: str) -> Choice:
    """Return what *text* names.

    Raises:
        ImpossibleParameters: it names none of *choices*.
    """
    from idleq.scheduler.nearest import did_you_mean
    from idleq.simulator.errors import ImpossibleParameters

    try:
        return choices(text)
    except ValueError:
        raise ImpossibleParameters(
            f"{option} may be {', '.join(choices)}, not {text!r}{did_you_mean(text, choices)}"
        ) from None


def purpose_of(trace: "Trace", settings: "MainSettings") -> str:
    """Return a digest of all that decides the starts."""
    from idleq.cli.keeping import digest_of

    table = trace.table
    columns = (table.id, table.submit, table.run, table.limit, table.size, table.user, table.queue, table.memory)
    return digest_of([trace.processors, settings, [column.tobytes() for column in columns]])


def starts_of(run: "MainRun") -> bytes:
    """Return the start of each job, as CSV."""
    rows = zip(run.table.id.tolist(), run.start.tolist(), strict=True)
    return (STARTS + "".join(f"{job},{start}\n" for job, start in rows)).encode()


def shown(
    trace: "Trace",
    settings: "MainSettings",
    run: "MainRun",
    starts: Path | None,
    written: "tuple[Comparison, OutFolder] | None" = None,
    *,
    is_part: bool,
) -> Result:
    """Return what the command answers; *written* is what went into which folder."""
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
        "measured": None,
        "out": None,
    }
    head = f"{trace.name}: {counted(len(trace.table), 'main job')} on {counted(trace.processors, 'processor')}, load {trace.load:.3f}"
    notes = [head, *dropped_lines(trace, is_part=is_part)]
    if starts is not None:
        notes.append(f"The starts are in {starts.absolute()}")
    text = ("\n".join(notes), metrics_table(settings, run))
    if written is None:
        return Result(value=value, text=text, ids=())
    comparison, folder = written
    out = str(folder.path.absolute())
    value |= {"measured": measured_means(comparison), "out": out}
    return Result(value=value, text=(*text, measured_table(comparison), folder.page), ids=(out,))


def measured_means(comparison: "Comparison") -> dict[str, dict[str, float | None]]:
    """Return the numbers of the measured time with their intervals."""
    from idleq.simulator.study.results import means_of

    (strategy,) = comparison.gains
    return means_of(comparison, strategy)


def measured_table(comparison: "Comparison") -> Table:
    """Return the same as people read them."""
    from idleq.simulator.study.measures import basis, lines

    rows = [(line.measure.title, *line.cells, line.measure.unit) for line in lines(comparison)]
    return Table(columns=("MEASURE", "VALUE", ""), rows=rows, right=frozenset({"VALUE"}), title=basis(comparison))


def dropped_lines(trace: "Trace", *, is_part: bool = False) -> Iterator[str]:
    """Yield what the reading dropped or changed, and why; of a part of a log that is known of the whole only."""
    for reason, count in trace.dropped_by_reason().items():
        yield f"Dropped{' from the whole log' if is_part else ''}: {counted(count, 'line')}: {reason}"
    if trace.shortened:
        yield f"Ended by their limits{' in the whole log' if is_part else ''}: {counted(trace.shortened, 'job')} that ran longer in the log"


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
