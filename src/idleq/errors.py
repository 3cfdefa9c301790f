"""The root of every error that idleq raises on purpose.

IdleqError
├── scheduler.errors.SchedulerError
├── migration.errors.MigrationError
└── simulator.errors.SimulatorError

(Workloads are programs of their own; they speak through exit codes.)
"""

from typing import ClassVar


class IdleqError(Exception):
    """Something went wrong that a person can do something about.

    Attributes:
        exit_code: what the command line returns for it (docs/reference/exit-codes.md).
        transient: whether the same call may succeed later.
    """

    exit_code: ClassVar[int] = 1
    transient: ClassVar[bool] = False
