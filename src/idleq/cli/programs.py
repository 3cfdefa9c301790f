"""A command's program and its inputs, found when it is submitted: a job starts in a folder of its own, where a relative path would lead nowhere."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from idleq.scheduler.errors import BadJobFile
from idleq.scheduler.staging import check_sources

if TYPE_CHECKING:
    from idleq.scheduler.core.submission import Inputs, Submission


def located(submission: "Submission", folder: Path, where: str) -> "Submission":
    """Return *submission* with the paths of its program and its inputs made absolute from *folder*; its arguments stay.

    Raises:
        BadJobFile: beginning with *where*: there is no such program, or it may not be run, or there is no such folder to start in,
            or its inputs are not there, or are no inputs of one job.
    """
    if submission.spec.inputs is not None:
        submission = _with_inputs(submission, submission.spec.inputs, folder, where)
    program, *arguments = submission.spec.argv
    start = submission.spec.workdir
    if start and not submission.spec.image and not Path(start).is_dir():
        raise BadJobFile(
            f"{where}: workdir: {start} is no folder here; a job without an image starts in one that the nodes see too"
        )
    if "/" not in program or submission.spec.image:  # an image has programs of its own
        return submission
    path = folder / program
    if problem := _problem(path):
        raise BadJobFile(f"{where}: {problem}")
    return structs.replace(submission, spec=structs.replace(submission.spec, argv=(str(path), *arguments)))


def _with_inputs(submission: "Submission", inputs: "Inputs", folder: Path, where: str) -> "Submission":
    sources = tuple(os.path.abspath(folder / source) for source in inputs.sources)  # noqa: PTH100 - a link keeps its own name
    try:
        check_sources(sources)
    except ValueError as error:
        raise BadJobFile(f"{where}: inputs: {error}") from None
    for source in sources:
        if not os.path.exists(source):  # noqa: PTH110 - beside those above
            raise BadJobFile(f"{where}: inputs: there is no {source}")
    spec = structs.replace(submission.spec, inputs=structs.replace(inputs, sources=sources))
    return structs.replace(submission, spec=spec)


def _problem(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a directory; give the program in it"
    if not path.exists():
        return f"there is no program {path}; give a path that leads to it, or a name that is on the PATH of the nodes"
    if not os.access(path, os.X_OK):
        return f"{path} may not be run; type: chmod +x {shlex.quote(str(path))}"
    return ""
