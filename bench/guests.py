"""Guests in the gaps of a real log, through the engine as it is: how fast that is simulated, and what is harvested."""

import os
import resource
from pathlib import Path
from time import perf_counter

from bench.row import Row
from idleq.ids import Millis
from idleq.scheduler.core.resources import Resources
from idleq.simulator.costs import equal_costs
from idleq.simulator.guestload import always_enough
from idleq.simulator.jobs import scaled
from idleq.simulator.strategies import Outcome, Site, Strategy, run
from idleq.simulator.swf import clean, read_swf

PROCESSORS = 100
COST_MS = Millis(60_000)
ONE = Resources(1, 1)


def rows() -> list[Row]:
    """KTH's year, processors as nodes, with always enough guests."""
    trace = _trace()
    if trace is None:
        missing = "KTH-SP2-1996-2.swf.gz is not here; say where the data is with IDLEQ_SHARED"
        return [
            Row(name="completed segments a second", value=None, unit="1/s", target=5000, better="more", note=missing),
            Row(name="KTH's year with always enough guests", value=None, unit="s", target=60, note=missing),
        ]
    jobs = tuple(scaled(clean(read_swf(trace)).jobs, 1000))
    site = Site(nodes=PROCESSORS, node=ONE, jobs=jobs, until=Millis(jobs[-1].submit))
    gaps = site.gaps()
    begin = perf_counter()
    outcome = run(site, Strategy.IDLEQ, always_enough(ONE, 3 * PROCESSORS), equal_costs(COST_MS), gaps)
    return _rows(outcome, perf_counter() - begin)


def _rows(outcome: Outcome, took: float) -> list[Row]:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    what = "freeze, thaw and save of 60 s, no grace"
    return [
        Row(
            name="completed segments a second",
            value=outcome.segments / took,
            unit="1/s",
            target=5000,
            better="more",
            note=what,
        ),
        Row(name="KTH's year with always enough guests", value=took, unit="s", target=60, note=what),
        Row(name="memory for that", value=peak_mb, unit="MB", target=1000, note="the process's peak"),
        Row(name="harvest of that", value=outcome.harvest, unit="of what could be", target=0.90, better="more"),
    ]


def _trace() -> Path | None:
    beside = Path(__file__).parents[2] / "shared"
    path = Path(os.environ.get("IDLEQ_SHARED", beside)) / "data" / "traces" / "KTH-SP2-1996-2.swf.gz"
    return path if path.exists() else None
