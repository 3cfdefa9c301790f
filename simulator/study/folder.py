"""The folder of a comparison: written beside and renamed, so that it is there whole or not at all."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from idleq.simulator.errors import ResultsNotKept

MARKER = ".idleq-results"
"""Lists what was written into a folder: one that has it and nothing beyond that list may be replaced."""


def check_folder(path: Path) -> None:
    """Notice before anything long is done that *path* cannot become a folder of results.

    Raises:
        ResultsNotKept: so it is.
    """
    path = path.absolute()
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise ResultsNotKept(f"{path} is there and is no folder: name another one")
    if path.resolve() in (here := Path.cwd(), *here.parents):
        raise ResultsNotKept(f"{path} is the folder you are in, or above it: name a new one")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()  # permissions alone do not say whether it can be done
    except OSError as error:
        raise ResultsNotKept(
            f"{path} cannot be written: its folder must be there and be yours to write in ({error.strerror or error})"
        ) from error
    if path.is_dir() and any(path.iterdir()) and not _is_ours(path):
        raise ResultsNotKept(f"{path} has something in it that is no result of idleq simulate: name another folder")


def _is_ours(path: Path) -> bool:
    try:
        ours = json.loads((path / MARKER).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(ours, list) and all(one.name in (MARKER, *ours) and one.is_file() for one in path.iterdir())


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Make *path* a folder with *files* and nothing else; an earlier one of ours is replaced.

    Raises:
        ResultsNotKept: it could not be written; what was there before is still there.
    """
    path = path.absolute()
    check_folder(path)
    beside = None
    try:
        beside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        for name, content in {**files, MARKER: json.dumps(sorted(files)).encode()}.items():
            (beside / name).write_bytes(content)
        beside.chmod(0o755)
        _replace(path, beside)
    except OSError as error:
        raise ResultsNotKept(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        if beside is not None:
            shutil.rmtree(beside, ignore_errors=True)


def _replace(path: Path, beside: Path) -> None:
    """Put *beside* where *path* is; what was there is deleted once the new one is in its place."""
    with suppress(FileNotFoundError, OSError):
        path.rmdir()
    if not path.exists():
        beside.rename(path)
        return
    before = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.")) / "before"
    path.rename(before)
    try:
        beside.rename(path)
    except OSError:
        before.rename(path)
        raise
    finally:
        shutil.rmtree(before.parent, ignore_errors=True)
