"""What an agent is told on its command line of the site's configuration."""

from idleq.migration.sealing import read_keys
from idleq.scheduler.config import Config, SnapshotSettings
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.paths import ServerPaths

NICEST = 19
"""The niceness of guests on a machine that has users of its own: they run when nobody else there wants to."""


def snapshot_arguments(paths: ServerPaths, config: Config) -> tuple[str, ...]:
    """Return what agents are told about snapshots, where that is not what holds anyway; see first that the keys can be used.

    Raises:
        KeyUnusable: they cannot.
    """
    wanted, usual, generations = config.snapshots, SnapshotSettings(), config.policy.generations
    arguments: list[str] = []
    if wanted.compression != usual.compression:
        arguments += ["--compression", wanted.compression]
    if wanted.key_file:
        key_file = paths.root / wanted.key_file
        read_keys(key_file)
        arguments += ["--key-file", str(key_file)]
    if generations != Policy().generations:
        arguments += ["--generations", str(generations)]
    return tuple(arguments)
