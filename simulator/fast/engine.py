"""Compiles the kernels, once per machine, and runs a trace through them."""

import atexit
import os
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from idleq.simulator.errors import FastMissing, ImpossibleParameters, JobTooLarge
from idleq.simulator.fast import kernels
from idleq.simulator.queueing.policy import Semantics
from idleq.simulator.table import Column, JobTable

POLICIES: Mapping[str, int] = {
    "fcfs": kernels.FCFS,
    "easy": kernels.EASY,
    "easy-sjbf": kernels.EASY_SJBF,
    "conservative": kernels.CONSERVATIVE,
}
"""The policies that are compiled, by the names of `queueing.catalog`."""

INNER = (
    kernels.enter,
    kernels.gone_by,
    kernels.reservation,
    kernels.begin,
    kernels.backfill,
    kernels.backfill_shortest,
    kernels.place_first,
    kernels.conservative_pass,
    kernels.close_up,
    kernels.drop_started,
    kernels.one_pass,
    kernels.end_first,
)

WITHOUT_COUNTS: Mapping[str, Any] = {"_nrt": False}
"""The kernels make no arrays, so that none has to be counted: twice as fast."""

Simulate = Callable[[kernels.Site, Column, int, int], None]


def replay_fast(
    table: JobTable, processors: int, policy: str, semantics: Semantics, machine_code: Path
) -> tuple[Column, int]:
    """Return the start of each job of *table*, and how many passes were made; compiled code is kept in *machine_code*.

    Raises:
        FastMissing: numba is not installed.
        ImpossibleParameters: *policy* is not compiled.
        JobTooLarge: a job asks for more than *processors*.
    """
    if policy not in POLICIES:
        raise ImpossibleParameters(
            f"the fast engine has no {policy}: it has {', '.join(POLICIES)}; take --engine simpy"
        )
    if len(table) and int(table.size.max()) > processors:
        worst = int(table.size.argmax())
        raise JobTooLarge(f"main job {table.id[worst]} asks for {table.size[worst]} of {processors} processors")
    # Copies: arrays of another kind would be compiled for again.
    submit, run, limit, size = (
        np.array(column, dtype=np.int64) for column in (table.submit, table.run, table.limit, table.size)
    )
    site = kernels.new_site(run, limit, size, processors)
    compiled(_writable(machine_code))(site, submit, POLICIES[policy], int(semantics is Semantics.PER_EVENT))
    return cast("Column", site.start), int(site.counts[kernels.PASSES])


def must_compile(policy: str, machine_code: Path) -> bool:
    """Whether a run under *policy* has to compile first, for half a minute; one that is refused does not.

    Code that is older than its source is compiled for again. So is that of another numba, which is not foreseen here.
    """
    if policy not in POLICIES or find_spec("numba") is None:
        return False
    source = Path(kernels.__file__).stat().st_mtime
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or machine_code)
    return not any(index.stat().st_mtime >= source for index in folder.rglob("*.nbi"))


@cache
def compiled(machine_code: Path) -> Simulate:
    """Return `kernels.simulate` as machine code, from *machine_code* if it was compiled before."""
    try:
        import numba
        from numba.core import config
        from numba.extending import register_jitable
    except ImportError as error:
        raise FastMissing(f"the fast engine needs numba ({error}): `pip install 'idleq[fast]'`") from error
    # Otherwise it would go beside the source, into the installed package.
    if not os.environ.get("NUMBA_CACHE_DIR"):
        setattr(config, "CACHE_DIR", str(machine_code))  # noqa: B010 - numba makes its settings when it is imported
    for function in INNER:
        register_jitable(**WITHOUT_COUNTS)(function)
    simulate: Simulate = numba.njit(cache=True, **WITHOUT_COUNTS)(kernels.simulate)
    return simulate


def _writable(folder: Path) -> Path:
    """Return *folder*, or one for this process only where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return _temporary()
    return folder if os.access(folder, os.W_OK) else _temporary()


@cache
def _temporary() -> Path:
    folder = TemporaryDirectory(prefix="idleq-numba-")
    atexit.register(folder.cleanup)
    return Path(folder.name)
