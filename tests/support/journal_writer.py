"""Appends batches of three turns for ever, once for each line it is told: `python journal_writer.py URL`.

Says the pid of the process that writes, then the number of each batch once it is in the journal, then "over".
"""

import os
import sys
from itertools import count

from idleq.scheduler.store.journal import Journal
from support.turns import turn

BATCH = 3


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def write_for_ever(url: str) -> None:
    journal = Journal.open(url)
    done = sum(1 for _ in journal.commands()) // BATCH
    tell(f"pid {os.getpid()}")
    for batch in count(done):
        journal.append([turn(batch * BATCH + place) for place in range(BATCH)])
        tell(f"batch {batch}")


def main() -> None:
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            write_for_ever(sys.argv[1])
        os.waitpid(pid, 0)
        tell("over")


if __name__ == "__main__":
    main()
