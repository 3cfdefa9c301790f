"""idleq runs low-priority jobs in the gaps that a supercomputer's own scheduler leaves idle."""

__version__ = "0.1.0"
