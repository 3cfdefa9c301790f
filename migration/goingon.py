"""When what criu has had hold of goes on.

What criu lets go has its system call to begin once more as soon as it has a core, which on a busy node takes a while. A signal that comes
before that is handled before the call, which knows nothing of it: a program that only sets a mark there and looks at it whenever its
sleep is over (Python does) hears of it when that sleep is over, maybe in hours. So nobody is told that it goes on before it does.
"""

import time

from idleq.processes import read_doing

GO_ON_SECONDS = 5.0
"""What has no core for so long is left to itself."""

GLANCE_SECONDS = 0.002

ON_ITS_WAY = frozenset("RtD")
"""The letters of who may not have begun its call yet: it waits for a core, is just being let go, or waits for a page of its program."""


def wait_until_it_goes_on(pid: int) -> None:
    """Return as soon as the process *pid*, whom criu has let go, sleeps in its system call again, or computes, or is no more."""
    began, give_up = read_doing(pid), time.monotonic() + GO_ON_SECONDS
    doing = began
    while began is not None and doing is not None and doing.letter in ON_ITS_WAY and time.monotonic() < give_up:
        if doing.letter == "R" and doing.ticks > began.ticks:
            return
        time.sleep(GLANCE_SECONDS)
        doing = read_doing(pid)
