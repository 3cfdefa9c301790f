"""What agents are told on their command line."""

from pathlib import Path

import pytest

from idleq.migration.errors import KeyUnusable
from idleq.scheduler.agent.arguments import snapshot_arguments
from idleq.scheduler.config import Config, SnapshotSettings
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.paths import ServerPaths


def test_agents_are_told_of_snapshots_only_what_is_not_usual(tmp_path: Path) -> None:
    paths = ServerPaths(tmp_path)
    assert snapshot_arguments(paths, Config()) == ()
    (tmp_path / "keys").write_text("11" * 32)
    (tmp_path / "keys").chmod(0o600)
    config = Config(
        policy=Policy(generations=3), snapshots=SnapshotSettings(compression="off", key_file="keys", quota_bytes=1)
    )
    assert snapshot_arguments(paths, config) == (
        "--compression", "off", "--key-file", str(tmp_path / "keys"), "--generations", "3",
    )  # fmt: skip


def test_keys_that_no_agent_could_read_are_refused_before_there_is_any(tmp_path: Path) -> None:
    config = Config(snapshots=SnapshotSettings(key_file="keys"))
    with pytest.raises(KeyUnusable, match="No such file"):
        snapshot_arguments(ServerPaths(tmp_path), config)
    (tmp_path / "keys").write_text("11" * 32)
    (tmp_path / "keys").chmod(0o644)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        snapshot_arguments(ServerPaths(tmp_path), config)
