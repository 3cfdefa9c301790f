import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from idleq.scheduler.store.journal import Journal
from support.turns import facts_of, turn

SUPPORT = Path(__file__).parents[2] / "support"
BATCH, ROUNDS = 3, 25


def test_a_writer_killed_at_any_instant_leaves_every_batch_whole_or_absent(database_url: str) -> None:
    chance = random.Random(7)
    Journal.open(database_url).close()
    told = -1
    with writer(database_url) as process:
        for _ in range(ROUNDS):
            told = kill_one(process, chance, told)
            journal = Journal.open(database_url)
            facts, commands = list(journal.facts()), list(journal.commands())
            journal.close()
            batches = len(commands) // BATCH
            # What was acknowledged is there, and beyond it at most the batch that was being written.
            assert batches in {told + 1, told + 2}
            told = batches - 1
            turns = [turn(number) for number in range(batches * BATCH)]
            assert facts == facts_of(*turns)
            assert commands == [(turn.at, turn.commands[0]) for turn in turns]


@contextmanager
def writer(url: str) -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT.parent), os.environ.get("PYTHONPATH", "")])}
    argv = [sys.executable, str(SUPPORT / "journal_writer.py"), url]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        process.communicate(timeout=30)


def kill_one(process: "subprocess.Popen[str]", chance: random.Random, told: int) -> int:
    """Let one writer write for a while, kill it, and return the last batch that it acknowledged."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    pid = int(process.stdout.readline().split()[1])
    try:
        for _ in range(chance.randrange(8)):
            told = int(process.stdout.readline().split()[1])
        time.sleep(chance.uniform(0, 0.003))
    finally:
        os.kill(pid, signal.SIGKILL)
    while (line := process.stdout.readline()) != "over\n":
        told = int(line.split()[1])
    return told
