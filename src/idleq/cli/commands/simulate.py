"""`idleq simulate`: a site's own queue, from its log, under a policy of one's choice."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from idleq.cli.commands.compare import compared
from idleq.cli.commands.mainqueue import MainOptions, run_alone, site_values
from idleq.cli.commands.sweep import sweep
from idleq.cli.defaulting import DEFAULT, DefaultCommand, DefaultGroup
from idleq.cli.guestoptions import (
    Cost,
    Costs,
    Days,
    From,
    Gpus,
    Grace,
    Guests,
    Memory,
    ModeName,
    NodeCores,
    NoPlots,
    Out,
    Parquet,
    PlacementName,
    Replications,
    Shake,
    SharingName,
    Strategies,
    Window,
)
from idleq.cli.needs import refuse_what_does_nothing
from idleq.cli.options import IdleqCommand, session_of
from idleq.cli.outfolder import out_folder
from idleq.cli.result import Result

simulate_app = typer.Typer(
    cls=DefaultGroup, rich_markup_mode=None, help="Run the main jobs of a trace, and guests in the gaps."
)


Source = Annotated[
    str, typer.Argument(metavar="TRACE", help="A file, a name from `idleq traces ls`, synthetic:... or lublin:....")
]
PolicyName = Annotated[
    str, typer.Option(metavar="fcfs|easy|easy-sjbf|conservative|compressing|slurm", help="Who starts when.")
]
Instant = Annotated[str, typer.Option(metavar="per-timestamp|per-event", help="What happens within one second.")]
Procs = Annotated[int | None, typer.Option(help="Processors [default: what the trace says].")]
EstimateSource = Annotated[str, typer.Option(metavar="user|perfect|model", help="How long jobs are said to run.")]
Over = Annotated[
    float | None, typer.Option(help="For a model: users ask for 1 to so many times what they need [default: 3].")
]
Reserved = Annotated[str, typer.Option(metavar="count|nodes", help="What a reservation is of.")]
SlurmPairs = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="A setting of the slurm policy (again for more).")
]
EngineName = Annotated[str, typer.Option(metavar="simpy|fast", help="What computes it; the same starts.")]
OutageFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Outages, drains and reservations (TOML or CSV).")
]
Mtbf = Annotated[
    float | None,
    typer.Option(metavar="HOURS", help="Draw failures: the mean time between two of a processor (or node)."),
]
Repair = Annotated[
    float | None,
    typer.Option(metavar="HOURS", help="For drawn failures: the mean time until it is back [default: 4]."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse a trace that has jobs larger than the machine.")]
Seed = Annotated[int, typer.Option(help="For everything that is drawn.")]
Tau = Annotated[int, typer.Option(help="Jobs shorter than so many seconds count as so long in slowdowns.")]
NoGuests = Annotated[bool, typer.Option("--no-guests", help="The main queue alone.")]
Starts = Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Write job_id,start of every main job.")]
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


DEFAULTS = {"over": 3.0, "repair": 4.0}
"""Of options whose absence is told from their default."""

OF_THE_FOLDER = frozenset({"out", "no_plots", "parquet"})
"""Options that go with and without guests."""


@simulate_app.command(DEFAULT, cls=DefaultCommand)
def simulate(
    context: typer.Context,
    trace: Source,
    policy: PolicyName = "easy",
    semantics: Instant = "per-timestamp",
    procs: Procs = None,
    estimates: EstimateSource = "user",
    over: Over = None,
    reservation: Reserved = "count",
    slurm: SlurmPairs = None,
    engine: EngineName = "simpy",
    outages: OutageFile = None,
    mtbf: Mtbf = None,
    repair: Repair = None,
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
    placement: PlacementName = None,
    memory: Memory = None,
    gpus: Gpus = None,
    replications: Replications = None,
    shake: Shake = None,
    out: Out = None,
    no_plots: NoPlots = False,
    parquet: Parquet = False,
    checkpoint: CheckpointTo = None,
    checkpoint_every: CheckpointEvery = None,
) -> Result:
    """Run the main jobs of a trace under a policy: how long they wait, and what guests would gain (--guests)."""
    from idleq.cli.keeping import keeping_asked

    main = {
        "trace": trace, "policy": policy, "semantics": semantics, "procs": procs, "estimates": estimates, "over": over,
        "reservation": reservation, "slurm": slurm, "engine": engine, "outages": outages, "mtbf": mtbf, "repair": repair,
        "strict": strict, "seed": seed, "tau": tau, "starts": starts, "begin": begin, "days": days, "checkpoint": checkpoint, "checkpoint_every": checkpoint_every,
    }  # fmt: skip
    of_guests = {
        "strategies": strategies, "cost": cost, "costs": costs, "grace": grace, "mode": mode, "window": window,
        "node_cores": node_cores, "sharing": sharing, "placement": placement, "memory": memory, "gpus": gpus,
        "replications": replications, "shake": shake, "out": out, "no_plots": no_plots or None, "parquet": parquet or None,
    }  # fmt: skip
    given = given_of_guests(guests, main, of_guests)
    asked, session = main_options(main), session_of(context)
    if guests is None:
        return run_alone(session, asked, out_folder(given))
    keeping = keeping_asked(checkpoint, checkpoint_every, session.environment, session.say)
    return compared(session, site_of(asked, guests, no_guests=no_guests), given, keeping, strict=strict)


simulate_app.command(cls=IdleqCommand)(sweep)


def given_of_guests(
    guests: str | None, main: Mapping[str, object], of_guests: Mapping[str, object]
) -> dict[str, object]:
    """Return those of the options about guests, and about the folder to write, that were given.

    Raises:
        ImpossibleParameters: one of all options does nothing here.
    """
    given = {name: value for name, value in of_guests.items() if value is not None}
    refuse_without_guests(guests, given)
    refuse_what_does_nothing({**main, **of_guests})
    return given


def main_options(given: Mapping[str, object]) -> MainOptions:
    """Return what was asked for, with defaults for what was not."""
    unset = {name: value for name, value in DEFAULTS.items() if given[name] is None}
    return MainOptions(**{**given, **unset})  # type: ignore[arg-type]  # mypy sees one type for all values


def site_of(asked: MainOptions, guests: str, *, no_guests: bool) -> dict[str, object]:
    """Return what of the options says which site it is, under a scenario's names.

    Raises:
        ImpossibleParameters: an option does not go with guests.
    """
    from idleq.simulator.errors import ImpossibleParameters

    of_the_main_queue_alone = {
        "--no-guests": no_guests,
        "--starts": asked.starts is not None,
        f"--engine {asked.engine}": asked.engine != "simpy",
    }
    for option, is_given in of_the_main_queue_alone.items():
        if is_given:
            raise ImpossibleParameters(f"{option} is for the main queue alone: leave out either it or --guests")
    return {**site_values(asked), "guests": guests}


def refuse_without_guests(guests: str | None, given: Mapping[str, object]) -> None:
    """Raise ImpossibleParameters for the first option *given* that says something of guests, if there are none."""
    from idleq.simulator.errors import ImpossibleParameters

    for name in (name for name in given if guests is None and name not in OF_THE_FOLDER):
        raise ImpossibleParameters(
            f"--{name.replace('_', '-')} is about guests: say which with --guests, for example --guests enough"
        )
