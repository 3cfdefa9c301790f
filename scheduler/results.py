"""Accepted results: a link from the job to the one segment whose output counts."""

import os
import shutil
from pathlib import Path

from idleq.ids import Fence, JobId
from idleq.scheduler.paths import JobPaths, ServerPaths


class LinkedResults:
    """Implements the port Results in the server directory.

    The link is relative, so that the directory can be moved; it is made beside and renamed, so that a reader sees the
    result or none. It is not synced: after a power cut a lost link is made again from the journal.
    """

    def __init__(self, paths: ServerPaths) -> None:
        self._paths = paths

    def publish(self, job: JobId, fence: Fence) -> None:
        """Make the segment's output the job's result, and drop the snapshots; a second time changes nothing.

        Raises:
            OSError: the disk is full or away; nothing was published.
        """
        where = self._paths.job(job)
        target = str(where.segment(fence).output.relative_to(where.root))
        if _leads_to(where.result) != target:
            # The job is done in the journal; with the link last, a link that is right means that all of this was done.
            shutil.rmtree(where.snapshots, ignore_errors=True)
            _link(target, where)


class JournalledResults:
    """Implements the port Results where jobs' folders are their users': which segment's output counts stands in the journal alone."""

    def publish(self, job: JobId, fence: Fence) -> None:
        """Nothing is left to do."""


def _leads_to(link: Path) -> str | None:
    """Return where *link* leads, None if there is no link."""
    try:
        return os.readlink(link)  # noqa: PTH115 - a daemon that starts asks this of every job that is done
    except OSError:
        return None


def _link(target: str, where: JobPaths) -> None:
    where.root.mkdir(parents=True, exist_ok=True)
    beside = where.root / ".result"
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(where.result)
