"""Run the benchmarks, print the table and write results.json: `python -m bench.run [NAME...]`.

Named benchmarks replace their own rows in results.json; the others stay.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.apart import BenchmarkFailed, leave_on_signals, rows_of
from bench.row import Row

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
LONGEST_SECONDS = 1500
"""A benchmark that takes longer is stopped, and gives a row without a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A benchmark's rows, and how they came about.

    Attributes:
        rows: what was measured.
        load_before: how many processes wanted to run before it began: others' work makes all of it slower.
        on: the day, the commit and the processor.
    """

    rows: list[Row]
    load_before: float
    on: str


def names() -> list[str]:
    """Every benchmark, in the order of the alphabet."""
    return sorted(path.stem for path in HERE.glob("*.py") if "\ndef rows(" in path.read_text())


def measure(name: str) -> list[Row]:
    """Return the rows of benchmark *name*; if it fails, one row that says why."""
    try:
        return [Row(**row) for row in json.loads(rows_of(name, LONGEST_SECONDS))]
    except BenchmarkFailed as error:
        return [failed(name, str(error))]


def failed(name: str, reason: str) -> Row:
    """A row for a benchmark that could not be run; it counts as not met."""
    return Row(name=name, value=None, unit="", note=reason)


def table(results: list[dict[str, object]]) -> Table:
    """The results as people read them."""
    drawn = Table("benchmark", "name", "value", "unit", "target", "met", "note")
    for row in results:
        better = "<=" if row["better"] == "less" else ">="
        target = "" if row["target"] is None else f"{better} {row['target']:g}"
        value = "-" if row["value"] is None else f"{row['value']:.4g}"
        met = {True: "yes", False: "[bold red]no[/]", None: ""}[row["met"]]  # type: ignore[index]  # it is one of the three
        drawn.add_row(
            str(row["benchmark"]), str(row["name"]), value, str(row["unit"]), target, met, str(row.get("note", ""))
        )
    return drawn


def circumstances() -> str:
    """Return the day, the commit (with a plus if files differ from it) and the processor."""
    asked = ("git", "describe", "--always", "--exclude=*", "--abbrev=7", "--dirty=+")
    said = subprocess.run(asked, cwd=HERE, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    commit = said.stdout.strip() or "no commit"
    cpus = re.findall(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE) or [platform.machine()]
    return f"{datetime.now(UTC):%Y-%m-%d}, {commit}, {os.cpu_count()} x {cpus[0]}"


def merged(before: list[dict[str, object]], measured: dict[str, Measured]) -> list[dict[str, object]]:
    """Return the results of *before* with those of the benchmarks in *measured* replaced."""
    kept = [row for row in before if row["benchmark"] not in measured and row["benchmark"] in names()]
    new = [
        {"benchmark": name} | row.as_json() | {"load_before": one.load_before, "on": one.on}
        for name, one in measured.items()
        for row in one.rows
    ]
    return sorted(kept + new, key=lambda row: str(row["benchmark"]))


def main() -> None:
    """Run what was named, or all."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description="Run benchmarks.")
    parser.add_argument("names", nargs="*", choices=[[], *names()], metavar="NAME", help=f"of: {', '.join(names())}")
    chosen = parser.parse_args().names or names()
    leave_on_signals()
    console = Console(width=None if sys.stdout.isatty() else 160)
    measured, on = {}, circumstances()
    for name in chosen:
        load = round(os.getloadavg()[0], 1)
        console.print(f"[dim]{name} (load {load}) ...[/]")
        measured[name] = Measured(rows=measure(name), load_before=load, on=on)
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    results = merged(before, measured)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    console.print(table(results))
    missed = sum(row["met"] is False for row in results)
    console.print(f"{len(results)} rows, {missed} not met; written to {RESULTS.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
