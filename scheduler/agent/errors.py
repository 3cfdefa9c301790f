"""What keeps an agent from starting.

SchedulerError
├── AgentRunning        another agent serves this allocation
└── AllocationUnknown   the daemon has made nothing for this allocation
"""

from typing import ClassVar

from idleq.scheduler.errors import SchedulerError


class AgentRunning(SchedulerError):
    """Another agent serves this allocation."""

    exit_code: ClassVar[int] = 35


class AllocationUnknown(SchedulerError):
    """The daemon has made nothing for this allocation."""

    exit_code: ClassVar[int] = 36
