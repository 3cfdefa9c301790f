"""How long a person waits when submitting much at once; nothing of it starts, so only the submission counts."""

import tempfile
from pathlib import Path

from bench.row import Row
from bench.server import serving
from bench.timing import median_seconds

TASKS = 100_000
JOBS = 1_000
RUNS = 7
SMALL = ("--freeze", "none", "--memory", "16M")


def rows() -> list[Row]:
    """The start of the command line is part of it, and so is the daemon's journal on the disk."""
    with serving() as environment, tempfile.TemporaryDirectory() as folder:
        array = ("submit", "--hold", "--array", f"0-{TASKS - 1}", *SMALL, "--", "true")
        whole = median_seconds(*array, environment=environment, runs=RUNS)
        file = Path(folder) / "jobs.toml"
        file.write_text(_job_file())
        single = median_seconds("submit", "--file", str(file), environment=environment, runs=RUNS)
    return [
        Row(name=f"submitting an array of {TASKS} jobs by one command, median of {RUNS}", value=whole, unit="s",
            target=1.5),
        Row(name=f"submitting {JOBS} single jobs by one job file, median of {RUNS}", value=single, unit="s"),
    ]  # fmt: skip


def _job_file() -> str:
    return "".join(
        f'[[job]]\nname = "job{n}"\ncommand = ["true"]\nmemory = "16M"\nhold = true\n\n' for n in range(JOBS)
    )
