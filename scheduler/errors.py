"""What can go wrong in the scheduler.

SchedulerError
├── JournalUnavailable      the journal cannot be written or read
├── JournalTooNew           it was written by a newer idleq
├── JournalDamaged          what it holds cannot be read
├── ServerDirectoryUnsafe   others can read or write the server directory
├── ServerDirectoryUnusable it cannot be made or looked into
├── DaemonRunning           another daemon serves this directory
├── Superseded              another daemon has taken this server directory over
├── DaemonAway              no daemon answers
├── PortInUse               somebody else listens there
├── AccessDenied            no token, or a wrong one
├── Refused                 the daemon will not do that (with the reason)
├── UnknownTarget           no such job
├── BadJobFile              a job description is wrong
├── BadConfig               the configuration is wrong
└── BadMessage              a message, or a name in it, cannot be read
"""

from typing import ClassVar

from idleq.errors import IdleqError


class SchedulerError(IdleqError):
    """Something in the scheduler went wrong."""


class JournalUnavailable(SchedulerError):
    """The journal cannot be written or read."""

    exit_code: ClassVar[int] = 10
    transient: ClassVar[bool] = True


class JournalTooNew(SchedulerError):
    """The journal was written by a newer idleq: update this one."""

    exit_code: ClassVar[int] = 11


class ServerDirectoryUnsafe(SchedulerError):
    """Others can read or write the server directory, which holds the token."""

    exit_code: ClassVar[int] = 12


class DaemonRunning(SchedulerError):
    """Another daemon serves this server directory."""

    exit_code: ClassVar[int] = 13


class Superseded(SchedulerError):
    """Another daemon has taken this server directory over: this one stops, and has written nothing since."""

    exit_code: ClassVar[int] = 24


class DaemonAway(SchedulerError):
    """No daemon answers: start one with `idleq daemon start`."""

    exit_code: ClassVar[int] = 14
    transient: ClassVar[bool] = True


class PortInUse(SchedulerError):
    """Somebody else listens on the daemon's port."""

    exit_code: ClassVar[int] = 15


class AccessDenied(SchedulerError):
    """The daemon did not accept the token."""

    exit_code: ClassVar[int] = 16


class Refused(SchedulerError):
    """The daemon will not do that."""

    exit_code: ClassVar[int] = 17


class UnknownTarget(SchedulerError):
    """There is no such job."""

    exit_code: ClassVar[int] = 18


class BadJobFile(SchedulerError):
    """A job description is wrong."""

    exit_code: ClassVar[int] = 19


class BadConfig(SchedulerError):
    """The configuration is wrong."""

    exit_code: ClassVar[int] = 20


class BadMessage(SchedulerError):
    """A message, or a name in it, cannot be read."""

    exit_code: ClassVar[int] = 21


class JournalDamaged(SchedulerError):
    """What the journal holds cannot be read; nothing is written to it any more."""

    exit_code: ClassVar[int] = 22


class ServerDirectoryUnusable(SchedulerError):
    """The server directory cannot be made or looked into."""

    exit_code: ClassVar[int] = 23
