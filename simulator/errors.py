"""What can go wrong in the simulator and the embedded cluster.

SimulatorError
├── BadTrace            a log of main jobs cannot be used
├── TraceUnknown        no trace has this name, and no file either
├── TraceNotKept        a trace, or a file made of one, cannot be written
├── ImpossibleParameters  nothing can be simulated with these
├── BadOutages          a file of outages, drains and reservations cannot be used
├── FastMissing         the packages of the fast engine are not installed
├── PlotsMissing        the package that draws figures is not installed
├── ParquetMissing      the package that writes Parquet is not installed
├── ResultsNotKept      the folder of results cannot be written
├── CheckpointDamaged   what a simulation was kept in is not whole, or not safe to read
├── CheckpointForeign   it was kept by something else than what would go on with it
├── CheckpointNotKept   a simulation cannot be kept there
├── BadSweep            a sweep file cannot be used
├── SweepForeign        the file of finished rows is not this sweep's
├── SweepRunning        another process runs this sweep
├── SweepBroken         one of a sweep's processes ended
├── SweepNotKept        finished rows cannot be written
├── SimulationLeft      it was told to leave, and is kept
├── JobTooLarge         a main job asks for more than the whole machine
├── BadSettings         the embedded cluster's settings are missing or wrong
├── BadRecords          what the embedded cluster remembers cannot be read
├── ImpossibleRequest   no node could ever give what an allocation asks for
├── ClusterAway         the embedded cluster's process does not answer
└── ClusterRunning      another process steps this embedded cluster
"""

from typing import ClassVar

from idleq.errors import IdleqError


class SimulatorError(IdleqError):
    """Something in the simulator went wrong."""


class BadTrace(SimulatorError):
    """A log of main jobs cannot be used."""

    exit_code: ClassVar[int] = 50


class JobTooLarge(SimulatorError):
    """A main job asks for more than the whole machine has, and would block the queue for ever."""

    exit_code: ClassVar[int] = 51


class BadSettings(SimulatorError):
    """The embedded cluster's settings are missing or wrong."""

    exit_code: ClassVar[int] = 52


class ImpossibleRequest(SimulatorError):
    """No node could ever give what an allocation asks for."""

    exit_code: ClassVar[int] = 53


class ClusterAway(SimulatorError):
    """The embedded cluster's process does not answer."""

    exit_code: ClassVar[int] = 54
    transient: ClassVar[bool] = True


class ClusterRunning(SimulatorError):
    """Another process steps this embedded cluster already."""

    exit_code: ClassVar[int] = 55


class BadRecords(SimulatorError):
    """What the embedded cluster remembers of its allocations cannot be read."""

    exit_code: ClassVar[int] = 56


class TraceUnknown(SimulatorError):
    """There is neither a file nor a trace of this name."""

    exit_code: ClassVar[int] = 57


class TraceNotKept(SimulatorError):
    """A trace, or a file made of one, cannot be written; what was there before is still there."""

    exit_code: ClassVar[int] = 58


class ImpossibleParameters(SimulatorError):
    """These values are no simulation: a name that there is not (of a policy, say), or a number that cannot be."""

    exit_code: ClassVar[int] = 59


class BadOutages(SimulatorError):
    """A file of outages, drains and reservations cannot be used."""

    exit_code: ClassVar[int] = 48


class FastMissing(SimulatorError):
    """The fast engine's packages are not installed: `pip install 'idleq[fast]'`."""

    exit_code: ClassVar[int] = 49


class PlotsMissing(SimulatorError):
    """The package that draws figures is not installed: `pip install 'idleq[plots]'`."""

    exit_code: ClassVar[int] = 46


class ParquetMissing(SimulatorError):
    """The package that writes Parquet is not installed: `pip install 'idleq[parquet]'`."""

    exit_code: ClassVar[int] = 47


class ResultsNotKept(SimulatorError):
    """The folder of results cannot be written, or has something else in it; nothing was written."""

    exit_code: ClassVar[int] = 45


class CheckpointDamaged(SimulatorError):
    """The file that a simulation was kept in is not whole, or others could have written it; it was not read."""

    exit_code: ClassVar[int] = 44


class CheckpointForeign(SimulatorError):
    """The file holds a simulation of other settings, or of another version; it was not read."""

    exit_code: ClassVar[int] = 43


class CheckpointNotKept(SimulatorError):
    """The simulation cannot be kept there; what was there before is still there."""

    exit_code: ClassVar[int] = 42


class BadSweep(SimulatorError):
    """A sweep file cannot be used; nothing was run."""

    exit_code: ClassVar[int] = 41


class SweepForeign(SimulatorError):
    """The file of finished rows holds something else, or rows that other code has made."""

    exit_code: ClassVar[int] = 40


class SweepRunning(SimulatorError):
    """Another process runs a sweep into the same file."""

    exit_code: ClassVar[int] = 39


class SweepNotKept(SimulatorError):
    """Finished rows cannot be written; those before are kept."""

    exit_code: ClassVar[int] = 38


class SweepBroken(SimulatorError):
    """One of a sweep's processes was ended from outside; finished rows are kept."""

    exit_code: ClassVar[int] = 37
    transient: ClassVar[bool] = True


class SimulationLeft(SimulatorError):
    """The simulation was told to leave; it is kept, and the same command goes on with it."""

    exit_code: ClassVar[int] = 85
    transient: ClassVar[bool] = True
