"""`idleq simulate --guests ...`: what guests would gain on a site, and what each way to treat them makes of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idleq.cli.bar import now_and_then
from idleq.cli.outfolder import OutFolder, out_folder
from idleq.cli.result import Result, Table
from idleq.cli.wording import counted

if TYPE_CHECKING:
    from idleq.cli.keeping import Keeping
    from idleq.cli.session import Session
    from idleq.scheduler.core.submission import Submission
    from idleq.simulator.scenario import Scenario
    from idleq.simulator.strategies import Strategy
    from idleq.simulator.study.comparison import Comparison, OnRun

FROM_JOURNAL = "from-journal"
SHAKE_S = 60
"""Seconds that decide nothing for a person, and everything for a backfilling queue."""

DEFAULT_STRATEGIES = "none,idleq,oracle"
MOST_REPLICATIONS = 10_000


def compared(
    session: "Session", site: Mapping[str, object], given: Mapping[str, Any], keeping: "Keeping", *, strict: bool
) -> Result:
    """Compare strategies on *site* as *given* says, and write all of it into a folder if there is one to write.

    Raises:
        ImpossibleParameters, BadTrace, BadOutages, TraceUnknown, JobTooLarge, BadJobFile, ResultsNotKept, PlotsMissing, ParquetMissing:
            nothing is written.
    """
    from idleq import __version__
    from idleq.bootstrap import collect_rarely
    from idleq.cli.keeping import digest_of, keeper_for
    from idleq.simulator.outagesource import digest_of_outages
    from idleq.simulator.places import Places
    from idleq.simulator.sources import digest_of_source
    from idleq.simulator.study.comparison import compare
    from idleq.simulator.study.results import value_of

    collect_rarely()
    folder = out_folder(given)
    if folder is not None:
        folder.check()
    replications = _replications(given.get("replications", 1))
    strategies = strategies_named(given.get("strategies", DEFAULT_STRATEGIES))
    scenario = _scenario(session, site, given, replications)
    places = Places.from_environment(session.environment)
    if strict:
        _refuse_too_large(scenario, places)
    sources = digest_of_source(scenario.trace, places, scenario.procs), digest_of_outages(scenario.outage_source.file)
    purpose = digest_of([scenario, strategies, replications, *sources])
    with (
        _progress(session, replications * len(strategies)) as on_run,
        keeper_for(keeping, purpose, show=lambda _: None, warn=session.say) as keeper,
    ):
        comparison = compare(scenario, strategies, replications, places, on_run, keeper)
        if folder is not None:
            folder.write(comparison, session, keeper)
    written = () if folder is None else (str(folder.path.absolute()),)
    value = value_of(comparison, __version__) | {"out": written[0] if written else None}
    return Result(value=value, text=tuple(_text(comparison, folder)), ids=written)


def _replications(count: int) -> int:
    from idleq.simulator.errors import ImpossibleParameters

    if not 1 <= count <= MOST_REPLICATIONS:
        raise ImpossibleParameters(f"--replications is a number from 1 to {MOST_REPLICATIONS}, not {count}")
    return count


def strategies_named(text: str) -> "list[Strategy]":
    """Return the strategies that *text* names, each once.

    Raises:
        ImpossibleParameters: there is none, one is unknown, or comes twice.
    """
    from idleq.scheduler.nearest import did_you_mean
    from idleq.simulator.errors import ImpossibleParameters
    from idleq.simulator.strategies import Strategy

    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in set(Strategy)]
    if unknown or not names or len(set(names)) < len(names):
        wrong = "each at most once, and at least one"
        if unknown:
            wrong = f"not {unknown[0]!r}{did_you_mean(unknown[0], Strategy)}"
        raise ImpossibleParameters(f"--strategies may be {', '.join(Strategy)}, with commas between; {wrong}")
    return [Strategy(name) for name in names]


def _scenario(
    session: "Session", site: Mapping[str, object], given: Mapping[str, Any], replications: int
) -> "Scenario":
    from idleq.simulator.scenariokeys import scenario_of

    names = ("cost", "grace", "mode", "window", "node_cores", "sharing", "placement", "memory", "gpus")
    values = {**site, **{name: given[name] for name in names if name in given}}
    values["shake"] = given.get("shake", SHAKE_S if replications > 1 else 0)
    if "costs" in given:
        values["costs"] = _costs(session, given["costs"])
    return scenario_of(values, _submissions)


def _costs(session: "Session", given: list[str]) -> object:
    """Return the costs that are named, or those that a journal has measured, under their names."""
    from idleq.simulator.costkeys import costs_shown
    from idleq.simulator.errors import ImpossibleParameters

    learning = [one for one in given if one.partition(":")[0] == FROM_JOURNAL]
    if not learning:
        return ",".join(given)
    if len(given) > 1:
        raise ImpossibleParameters(f"--costs {learning[0]} gives all costs: leave out the others")
    from idleq.bootstrap import learned_costs

    where = learning[0].partition(":")[2]
    folder = Path(where) if where else session.paths.root
    if "://" not in where and not folder.is_dir():
        raise ImpossibleParameters(
            f"--costs {learning[0]} takes what an idleq that has frozen jobs has measured, and there is no server directory {folder}: "
            "without one, say --cost SECONDS"
        )
    costs = learned_costs(session.paths.root, where)
    if costs is None:
        raise ImpossibleParameters(
            f"the journal of {where or session.paths.root} has no freeze yet: give costs as KEY=VALUE"
        )
    return costs_shown(costs)


def _submissions(path: str) -> "tuple[Submission, ...]":
    """Read a job file; whether its programs are here does not matter, as nothing of them is run."""
    from idleq.cli.catalog import load_catalog
    from idleq.scheduler.errors import BadJobFile
    from idleq.scheduler.jobfile import read_job_file

    if not Path(path).is_file():
        raise ValueError(f"{path!r} is neither enough nor stream:..., nor a job file that is here")
    try:
        return read_job_file(Path(path).read_text(encoding="utf-8"), load_catalog())
    except (BadJobFile, OSError, UnicodeDecodeError) as error:
        raise BadJobFile(f"{path}: {error}") from error


def _refuse_too_large(scenario: "Scenario", places: Any) -> None:  # noqa: ANN401 - of a module that takes long to import
    from idleq.cli.commands.mainqueue import refuse_too_large
    from idleq.simulator.stage import trace_of_site

    refuse_too_large(trace_of_site(scenario, places))


@contextmanager
def _progress(session: "Session", runs: int) -> "Iterator[OnRun]":
    """Show which run it is, and how far, on a terminal as a bar; yields what takes note."""
    if not session.is_talking:
        say = now_and_then(session)
        yield lambda strategy, number, share: say(f"Run {number + 1} of {runs}, {strategy}: {share:.0%}")
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=session.stderr), transient=True) as bar:
        task = bar.add_task("Without guests", total=runs)

        def note(strategy: "Strategy", number: int, share: float) -> None:
            bar.update(task, completed=number + share, description=f"Run {number + 1} of {runs}: {strategy}")

        yield note


def _text(comparison: "Comparison", folder: OutFolder | None) -> "Iterator[str | Table]":
    from idleq.cli.commands.mainqueue import dropped_lines
    from idleq.simulator.study.measures import basis, lines

    result = next(iter(comparison.first.values()))
    trace, site, scenario = result.stage.trace, result.gain.site, comparison.scenario
    head = (
        f"{trace.name}: {counted(len(trace.table), 'main job')} on {counted(trace.processors, 'processor')}, load {site.load:.3f}, "
        f"utilisation without guests {100 * site.main_alone:.2f} %, {counted(site.gaps, 'gap')}"
    )
    is_part = scenario.begin_days > 0 or scenario.days is not None
    yield "\n".join([head, *dropped_lines(trace, is_part=is_part), basis(comparison)])
    rows = [
        ("  " * line.measure.is_part + line.measure.title, *line.cells, line.measure.unit) for line in lines(comparison)
    ]
    names = [str(strategy).upper() for strategy in comparison.gains]
    title = f"{scenario.policy}, {scenario.mode}, grace {scenario.grace_ms / 1000:g} s, tau {scenario.tau} s"
    yield Table(columns=("MEASURE", *names, ""), rows=rows, right=frozenset(names), title=title)
    if folder is not None:
        yield folder.page
