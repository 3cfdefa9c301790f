"""The embedded cluster begins, or goes on as it began, when a daemon starts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from idleq.scheduler.errors import BadConfig
from idleq.scheduler.paths import ClusterPaths, ServerPaths
from idleq.simulator.errors import BadSettings
from idleq.simulator.host import living_agents
from idleq.simulator.settings import ClusterSettings, read_settings, write_settings


def begin(server_dir: Path, wanted: ClusterSettings, stop: Callable[[], object]) -> None:
    """Tell the cluster's process that it is as *wanted*, unless it was told just that already: then it goes on as it began.

    Where agents are to be started another way only, it goes on with the old one as long as any of them lives. *stop* ends its process.

    Raises:
        BadConfig: another cluster runs allocations here, which would end with it.
    """
    paths = ServerPaths(server_dir).cluster
    before = _settings_before(server_dir)
    if before is not None:
        as_before = replace(wanted, start=before.start)
        if as_before == before:
            return
        if replace(as_before, agent_argv=before.agent_argv) == before and living_agents(paths):
            return
    refuse_while_agents_live(paths)
    stop()
    write_settings(server_dir, wanted)


def refuse_while_agents_live(paths: ClusterPaths) -> None:
    """Raise BadConfig if allocations live on the cluster that was here before."""
    if alive := living_agents(paths):
        raise BadConfig(
            f"this is another cluster, or another setting of it, than the one on which {alive} of our allocations run here,"
            " and they would end: start as before, or type `idleq pause --now` to save what they do and"
            " `idleq daemon stop --cluster` to end them"
        )


def _settings_before(server_dir: Path) -> ClusterSettings | None:
    try:
        return read_settings(server_dir)
    except BadSettings:
        return None
