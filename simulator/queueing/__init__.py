"""The site's own queue: policies as pure functions, and the engine that asks them."""

from idleq.simulator.queueing.easy import easy
from idleq.simulator.queueing.fcfs import fcfs
from idleq.simulator.queueing.main_queue import MainQueue, replay
from idleq.simulator.queueing.policy import Policy, Semantics, Slot

__all__ = ["MainQueue", "Policy", "Semantics", "Slot", "easy", "fcfs", "replay"]
