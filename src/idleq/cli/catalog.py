"""The named jobs, read as package data: no code of theirs is imported."""

from pathlib import Path
from typing import TYPE_CHECKING

import idleq

if TYPE_CHECKING:
    from idleq.scheduler.jobfile import NamedJob


def load_catalog() -> "dict[str, NamedJob]":
    """Return the named jobs that this idleq was installed with."""
    from idleq.scheduler.jobfile import read_catalog

    return read_catalog(
        Path(idleq.__file__).with_name("workloads").joinpath("catalog.toml").read_text(encoding="utf-8")
    )
