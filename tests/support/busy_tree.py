"""A guest with all that is hard to take along: open files, a deleted one, pipes, threads, children, an orphan. Alone, by any Python.

busy_tree.py STEPS: each step takes a number from a child's pipe, one from a thread and one from an orphan's pipe, and writes a line
that depends on all that came before. Two runs write the same, whatever happens in between.
"""

import hashlib
import os
import queue
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

PAUSE_SECONDS = 0.01


def numbers(factor: int, writing: int) -> None:
    """Write the multiples of *factor* for ever; a full pipe keeps them back."""
    count = 0
    while True:
        count += 1
        os.write(writing, b"%12d" % (count * factor))


def child(factor: int, *, is_orphan: bool) -> int:
    """Start a child, or a grandchild whose parent is gone; return where its numbers can be read."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        if is_orphan and os.fork() != 0:
            os._exit(0)
        with suppress(BrokenPipeError):
            numbers(factor, writing)
        os._exit(0)
    os.close(writing)
    if is_orphan:
        os.waitpid(pid, 0)
    return reading


def tell(told: "queue.Queue[int]", steps: int) -> None:
    """Put the multiples of 13 into *told*, as fast as they are taken."""
    for number in range(steps):
        told.put(number * 13)


def main(steps: int) -> None:
    """Run *steps* of it in the folder that it starts in."""
    ours, orphans = child(7, is_orphan=False), child(11, is_orphan=True)
    told: queue.Queue[int] = queue.Queue(3)
    threading.Thread(target=tell, args=(told, steps), daemon=True).start()
    state = hashlib.sha256()
    with Path("lines.txt").open("a") as lines, tempfile.TemporaryFile() as hidden:
        for step in range(1, steps + 1):
            state.update(os.read(ours, 12) + os.read(orphans, 12) + b"%d" % told.get())
            hidden.write(state.digest())
            hidden.seek(-32, os.SEEK_CUR)
            lines.write(f"{step} {hidden.read(32).hex()[:16]}\n")
            lines.flush()
            sys.stdout.write(f"{step}\n")
            sys.stdout.flush()
            time.sleep(PAUSE_SECONDS)
        Path("result.txt").write_text(f"{state.hexdigest()} {hidden.tell()}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
