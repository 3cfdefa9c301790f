"""Where data sets lie: with the job while it may move between nodes, and in a cache for the next one."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from idleq.workloads import durable
from idleq.workloads.contract import Places
from idleq.workloads.iact.dataset import DatasetSpec, is_complete
from idleq.workloads.messages import say


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlaces:
    """*work* is where a set is made and read; *cache*, if any, is where finished sets are kept for other jobs."""

    work: Path
    cache: Path | None

    @classmethod
    def choose(cls, environ: Mapping[str, str], option: str | None, places: Places | None) -> Self:
        """`--data`, else IDLEQ_DATA_DIR, else the user's cache; a guest carries its set along with its checkpoints.

        A guest may be thawed on a node that shares nothing with the last one: without its own copy it would make the
        set again in every segment.
        """
        named = option or environ.get("IDLEQ_DATA_DIR")
        if named:
            return cls(work=Path(named), cache=None)
        cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "idleq" / "iact"
        if places is not None and places.control is not None:
            return cls(work=places.checkpoints / "data", cache=cache)
        return cls(work=cache, cache=None)

    def fetch(self, spec: DatasetSpec) -> None:
        """Copy the finished set from the cache, where it is there and not yet here."""
        if self.cache is not None:
            _copy(self.cache / spec.name, self.work / spec.name)

    def keep(self, spec: DatasetSpec) -> None:
        """Copy the finished set into the cache for other jobs."""
        if self.cache is not None:
            _copy(self.work / spec.name, self.cache / spec.name)


def _copy(source: Path, target: Path) -> None:
    """Make *target* a copy of the finished set *source*; a convenience, so a failure is only told."""
    if not is_complete(source) or is_complete(target):
        return
    temporary = target.with_name(f"{durable.TEMPORARY_PREFIX}{target.name}-{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, temporary)
        shutil.rmtree(target, ignore_errors=True)  # chunks of an interrupted making: the finished set has them all
        temporary.rename(target)
    except OSError as error:
        if not is_complete(target):  # another process may have been first
            say(f"cannot copy the data set to {target}: {error.strerror}")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
