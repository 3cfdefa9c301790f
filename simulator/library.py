"""The traces that a user has by name: those added, and a small one that comes along."""

import gzip
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from idleq.scheduler.nearest import did_you_mean
from idleq.simulator.errors import ImpossibleParameters, TraceNotKept, TraceUnknown
from idleq.simulator.places import Places
from idleq.simulator.swf import GZIPPED, SwfLog, unzipped
from idleq.simulator.tracecache import read_cached

SHIPPED = Path(__file__).with_name("data")
SUFFIXES = (".swf", ".swf.gz")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A trace that has a name.

    Attributes:
        name: what `idleq simulate` calls it.
        path: its file.
        is_shipped: whether it came with idleq.
    """

    name: str
    path: Path
    is_shipped: bool


def kept_traces(places: Places) -> list[Kept]:
    """Return all traces that have names, by name; one that was added goes before one of the same name that came along."""
    found = {kept.name: kept for kept in _in(SHIPPED, is_shipped=True)}
    found |= {kept.name: kept for kept in _in(places.traces, is_shipped=False)}
    return [found[name] for name in sorted(found)]


def find(name: str, places: Places) -> Path:
    """Return the file of trace *name*, which may itself be a file.

    Raises:
        TraceUnknown: there is neither, or *name* is a folder.
    """
    path = Path(name)
    if path.is_file():
        return path
    names = {kept.name: kept.path for kept in kept_traces(places)}
    if name in names:
        return names[name]
    if path.is_dir():
        raise TraceUnknown(f"{name} is a folder: name the log in it")
    raise TraceUnknown(
        f"there is no file and no trace {name!r}: if you have its log, `idleq traces add FILE --name {plain_name(path)}`; "
        f"the traces here are {', '.join(names)}, and synthetic:... and lublin:... draw one{did_you_mean(name, names)}"
    )


def add(content: bytes, name: str, places: Places, *, replace: bool = False) -> Path:
    """Keep *content*, plain or gzipped, under *name*; only if asked to *replace* it does it take the place of another log of that name.

    Raises:
        ImpossibleParameters: *name* is none, or is another log's.
        TraceNotKept: it cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ImpossibleParameters(f"{name!r} is no name for a trace: letters, digits, dots, dashes and underscores")
    path = places.traces / f"{name}.swf.gz"
    if not replace:
        _refuse_to_replace(content, name, places)
    packed = content if content.startswith(GZIPPED) else gzip.compress(content, mtime=0)
    try:
        places.traces.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=places.traces, delete=False) as beside:
            try:
                beside.write(packed)
                beside.flush()
                Path(beside.name).replace(path)
            except BaseException:
                with suppress(FileNotFoundError):
                    Path(beside.name).unlink()
                raise
    except OSError as error:
        raise TraceNotKept(f"{path} cannot be written: {error.strerror or error}") from error
    with suppress(FileNotFoundError):
        (places.traces / f"{name}.swf").unlink()
    return path


def remove(name: str, places: Places) -> None:
    """Forget the log that was kept under *name*.

    Raises:
        TraceUnknown: there is none, or it came with idleq.
        TraceNotKept: it cannot be removed.
    """
    names = {kept.name: kept for kept in kept_traces(places)}
    kept = names.get(name)
    if kept is None:
        raise TraceUnknown(f"there is no trace {name!r}: `idleq traces ls` lists them{did_you_mean(name, names)}")
    if kept.is_shipped:
        raise TraceUnknown(f"{name} came with idleq and stays: only logs that were added are removed")
    try:
        kept.path.unlink(missing_ok=True)
    except OSError as error:
        raise TraceNotKept(f"{kept.path} cannot be removed: {error.strerror or error}") from error


def _refuse_to_replace(content: bytes, name: str, places: Places) -> None:
    before = next((one for one in kept_traces(places) if one.name == name), None)
    if before is None or unzipped(before.path.read_bytes()) == unzipped(content):
        return
    whose = "came with idleq" if before.is_shipped else f"is another log ({before.path})"
    raise ImpossibleParameters(f"there is a trace {name} already, which {whose}: give another --name, or --replace it")


def log_of(name: str, places: Places) -> tuple[SwfLog, str]:
    """Return the log of trace *name*, and the digest of its content."""
    return read_cached(find(name, places), places.read_traces)


def plain_name(path: Path) -> str:
    """Return the name of *path* without what says that it is a trace."""
    for suffix in reversed(SUFFIXES):
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.stem


def _in(folder: Path, *, is_shipped: bool) -> Iterator[Kept]:
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.name.endswith(SUFFIXES):
                yield Kept(name=plain_name(path), path=path, is_shipped=is_shipped)
