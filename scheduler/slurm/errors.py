"""What can go wrong between us and Slurm.

SlurmError
├── SlurmAway            it does not answer, or not in time
├── SlurmRefused         it answered that it will not
│   └── SlurmLimit       not now: a limit of the site is reached
├── SlurmTokenUnusable   the token for slurmrestd is missing, expired, open to others or refused
├── SlurmUnreadable      its answer is not what this version of idleq understands
├── SlurmHidesJobs       it shows this user only a part of what runs
├── SlurmUnfit           guests could run nowhere on it, or would be in the way
└── ConfigThere          what was to be proposed is written already
"""

from typing import ClassVar

from idleq.scheduler.errors import SchedulerError


class SlurmError(SchedulerError):
    """Something between us and Slurm went wrong."""


class SlurmAway(SlurmError):
    """Slurm does not answer."""

    exit_code: ClassVar[int] = 66
    transient: ClassVar[bool] = True


class SlurmRefused(SlurmError):
    """Slurm will not do that."""

    exit_code: ClassVar[int] = 67


class SlurmLimit(SlurmRefused):
    """A limit of the site is reached."""

    exit_code: ClassVar[int] = 71
    transient: ClassVar[bool] = True


class SlurmTokenUnusable(SlurmError):
    """The token for slurmrestd is missing, expired, open to others, or not accepted."""

    exit_code: ClassVar[int] = 74
    transient: ClassVar[bool] = True


class SlurmUnreadable(SlurmError):
    """Slurm's answer cannot be understood."""

    exit_code: ClassVar[int] = 68


class SlurmHidesJobs(SlurmError):
    """Slurm shows this user only a part of the jobs, so every gap would look larger than it is."""

    exit_code: ClassVar[int] = 69


class SlurmUnfit(SlurmError):
    """On this cluster guests could run nowhere, or would be in main jobs' way."""

    exit_code: ClassVar[int] = 76


class ConfigThere(SlurmError):
    """There is a configuration already, and it was left as it is."""

    exit_code: ClassVar[int] = 77
