"""What can go wrong in a report.

SchedulerError
└── BrokenHistory       the facts do not fit together
"""

from idleq.scheduler.errors import SchedulerError


class BrokenHistory(SchedulerError):
    """A fact names something that no earlier fact made: the journal is damaged or was cut; restore it from its copy."""
