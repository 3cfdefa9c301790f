"""Signals by their names, as job descriptions give them."""

import signal


def number_of(name: str) -> int:
    """Return the signal's number; a name that this node does not know means the contract's own signal."""
    found = signal.Signals.__members__.get(name)
    return int(signal.SIGUSR1 if found is None else found)
