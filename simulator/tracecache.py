"""Traces as they were read, in binary files under the hash of their content: reading one again takes milliseconds."""

import hashlib
import json
import os
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from idleq.simulator.errors import BadTrace
from idleq.simulator.swf import SwfLog, read_content
from idleq.simulator.trace import Dropped

VERSION = 1
"""Goes up whenever `SwfLog` or the reading of it changes: a file of another version is made again, never trusted."""


def digest_of(raw: bytes) -> str:
    """Return what names *raw*, whatever its file is called."""
    return hashlib.sha256(raw).hexdigest()


def read_cached(path: Path, cache: Path) -> tuple[SwfLog, str]:
    """Return the log of *path* and the digest of its content; read from *cache* if it was read before.

    Raises:
        BadTrace: it cannot be read, or not one line of it is a job.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadTrace(f"{path} cannot be read as a trace: {error.strerror or error}") from error
    digest = digest_of(raw)
    kept = cache / f"{digest[:32]}.npz"
    log = _load(kept, digest)
    if log is None:
        log = read_content(raw, path)
        _store(kept, digest, log)
    return log, digest


def _load(path: Path, digest: str) -> SwfLog | None:
    """Return what `_store` stored; None if there is nothing that this version wrote for *digest*."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            if about["version"] != VERSION or about["digest"] != digest:
                return None
            return SwfLog(
                about["header"], file["lines"], file["rows"], tuple(Dropped(*one) for one in about["dropped"])
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None  # not there, or not what was written: it is made again


def _store(path: Path, digest: str, log: SwfLog) -> None:
    """Keep *log*; a cache that cannot be written is no reason not to go on."""
    dropped = [(one.line, one.job, one.reason) for one in log.dropped]
    about = json.dumps({"version": VERSION, "digest": digest, "header": log.header, "dropped": dropped}).encode()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                rows: NDArray[np.int64] = log.rows
                np.savez(file, about=np.frombuffer(about, dtype=np.uint8), lines=log.lines, rows=rows)
            Path(beside).replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(beside).unlink()
            raise
