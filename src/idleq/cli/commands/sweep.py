"""`idleq simulate sweep`: many simulations over processes, kept row by row."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.bar import progress
from idleq.cli.options import session_of
from idleq.cli.outfile import OutFile
from idleq.cli.result import Result
from idleq.cli.wording import counted

if TYPE_CHECKING:
    from idleq.simulator.rows import Row
    from idleq.simulator.sweeprun import Sweep

SweepFile = Annotated[Path, typer.Argument(metavar="FILE.toml", help="What to run: values for the keys of a run.")]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE.csv|FILE.json", help="Where the rows go [default: FILE.csv in this folder]."),
]
Processes = Annotated[int | None, typer.Option(min=1, help="How many at once [default: as many as there are cores].")]
Check = Annotated[bool, typer.Option("--check", help="Check the file, say how many runs it asks for, and run nothing.")]

Parquet = Annotated[bool, typer.Option("--parquet", help="The rows as Parquet too, beside the others (needs pyarrow).")]

Figures = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Draw the gain over every number that varies: a page, PNGs and CSVs (needs matplotlib)."
    ),
]

ROWS = ".rows"


def sweep(
    context: typer.Context,
    file: SweepFile,
    out: Out = None,
    processes: Processes = None,
    parquet: Parquet = False,
    figures: Figures = None,
    check: Check = False,
) -> Result:
    """Run every combination of values in a file; killed or told to leave, the same command goes on."""
    from idleq.cli.keeping import asked_to_leave
    from idleq.simulator.places import Places
    from idleq.simulator.rows import RowsFile
    from idleq.simulator.study.folder import check_folder
    from idleq.simulator.study.plots import check_installed
    from idleq.simulator.sweeprun import load_sweep, made_by, run_sweep

    session = session_of(context)
    out = Path(f"{file.stem}.csv") if out is None else out
    files = files_for(out, with_parquet=parquet)
    if figures is not None:
        check_installed()
        check_folder(figures)
    places = Places.from_environment(session.environment)
    loaded = load_sweep(file, places)
    head = f"{file}: {counted(len(loaded.places), 'row')} of {counted(loaded.runs, 'run')}"
    value = {"rows": len(loaded.places), "runs": loaded.runs, "out": None if check else str(out.absolute())}
    if check:
        return Result(value=value, text=(head,))
    with (
        asked_to_leave(session.environment) as is_leaving,
        RowsFile(out.with_name(f"{out.name}{ROWS}"), made_by()) as kept,
        progress(session, "Runs", loaded.runs) as show,
    ):
        rows = run_sweep(loaded, places, kept, processes or cores(), show=show, is_leaving=is_leaving)
    for written, made_of in files:
        written.write(made_of(rows))
    names = tuple(str(written.path.absolute()) for written, _ in files)
    said = f"{head}, in {' and '.join(names)}"
    if figures is not None:
        _draw(figures, loaded, rows, file)
        said += f"\nThe page is {figures.absolute() / 'index.html'}"
        value["figures"] = str(figures.absolute())
    return Result(value=value, text=(said,), ids=names)


def _draw(folder: Path, loaded: "Sweep", rows: "Sequence[Row]", file: Path) -> None:
    from idleq import __version__
    from idleq.simulator.study.folder import write_folder
    from idleq.simulator.study.gainplots import files_of
    from idleq.simulator.study.gaintables import gain_figures

    write_folder(folder, files_of(gain_figures(loaded.places, rows), file.name, __version__))


def files_for(out: Path, *, with_parquet: bool) -> "Sequence[tuple[OutFile, Callable[[list[Row]], bytes]]]":
    """Return the files that rows go into, and what makes each of them; nothing is written yet.

    Raises:
        SweepNotKept: nothing can be written there, or nobody knows in which form.
        ParquetMissing: its package is not installed.
    """
    from idleq.simulator.errors import SweepNotKept
    from idleq.simulator.parquet import check_parquet
    from idleq.simulator.sweeprun import as_csv, as_json, as_parquet

    forms = {".csv": as_csv, ".json": as_json}
    if out.suffix not in forms:
        raise SweepNotKept(f"{out}: rows are written as {' or '.join(forms)}, with --parquet as Parquet too")
    found = [(OutFile(out, SweepNotKept), forms[out.suffix])]
    if with_parquet:
        check_parquet()
        found.append((OutFile(out.with_suffix(".parquet"), SweepNotKept), as_parquet))
    for file, _ in found:
        file.check()
    return found


def cores() -> int:
    """Return how many cores this process may use."""
    import os

    return len(os.sched_getaffinity(0))
