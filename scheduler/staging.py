"""What a job is given and what of its output is its result: how both are written, and what is refused whatever the node looks like."""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from idleq.scheduler.core.submission import Inputs

LONGEST = 4000
MOST = 64
"""Of inputs, and of patterns; more of the same are a folder."""

PROGRESS = "progress.jsonl"
"""What a job writes itself into the folder in which it finds its inputs."""

KIND, PLACE = "input", "input"
"""What manifests call the copy of inputs, and where in it they lie."""

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def parse_source(text: str) -> str:
    """Return *text* if it can be the path of an input; raise ValueError if not."""
    if not text or len(text) > LONGEST or not text.isprintable():
        raise ValueError(f"it must be paths of 1 to {LONGEST} printable characters, not {text[:40]!r}")
    return text


def names_of(sources: Iterable[str]) -> tuple[str, ...]:
    """Return what inputs are called in the job."""
    return tuple(PurePosixPath(source).name for source in sources)


def check_sources(sources: Sequence[str]) -> None:
    """Raise ValueError if these full paths cannot be the inputs of one job."""
    if not 0 < len(sources) <= MOST:
        raise ValueError(f"there are {len(sources)} inputs, and there may be 1 to {MOST}; a folder can be one")
    called: dict[str, str] = {}
    for source, name in zip(sources, names_of(sources), strict=True):
        parse_source(source)
        if not source.startswith("/") or not name or ".." in PurePosixPath(source).parts:
            raise ValueError(f"{source!r} is no full path of a file or folder")
        if name == PROGRESS:
            raise ValueError(f"{source}: no input can be called {PROGRESS}, as the job tells its progress there")
        if name in called:
            raise ValueError(f"{called[name]} and {source} would both be called {name} in the job; rename one")
        called[name] = source


def check_inputs(inputs: Inputs) -> None:
    """Raise ValueError unless *inputs* can be found by a node: they have been copied, and nothing in their names leads elsewhere."""
    check_sources(inputs.sources)
    if not (_ID.fullmatch(inputs.id) and _DIGEST.fullmatch(inputs.digest) and inputs.bytes >= 0):
        raise ValueError("inputs have no copy that a node could find; `idleq submit` makes one")


def parse_pattern(text: str) -> str:
    """Return the pattern that *text* is, like "model.pt", "*.csv" or "plots"; raise ValueError if it is none."""
    pattern = text.removesuffix("/")
    parts = pattern.split("/")
    if not pattern or len(text) > LONGEST or not text.isprintable():
        raise ValueError(f"it must be patterns of 1 to {LONGEST} printable characters, not {text[:40]!r}")
    if pattern.startswith("/") or any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"{text!r} must be a path in the job's output folder, without '..'")
    if "**" in parts:
        raise ValueError(f"{text!r}: there is no '**'; a folder's name stands for all that is in it")
    return pattern


def check_patterns(patterns: Sequence[str]) -> None:
    """Raise ValueError if these cannot be the patterns of one job."""
    if len(patterns) > MOST:
        raise ValueError(f"there are {len(patterns)} patterns, and there may be {MOST}")
    for pattern in patterns:
        if parse_pattern(pattern) != pattern:
            raise ValueError(f"{pattern!r} is no pattern")


def belongs(path: str, pattern: str) -> bool:
    """Whether *path*, below the output folder, is what *pattern* means or lies in it."""
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted))
