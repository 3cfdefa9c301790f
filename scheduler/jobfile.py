"""Job descriptions: the named jobs' catalog, job files in TOML and the options of `idleq submit`, made into submissions.

All three say the same things with the same keys (docs/reference/job-file.md), so one table of keys reads them.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePath
from typing import Any

from msgspec import structs

from idleq.ids import EntryId
from idleq.scheduler.core.submission import JobSpec, Submission
from idleq.scheduler.errors import BadJobFile
from idleq.scheduler.jobkeys import CATALOG_KEYS, JOB_KEYS, checked, no_such, spec_of

FORMAT = 1
"""Of job files and of the catalog: raised when an old file would be read wrongly."""

MOST_JOBS = 10_000
"""In one file; more of the same are an array."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedJob:
    """A job that people submit by its name."""

    name: str
    description: str
    spec: JobSpec


Catalog = Mapping[str, NamedJob]

_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def read_catalog(text: str, *, image: str = "") -> dict[str, NamedJob]:
    """Return the named jobs, to run in *image* if there is one; raise BadJobFile if *text* is no catalog."""
    document = _document(text, "the catalog of named jobs")
    jobs = document.get("jobs", {})
    if not isinstance(jobs, dict):
        raise BadJobFile("the catalog of named jobs: jobs must be a table of tables, like [jobs.count]")
    return {name: _named(name, table, image) for name, table in jobs.items()}


def _named(name: str, table: object, image: str) -> NamedJob:
    values = checked(table, CATALOG_KEYS, f"named job {name!r}")
    description = str(values.pop("description", ""))
    if image:
        values.setdefault("image", image)
    return NamedJob(name=name, description=description, spec=spec_of(values, name, f"named job {name!r}"))


def read_job_file(text: str, catalog: Catalog) -> tuple[Submission, ...]:
    """Return the file's jobs in its order: one of its top level, or one per [[job]] table.

    Raises:
        BadJobFile: saying which job, which key, and what would be right; nothing is submitted.
    """
    document = _document(text, "the job file")
    if "jobs" in document:
        raise BadJobFile("the job file: there is no key 'jobs'; did you mean [[job]], one such table for each job?")
    if "job" not in document:
        return (_alone(document, catalog),)
    tables = document.pop("job")
    if document:
        raise BadJobFile(
            f"the job file: {next(iter(document))!r} stands outside the [[job]] tables; move it into one of them"
        )
    if not isinstance(tables, list) or not tables:
        raise BadJobFile("the job file: jobs are tables that begin with a line [[job]]")
    if len(tables) > MOST_JOBS:
        raise BadJobFile(f"the job file has {len(tables)} jobs and may have {MOST_JOBS}; like ones can be one array")
    return _together(tables, catalog)


def submission_of(table: object, catalog: Catalog, where: str) -> tuple[Submission, tuple[str, ...]]:
    """Return the submission that *table* describes, and the names in its `after` that are no numbers.

    Raises:
        BadJobFile: beginning with *where*.
    """
    values = checked(table, JOB_KEYS, where)
    workload, command, arguments = (values.pop(key, None) for key in ("workload", "command", "args"))
    array, held, after = values.pop("array", None), values.pop("hold", False), values.pop("after", ())
    if workload is not None and command is not None:
        raise BadJobFile(f"{where}: it has a workload and a command; it can run one of them")
    if workload is not None:
        base = workload_named(workload, catalog, where).spec
        if arguments:  # the catalog's duration is that of the job as it stands there
            base = structs.replace(base, expected_ms=None)
        spec = spec_of(values, workload, where, base=base, arguments=arguments or ())
    elif command is not None:
        if arguments is not None:
            raise BadJobFile(f"{where}: args go to a workload; write the command's own arguments into command")
        spec = spec_of(values | {"command": command}, PurePath(command[0]).name or command[0], where)
    else:
        raise BadJobFile(f'{where}: it says not what to run; give workload = "NAME" or command = ["PROGRAM", ...]')
    entries = tuple(EntryId(int(name)) for name in after if _NUMBER.fullmatch(name))
    submission = Submission(spec=spec, array=array, after=entries, held=held)
    return submission, tuple(name for name in after if not _NUMBER.fullmatch(name))


def workload_named(name: str, catalog: Catalog, where: str) -> NamedJob:
    """Return the named job; raise BadJobFile with the names that there are."""
    if name not in catalog:
        raise BadJobFile(f"{where}: {no_such('workload', name, catalog)}")
    return catalog[name]


def _document(text: str, what: str) -> dict[str, Any]:
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadJobFile(f"{what} is not TOML: {error}") from error
    version = document.pop("format", FORMAT)
    if version != FORMAT or isinstance(version, bool):
        raise BadJobFile(f"{what} has format {version!r}; this idleq reads format {FORMAT}")
    return document


def _alone(document: dict[str, Any], catalog: Catalog) -> Submission:
    submission, names = submission_of(document, catalog, "the job file")
    if names:
        raise BadJobFile(f"the job file: it comes after {names[0]!r}, but this file has one job; give a job's number")
    return submission


def _together(tables: Sequence[object], catalog: Catalog) -> tuple[Submission, ...]:
    labels = [_label(table, place) for place, table in enumerate(tables)]
    read = [submission_of(table, catalog, label) for table, label in zip(tables, labels, strict=True)]
    places = _places(tables)
    waits = {
        place: tuple(_place(name, places, labels[place]) for name in names) for place, (_, names) in enumerate(read)
    }
    _refuse_cycle(waits, labels)
    return tuple(
        Submission(spec=one.spec, array=one.array, after=one.after, after_here=waits[place], held=one.held)
        for place, (one, _) in enumerate(read)
    )


def _label(table: object, place: int) -> str:
    name = table.get("name") if isinstance(table, dict) else None
    return f"job {name!r}" if isinstance(name, str) else f"job {place + 1} of the file"


def _places(tables: Sequence[object]) -> dict[str, int]:
    """Where each name stands; only names that the file itself gives can be waited for."""
    places: dict[str, int] = {}
    for place, table in enumerate(tables):
        name = table.get("name") if isinstance(table, dict) else None
        if name is None:
            continue
        if name in places:
            raise BadJobFile(f"two jobs of the file are named {name!r}; give each a name of its own")
        places[name] = place
    return places


def _place(name: str, places: Mapping[str, int], where: str) -> int:
    if name not in places:
        raise BadJobFile(f"{where}: in after: {no_such('job of this file', name, places)}")
    return places[name]


def _refuse_cycle(waits: Mapping[int, tuple[int, ...]], labels: Sequence[str]) -> None:
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        circle: list[int] = error.args[1]
        names = [labels[place].removeprefix("job ") for place in reversed(circle)]
        raise BadJobFile(f"these jobs wait for each other in a circle: {' after '.join(names)}") from None
