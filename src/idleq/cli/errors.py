"""What can go wrong in the command line itself.

CliError
├── ClusterIsTheSites   what runs on Slurm is not ended like a cluster of idleq's own
├── DaemonDidNotStart   the daemon ended before it answered
├── DaemonDidNotStop    the daemon was told to stop and goes on
├── DemoFailed          the demo ran, but did not show what it is to show
├── DrillFailed         the program of a snapshot does not go on
├── MustBeginAnew       a command can be a guest only if it may begin anew
├── NoOutput            there is nothing to show of a job's output
├── TrainingMissing     the packages that the training needs are not installed
└── WaitTimedOut        not all jobs were over in the time given
"""

from typing import ClassVar

from idleq.errors import IdleqError


class CliError(IdleqError):
    """Something in the command line went wrong."""


class ClusterIsTheSites(CliError):
    """The cluster is the site's: it is not ended, and what runs there is saved or cancelled in other ways."""

    exit_code: ClassVar[int] = 86


class DaemonDidNotStart(CliError):
    """The daemon ended, or said nothing, before it answered."""

    exit_code: ClassVar[int] = 60


class DemoFailed(CliError):
    """The demo ran, but did not show what it is to show."""

    exit_code: ClassVar[int] = 61


class DrillFailed(CliError):
    """The program of a snapshot does not go on from it."""

    exit_code: ClassVar[int] = 81


class MustBeginAnew(CliError):
    """The command was tried, and cannot be frozen here: as a guest it would begin anew whenever its gap ends."""

    exit_code: ClassVar[int] = 84


class NoOutput(CliError):
    """There is nothing to show: the job has printed nothing, or nothing yet."""

    exit_code: ClassVar[int] = 62


class TrainingMissing(CliError):
    """The packages that the training needs are not installed."""

    exit_code: ClassVar[int] = 63


class WaitTimedOut(CliError):
    """Not all jobs were over in the time given."""

    exit_code: ClassVar[int] = 64


class ReportNotWritten(CliError):
    """The page of a report could not be written."""

    exit_code: ClassVar[int] = 82


class DaemonDidNotStop(CliError):
    """The daemon was told to stop and goes on."""

    exit_code: ClassVar[int] = 65
