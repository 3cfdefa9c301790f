"""Daemon and agent talk by files, where a node cannot reach the login node: each writes what only the other reads.

In an allocation's directory the agent appends to reports.jsonl and asks by question.json; the daemon leaves commands in
inbox/, one a file, and answers by answer.json. Each small file is renamed into its place, so nobody reads a part of it.
Shared file systems show changes late and list what is gone; so an answer names the question that it answers, an agent
removes a command's file when it has the command, and a file that is listed but gone is passed over.
"""

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from idleq.ids import AllocationId, CommandId, Millis
from idleq.scheduler import codec
from idleq.scheduler.atomic import write_atomically
from idleq.scheduler.core.commands import AgentCommand, Freeze, Kill
from idleq.scheduler.paths import AllocationPaths, ServerPaths

T = TypeVar("T")

GONE = frozenset({errno.ENOENT, errno.ESTALE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an agent asks.

    Attributes:
        beat: counts up with each question.
        boot: the boot id of its node.
    """

    beat: int
    boot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the daemon says.

    Attributes:
        beat: of the question that it answers; the agent's lease counts from when it asked that one.
        taken: it has every report up to this number.
        lease_ms: the agent may go on for this long from when it asked.
        leave: the allocation is over or unknown; true whatever was asked.
        daemon: changes whenever another daemon process answers.
        epoch: of that daemon; a lower one than was heard before is that of a daemon which others have replaced.
    """

    beat: int
    taken: int
    lease_ms: Millis
    leave: bool
    daemon: str
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """A command as it travels; its body is what the codec made of it, *epoch* is that of the daemon that sent it."""

    id: CommandId
    kind: str
    body: msgspec.Raw
    epoch: int = 0


class DaemonSpool:
    """The daemon's ends; implements the port Agents. Sending a command twice leaves one file of each daemon that sent it."""

    def __init__(self, paths: ServerPaths, epoch: int) -> None:
        self._paths, self._epoch = paths, epoch

    def send(self, command: AgentCommand) -> None:
        """Leave *command* for the agent of its allocation, durably; it lies there until the agent has it."""
        kind, body = codec.encode(command)
        folder = self._paths.allocation(command.allocation)
        folder.inbox.mkdir(mode=0o700, parents=True, exist_ok=True)
        letter = Letter(command.id, kind, msgspec.Raw(body), self._epoch)
        write_atomically(folder.command(command.id, self._epoch), codec.to_json(letter))

    def forget(self, allocation: AllocationId) -> None:
        """The allocation is over: its agent is owed nothing more, and if it still lives it is told to leave."""
        folder = self._paths.allocation(allocation)
        for name in _listed(folder.inbox, os.listdir):
            (folder.inbox / name).unlink(missing_ok=True)
        if folder.root.is_dir():
            last = _read(folder.answer, Answer) or Answer(beat=0, taken=0, lease_ms=Millis(0), leave=True, daemon="")
            self.answer(allocation, replace(last, leave=True, epoch=self._epoch))

    def question(self, allocation: AllocationId) -> Question | None:
        """Return what the agent last asked, None if it never has; the same question a second time is no sign of life."""
        return _read(self._paths.allocation(allocation).question, Question)

    def answer(self, allocation: AllocationId, answer: Answer) -> None:
        """Answer the agent; only the last answer counts."""
        write_atomically(self._paths.allocation(allocation).answer, codec.to_json(answer))


class AgentSpool:
    """The agent's end, in its allocation's directory; *listing* returns the names in a folder."""

    def __init__(self, folder: AllocationPaths, listing: Callable[[Path], Iterable[str]] = os.listdir) -> None:
        self._folder, self._listing = folder, listing
        self._files: dict[CommandId, set[Path]] = {}

    def ask(self, question: Question) -> None:
        """Ask the daemon; only the last question counts."""
        write_atomically(self._folder.question, codec.to_json(question))

    def answer(self) -> Answer | None:
        """Return the daemon's last answer as far as it is seen here, None if there is none."""
        return _read(self._folder.answer, Answer)

    def commands(self, epoch: int = 0) -> tuple[AgentCommand, ...]:
        """Return the commands that lie in the inbox, in the order of their ids.

        What a daemon from before *epoch* wanted ended is ended; what it wanted started is not: its successor may have given that
        up, and has said again what it still wants.

        Raises:
            BadMessage: there is one that this idleq does not know.
        """
        names = [name for name in _listed(self._folder.inbox, self._listing) if not name.startswith(".")]
        found: dict[CommandId, AgentCommand] = {}
        for name in sorted(names):
            letter = _read(self._folder.inbox / name, Letter)
            if letter is None:
                continue
            self._files.setdefault(letter.id, set()).add(self._folder.inbox / name)
            command = _open(letter)
            if letter.epoch >= epoch or isinstance(command, Freeze | Kill):
                found[letter.id] = command
        return tuple(found[number] for number in sorted(found))

    def take(self, commands: Sequence[CommandId]) -> None:
        """The agent has *commands*: their files are removed, which tells the daemon so."""
        for command in commands:
            for file in self._files.pop(command, {self._folder.command(command)}):
                file.unlink(missing_ok=True)


def whole_lines(path: Path, offset: int) -> tuple[list[bytes], int]:
    """Return the lines of *path* from *offset* on, and where they end; a last one without its end is still being written.

    No file is an empty one. *offset* is 0 or what an earlier call returned.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except OSError as error:
        if error.errno in GONE:
            return [], offset
        raise
    end = data.rfind(b"\n") + 1
    return data[:end].split(b"\n")[:-1], offset + end


def _open(letter: Letter) -> AgentCommand:
    command: AgentCommand = codec.decode(letter.kind, bytes(letter.body), AgentCommand)
    return command


def _listed(folder: Path, listing: Callable[[Path], Iterable[str]]) -> Iterable[str]:
    try:
        return listing(folder)
    except OSError as error:
        if error.errno in GONE:
            return ()
        raise


def _read(path: Path, cls: type[T]) -> T | None:
    """Return what *path* holds; None if it is not there, or no longer."""
    try:
        return codec.from_json(path.read_bytes(), cls)
    except OSError as error:
        if error.errno in GONE:
            return None
        raise
