"""The named jobs, read as package data: no code of theirs is imported."""

from pathlib import Path
from typing import TYPE_CHECKING

import idleq

if TYPE_CHECKING:
    from idleq.scheduler.jobfile import NamedJob


def load_catalog(config: Path | None = None) -> "dict[str, NamedJob]":
    """Return the named jobs that this idleq was installed with; they run in the image that the file *config* names, if it does.

    Raises:
        BadConfig: *config* cannot be read.
    """
    from idleq.scheduler.config import load_config
    from idleq.scheduler.jobfile import read_catalog

    catalog = Path(idleq.__file__).with_name("workloads").joinpath("catalog.toml")
    image = load_config(config).containers.image if config is not None else ""
    return read_catalog(catalog.read_text(encoding="utf-8"), image=image)
