"""The options of `idleq simulate` that say which part of a trace is used, what guests come, and what is written of it."""

from pathlib import Path
from typing import Annotated

import typer

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
PlacementName = Annotated[
    str | None, typer.Option(metavar="lowest|best-fit", help="Which nodes main jobs get [default: lowest].")
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE", help="What each node has, and main jobs hold what the trace says [default: not counted]."
    ),
]
Gpus = Annotated[int | None, typer.Option(help="GPUs of each node [default: 0].")]
Replications = Annotated[int | None, typer.Option(help="Runs with seeds of their own [default: 1].")]
Shake = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", help="Main jobs come in later by up to so much [default: 60 with replications, else 0]."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Write a page, figures and numbers into a folder; they replace those of an earlier run."
    ),
]
NoPlots = Annotated[bool, typer.Option("--no-plots", help="Without figures (they need matplotlib).")]
Parquet = Annotated[bool, typer.Option("--parquet", help="Numbers as Parquet too (needs pyarrow).")]
