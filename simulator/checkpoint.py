"""A running simulation as bytes: its whole graph of objects, under a header that is verified before any of it is unpickled.

What is unpickled runs as code. The header keeps out what is damaged or belongs to something else; it cannot keep out somebody
who can write the file. So whoever reads such a file must know that nobody else could.
"""

import hashlib
import io
import json
import platform
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import cloudpickle
import numpy as np
import simpy
from simpy import Environment

import idleq
from idleq.simulator.errors import CheckpointDamaged, CheckpointForeign

FORMAT = 2
DECIDING_FOLDERS = ("simulator", "scheduler/core")
DECIDING_MODULES = (
    "ids.py",
    "machines.py",
    "scheduler/codec.py",
    "scheduler/jobfile.py",
    "scheduler/jobkeys.py",
    "scheduler/plain.py",
    "scheduler/units.py",
)
NEWLINE = b"\n"

WORDING: Final = MappingProxyType(
    {
        "format": "in another format",
        "idleq": "by another version of idleq",
        "python": "by another version of Python",
        "simpy": "by another version of SimPy",
        "numpy": "by another version of NumPy",
        "cloudpickle": "by another version of cloudpickle",
        "code": "by other code of the same version of idleq",
        "purpose": "of a simulation with other settings, or of another trace",
    }
)
"""What must be the same where a simulation goes on, in the order in which it is looked at, and how it is called if it is not."""


def pack(run: object, purpose: str) -> bytes:
    """Return *run* as bytes that `unpack` takes for the same *purpose* only: a digest of all that decides the result."""
    body = io.BytesIO()
    _Pickler(body).dump(run)
    header = {**_here(purpose), "bytes": body.tell(), "sha256": hashlib.sha256(body.getvalue()).hexdigest()}
    return json.dumps(header, sort_keys=True).encode() + NEWLINE + body.getvalue()


def unpack(packed: bytes, purpose: str) -> object:
    """Return what was packed for *purpose*.

    Raises:
        CheckpointDamaged: it is no checkpoint, or not whole.
        CheckpointForeign: it is one of something else; the message says in what it differs.
    """
    line, _, body = packed.partition(NEWLINE)
    header = _header(line)
    for key, expected in _here(purpose).items():
        if header.get(key) != expected:
            raise CheckpointForeign(f"it was made {WORDING[key]}")
    if header.get("bytes") != len(body) or header.get("sha256") != hashlib.sha256(body).hexdigest():
        raise CheckpointDamaged("its content is not what its header says")
    run: object = cloudpickle.loads(body)
    return run


def _header(line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or "format" not in header:
        raise CheckpointDamaged("it does not begin as a checkpoint does")
    return header


def _here(purpose: str) -> dict[str, object]:
    return {
        "format": FORMAT,
        "idleq": idleq.__version__,
        "python": platform.python_version(),
        "simpy": simpy.__version__,
        "numpy": np.__version__,
        "cloudpickle": cloudpickle.__version__,
        "code": code_digest(),
        "purpose": purpose,
    }


@cache
def code_digest() -> str:
    """Return a digest of all code that decides how a simulation goes on: an editable install changes under its version."""
    package = Path(idleq.__file__).parent
    return digest_of_files(package, _sources(package))


def digest_of_files(package: Path, sources: Iterable[Path]) -> str:
    """Return a digest of *sources*: of what each is called in *package*, and of what is in it."""
    digest = hashlib.sha256()
    for source in sources:
        content = source.read_bytes()
        digest.update(f"{source.relative_to(package)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources(package: Path) -> Iterator[Path]:
    for folder in DECIDING_FOLDERS:
        yield from sorted((package / folder).rglob("*.py"))
    yield from (package / module for module in DECIDING_MODULES)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle publishes no types
    """Lambdas and local functions are taken along; of a SimPy environment what cannot be made again."""

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - the pickle module's own interface
        if type(obj) is Environment:
            return Environment, (), _parts_of(obj), None, None, _put_back
        return super().reducer_override(obj)


def _parts_of(env: Environment) -> dict[str, object]:
    # Event numbers only order events: that one is left out changes nothing.
    return {"now": env.now, "queue": env._queue, "next": next(env._eid) + 1}  # noqa: SLF001 - SimPy offers no way to read them


def _put_back(env: Environment, parts: dict[str, Any]) -> None:
    env._now, env._queue, env._eid = parts["now"], parts["queue"], count(parts["next"])  # noqa: SLF001 - as above
