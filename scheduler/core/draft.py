"""A decision in the making."""

from typing import Literal

from msgspec import Struct

from idleq.ids import CommandId, EntryId, Millis
from idleq.scheduler.core.apply import apply
from idleq.scheduler.core.commands import Command
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.core.state import State


class Refusal(Struct, frozen=True):
    """Why an input was not accepted; nothing has changed."""

    kind: Literal["unknown", "conflict", "invalid"]
    message: str


class Draft(Struct):
    """Facts and commands so far; a fact holds from the moment it is recorded.

    Attributes:
        state: what the deciding looks at.
        now: the turn's time.
        facts: recorded facts, in order.
        commands: commands so far, in order.
        entries: the entries that a submission made.
        refusal: why the input was not accepted, None if it was.
    """

    state: State
    now: Millis
    facts: list[Fact] = []
    commands: list[Command] = []
    entries: tuple[EntryId, ...] = ()
    refusal: Refusal | None = None

    @property
    def next_command(self) -> CommandId:
        """The id for the next new command."""
        return CommandId(self.state.next_command)

    def record(self, fact: Fact, *commands: Command) -> None:
        """*fact* is so, and *commands* follow from it."""
        apply(self.state, self.now, fact)
        self.facts.append(fact)
        if commands:
            self.commands += commands

    def tell_again(self, command: Command) -> None:
        """Repeat a command that may not have arrived; its id is the old one."""
        self.commands.append(command)

    def refuse(self, kind: Literal["unknown", "conflict", "invalid"], message: str) -> None:
        """Do not accept the input."""
        self.refusal = Refusal(kind, message)
