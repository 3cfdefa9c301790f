"""What keeps an agent from starting, or a command from being tried as its guest.

SchedulerError
├── AgentRunning        another agent serves this allocation
├── AllocationUnknown   the daemon has made nothing for this allocation
└── TrialFailed         a command cannot be tried as a guest

StartFailed
└── InputsGone          what a job is to be given is not there, or not what it was
"""

from typing import ClassVar

from idleq.migration.errors import StartFailed
from idleq.scheduler.errors import SchedulerError


class AgentRunning(SchedulerError):
    """Another agent serves this allocation."""

    exit_code: ClassVar[int] = 35


class AllocationUnknown(SchedulerError):
    """The daemon has made nothing for this allocation."""

    exit_code: ClassVar[int] = 36


class TrialFailed(SchedulerError):
    """The command cannot be tried: undisturbed it fails, does not end, or is over at once."""

    exit_code: ClassVar[int] = 83


class InputsGone(StartFailed):
    """The copy of a job's inputs is not there, or not what was copied."""

    exit_code: ClassVar[int] = 72
    transient: ClassVar[bool] = False
