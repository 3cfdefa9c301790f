"""The options for what a job is given and what is its result, and the copies of inputs that a submit makes."""

import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import structs

from idleq.errors import IdleqError
from idleq.scheduler.errors import BadJobFile, DaemonAway

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idleq.cli.client import Client
    from idleq.cli.session import Session
    from idleq.migration.tree import Item
    from idleq.scheduler.core.submission import Inputs, Submission

InputPaths = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="PATH", help="A file or folder that it is given: copied now (again for more)."),
]
OutputPatterns = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        metavar="PATTERN",
        help="What of its output folder is its result, like '*.csv' or plots (again for more) [default: all].",
    ),
]

WORTH_TELLING = 64 << 20
"""Bytes from which a person is told why it takes a while."""


@dataclass(slots=True)
class Copies:
    """The inputs of one submit: one copy for all jobs that are given the same, beside what else nodes share with the daemon."""

    session: "Session"
    _made: "dict[tuple[str, ...], Inputs]" = field(default_factory=dict)

    def given(self, submissions: "Sequence[Submission]") -> "tuple[Submission, ...]":
        """Return *submissions* with copies of their inputs.

        Raises:
            BadJobFile: an input holds what is not kept, or cannot be read.
            SnapshotNotWritten: the disk does not take it.
        """
        return tuple(self._given(one) for one in submissions)

    def drop(self, why: IdleqError) -> None:
        """Remove the copies, as nothing was submitted; if nobody knows whether it was, the daemon finds out later."""
        if not isinstance(why, DaemonAway):
            for copy in self._made.values():
                shutil.rmtree(self.session.paths.input(copy.id), ignore_errors=True)

    def _given(self, submission: "Submission") -> "Submission":
        inputs = submission.spec.inputs
        if inputs is None:
            return submission
        if inputs.sources not in self._made:
            self._made[inputs.sources] = self._copied(inputs, f"job {submission.spec.name!r}")
        spec = structs.replace(submission.spec, inputs=self._made[inputs.sources])
        return structs.replace(submission, spec=spec)

    def _copied(self, inputs: "Inputs", where: str) -> "Inputs":
        from idleq.migration import snapshot
        from idleq.migration.errors import FolderRefused
        from idleq.migration.here import origin_here
        from idleq.scheduler.staging import KIND

        paths, name = self.session.paths, uuid.uuid4().hex
        paths.create()
        paths.inputs.mkdir(mode=0o700, exist_ok=True)
        try:
            items = _items(inputs.sources, where)
            size = sum(item.source.stat().st_size for item in items if not item.is_folder)
            self._check_room(size, paths.inputs)
            published = snapshot.publish(
                items, paths.input(name), kind=KIND, origin=origin_here(self.session.now()), has_company=True
            )
        except FolderRefused as error:
            raise BadJobFile(f"{where}: inputs: {error}") from error
        except OSError as error:
            raise BadJobFile(f"{where}: inputs: {error.filename} cannot be read: {error.strerror}") from error
        return structs.replace(inputs, id=name, digest=published.digest, bytes=published.bytes)

    def _check_room(self, size: int, folder: Path) -> None:
        from idleq.migration.errors import SnapshotNotWritten
        from idleq.scheduler.units import format_size

        free = shutil.disk_usage(folder).free
        if size > free:
            raise SnapshotNotWritten(
                f"the inputs are {format_size(size)}, and {folder} has {format_size(free)} left; give what is that large"
                " by its full path on a file system that the nodes see, instead of --input"
            )
        if size >= WORTH_TELLING:
            self.session.say(f"Copying {format_size(size)} of inputs ...")


def remove_old_copies(session: "Session", client: "Client") -> None:
    """Remove what no job of this user wants any more, where the daemon of a whole site leaves their folder alone."""
    from idleq.scheduler import inputcopies

    if not session.paths.door.exists() or not (names := inputcopies.names(session.paths)):
        return
    try:
        known = client.input_copies(names)
    except IdleqError as error:  # what was asked for besides is done all the same
        session.say(f"Old copies of inputs stay for now: {error}")
        return
    for problem in inputcopies.remove(session.paths, known, session.now()).problems:
        session.say(f"An old copy of inputs stays: {problem}")


def _items(sources: "Sequence[str]", where: str) -> "list[Item]":
    """Return all that is to be copied; a link among *sources* stands for what it leads to, those in a folder are refused."""
    from idleq.migration.tree import Item, list_folder
    from idleq.scheduler.staging import PLACE, names_of

    items: list[Item] = []
    for source, name in zip(sources, names_of(sources), strict=True):
        real, path = Path(source).resolve(strict=True), f"{PLACE}/{name}"
        if not (real.is_file() or real.is_dir()):
            raise BadJobFile(f"{where}: inputs: {source} is neither a file nor a folder")
        items.append(Item(path=path, source=real, is_folder=real.is_dir()))
        items += list_folder(real, path) if real.is_dir() else []
    return [Item(path=PLACE, source=Path("/"), is_folder=True), *items]
