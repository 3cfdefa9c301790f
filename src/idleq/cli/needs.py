"""Options of `idleq simulate` that are of use beside others only: whoever gives one alone expects something that would not be so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Options = Mapping[str, object]
"""By name; None and False: not given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What must be so where *option* is given."""

    option: str
    is_met: Callable[[Options], bool]
    wording: str


def _learns(options: Options) -> bool:
    costs = options.get("costs")
    return isinstance(costs, list) and any(str(one).partition(":")[0] == "from-journal" for one in costs)


NEEDS = (
    Need(option="no_plots", is_met=lambda given: given.get("out") is not None, wording="without --out"),
    Need(option="parquet", is_met=lambda given: given.get("out") is not None, wording="without --out"),
    Need(option="window", is_met=lambda given: given.get("mode") == "window", wording="without --mode window"),
    Need(option="cost", is_met=lambda given: not _learns(given), wording="beside --costs from-journal"),
    Need(option="repair", is_met=lambda given: given.get("mtbf") is not None, wording="without --mtbf"),
    Need(option="slurm", is_met=lambda given: given.get("policy") == "slurm", wording="without --policy slurm"),
    Need(option="over", is_met=lambda given: given.get("estimates") == "model", wording="without --estimates model"),
)


def refuse_what_does_nothing(options: Options) -> None:
    """Raise ImpossibleParameters for the first of *options* that would change nothing."""
    from idleq.simulator.errors import ImpossibleParameters

    for need in NEEDS:
        value = options.get(need.option)
        if value is not None and value is not False and not need.is_met(options):
            option = f"--{need.option.replace('_', '-')}"
            raise ImpossibleParameters(f"{option} does nothing {need.wording}: leave out or change one of them")
