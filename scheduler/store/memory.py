"""A journal that lives as long as its process: for tests, and for trying things out."""

from collections.abc import Iterator, Sequence

from idleq.ids import Millis
from idleq.scheduler import codec
from idleq.scheduler.core.commands import Command
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.errors import JournalUnavailable
from idleq.scheduler.ports import Turn

Line = tuple[Millis, str, bytes]


class MemoryJournal:
    """Implements ports.Journal; facts and commands go through the codec, as they do on the way to a disk.

    Attributes:
        broken: while this is set nothing can be written, and *append* raises it.
    """

    def __init__(self) -> None:
        self.broken: JournalUnavailable | None = None
        self._facts: list[Line] = []
        self._commands: list[Line] = []

    def append(self, turns: Sequence[Turn]) -> None:
        """Keep *turns*, all or none."""
        facts = [(turn.at, *codec.encode(fact)) for turn in turns for fact in turn.facts]
        commands = [(turn.at, *codec.encode(command)) for turn in turns for command in turn.commands]
        if self.broken is not None:
            raise self.broken
        self._facts += facts
        self._commands += commands

    def facts(self) -> Iterator[tuple[Millis, Fact]]:
        """Yield every fact with its time, oldest first."""
        return ((at, codec.decode_fact(kind, body)) for at, kind, body in self._facts)

    def commands(self) -> Iterator[tuple[Millis, Command]]:
        """Yield every command with the time of its turn, oldest first."""
        return ((at, codec.decode_command(kind, body)) for at, kind, body in self._commands)
