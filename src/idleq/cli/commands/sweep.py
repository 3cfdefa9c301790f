"""`idleq simulate sweep`: many simulations over processes, kept row by row."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.options import session_of
from idleq.cli.result import Result
from idleq.cli.wording import counted

if TYPE_CHECKING:
    from idleq.cli.session import Session
    from idleq.simulator.rows import Row

SweepFile = Annotated[Path, typer.Argument(metavar="FILE.toml", help="What to run: values for the keys of a run.")]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE.csv|FILE.json", help="Where the rows go [default: FILE.csv in this folder]."),
]
Processes = Annotated[int | None, typer.Option(min=1, help="How many at once [default: as many as there are cores].")]
Check = Annotated[bool, typer.Option("--check", help="Check the file, say how many runs it asks for, and run nothing.")]

ROWS = ".rows"


def sweep(
    context: typer.Context, file: SweepFile, out: Out = None, processes: Processes = None, check: Check = False
) -> Result:
    """Run every combination of values in a file; killed or told to leave, the same command goes on."""
    from idleq.cli.keeping import asked_to_leave
    from idleq.simulator.places import Places
    from idleq.simulator.rows import RowsFile
    from idleq.simulator.sweeprun import load_sweep, made_by, run_sweep

    session = session_of(context)
    out = Path(f"{file.stem}.csv") if out is None else out
    write = writer_for(out)
    places = Places.from_environment(session.environment)
    loaded = load_sweep(file, places)
    head = f"{file}: {counted(len(loaded.places), 'row')} of {counted(loaded.runs, 'run')}"
    value = {"rows": len(loaded.places), "runs": loaded.runs, "out": None if check else str(out.absolute())}
    if check:
        return Result(value=value, text=(head,))
    with (
        asked_to_leave(session.environment) as is_leaving,
        RowsFile(out.with_name(f"{out.name}{ROWS}"), made_by()) as kept,
        progress(session, loaded.runs) as show,
    ):
        rows = run_sweep(loaded, places, kept, processes or cores(), show=show, is_leaving=is_leaving)
    write(out, rows)
    return Result(value=value, text=(f"{head}, in {out.absolute()}",), ids=(str(out.absolute()),))


def writer_for(out: Path) -> "Callable[[Path, list[Row]], None]":
    """Return what writes rows to *out*, whole or not at all.

    Raises:
        SweepNotKept: nothing can be written there, or nobody knows in which form.
    """
    from idleq.cli.commands.mainqueue import check_can_write
    from idleq.scheduler.atomic import write_atomically
    from idleq.simulator.errors import SweepNotKept, TraceNotKept
    from idleq.simulator.sweeprun import as_csv, as_json

    forms = {".csv": as_csv, ".json": as_json}
    if out.suffix not in forms:
        raise SweepNotKept(f"{out}: rows are written as {' or '.join(forms)}")
    try:
        check_can_write(out)
    except TraceNotKept as error:
        raise SweepNotKept(str(error)) from error

    def write(path: Path, rows: "list[Row]") -> None:
        try:
            write_atomically(path.absolute(), forms[out.suffix](rows).encode(), mode=0o644)
        except OSError as error:
            raise SweepNotKept(f"{path} cannot be written: {error.strerror or error}") from error

    return write


def cores() -> int:
    """Return how many cores this process may use."""
    import os

    return len(os.sched_getaffinity(0))


@contextmanager
def progress(session: "Session", runs: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many of *runs* are finished; yields what is told."""
    if not session.is_talking:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(file=session.stderr), transient=True) as bar:
        task = bar.add_task("Runs", total=runs)
        yield lambda done: bar.update(task, completed=done)
