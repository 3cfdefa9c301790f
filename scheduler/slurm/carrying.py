"""What a config.toml that is written anew keeps of the one before it: all that `idleq init slurm` has no opinion on. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from idleq.scheduler.slurm.proposal import Proposal, Setting

DECIDED: Mapping[str, frozenset[str]] = {
    "server": frozenset({"transport"}),
    "policy": frozenset({"mode", "grace", "max_allocation", "min_gap", "max_pending"}),
    "cluster": frozenset({"kind", "partition", "window_partition", "qos", "account", "format", "poll"}),
}
"""What follows from the site, also where it follows that nothing is set."""


def kept(former: Mapping[str, Any]) -> tuple[Setting, ...]:
    """Return what of *former*, a configuration that can be read, goes on to hold; of another kind of cluster nothing does."""
    return tuple(_kept(former))


def with_kept(proposal: Proposal, settings: tuple[Setting, ...]) -> Proposal:
    """Return *proposal* with *settings* at the end of their sections."""
    order = list(DECIDED)
    together = sorted((*proposal.settings, *settings), key=lambda setting: order.index(setting.section))
    return replace(proposal, settings=tuple(together))


def _kept(former: Mapping[str, Any]) -> Iterator[Setting]:
    for section, decided in DECIDED.items():
        table = former.get(section, {})
        if section == "cluster" and table.get("kind") != "slurm":
            continue
        for key, value in table.items():
            if key not in decided:
                yield Setting(section=section, key=key, value=value, reason="As in the config.toml before this one.")
