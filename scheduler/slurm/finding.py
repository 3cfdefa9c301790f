"""One thing that was looked at of a site's Slurm, and how much it matters."""

from dataclasses import dataclass
from enum import StrEnum


class Weight(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    #: idleq works, with a risk that is said.
    WARNING = "warning"
    #: It will not work.
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what.
        weight: how much it matters.
        found: what is so.
        advice: what to do.
        lines: what the admin would write into slurm.conf (cgroup.conf where it says so), or commands of sacctmgr.
    """

    name: str
    weight: Weight = Weight.OK
    found: str
    advice: str = ""
    lines: tuple[str, ...] = ()
