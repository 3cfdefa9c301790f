"""Turns the signals that ask a process to stop into a call.

What is so, and makes this less simple than it looks:
- Handlers can be set in the main thread only, and run there, between any two bytecodes of it. So the callback must be
  short and take no lock that the main thread may hold: set a flag, wake a queue.
- A shell without job control starts background programs with SIGINT ignored; that is how it wants it, so it stays.
- What was set before may be unknown to Python (None); then it cannot be put back, and the default is.
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def on_stop(callback: Callable[[signal.Signals], None], signals: Sequence[signal.Signals] = STOPPING) -> Iterator[None]:
    """Call *callback* with each of *signals* that comes, as often as it comes; put back at the end what was set before."""

    def handle(number: int, _frame: FrameType | None) -> None:
        callback(signal.Signals(number))

    ours = [each for each in signals if signal.getsignal(each) is not signal.SIG_IGN]
    before = [(each, signal.getsignal(each)) for each in ours]
    try:
        for each in ours:
            signal.signal(each, handle)
        yield
    finally:
        for each, handler in before:
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
