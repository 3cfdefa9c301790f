"""Which tests may not run beside each other.

pytest-xdist 3.8 writes a test's group into its name in a way that pytest 9.2 no longer sees, so `--dist loadgroup` spreads groups over
workers without a word. Here a file goes as a whole to the worker of the group that it names.
"""

import re
from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_GROUP = re.compile(r'xdist_group\("(\w+)"\)')


@cache
def group_of(file: Path) -> str | None:
    """Return the first group that *file* names, None if it names none."""
    found = _GROUP.search(file.read_text(encoding="utf-8"))
    return found[1] if found else None


class ByGroup(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist publishes no types
    """Gives each group to one worker, and every other test to whoever is free."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        self._root = config.rootpath

    def _split_scope(self, nodeid: str) -> str:
        return group_of(self._root / nodeid.partition("::")[0]) or nodeid
