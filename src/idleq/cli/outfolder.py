"""The folder that `idleq simulate --out` writes: the page, the figures and the numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idleq.cli.session import Session
    from idleq.simulator.keeper import Keeper
    from idleq.simulator.study.comparison import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class OutFolder:
    """Where to, and what of it."""

    path: Path
    has_plots: bool
    has_parquet: bool

    def check(self) -> None:
        """Notice before anything long is done that it cannot be written.

        Raises:
            ResultsNotKept, PlotsMissing, ParquetMissing: so it is.
        """
        from idleq.simulator.study.folder import check_folder
        from idleq.simulator.study.output import check_can_make

        check_can_make(with_plots=self.has_plots, with_parquet=self.has_parquet)
        check_folder(self.path)

    def write(self, comparison: "Comparison", session: "Session", keeper: "Keeper") -> None:
        """Write it: the numbers first, as drawing takes long enough to be killed in; *keeper* keeps what they are drawn from."""
        from idleq import __version__
        from idleq.simulator.study.folder import write_folder
        from idleq.simulator.study.output import numbers_of, page_of, tables_of

        keeper.keep_results()
        session.say("Drawing and writing ...")
        tables = tables_of(comparison)
        numbers = numbers_of(comparison, __version__, tables, with_parquet=self.has_parquet)
        write_folder(self.path, numbers)
        write_folder(self.path, numbers | page_of(comparison, __version__, tables, with_plots=self.has_plots))

    @property
    def page(self) -> str:
        """Say where the page is."""
        return f"The page is {self.path.absolute() / 'index.html'}"


def out_folder(given: Mapping[str, Any]) -> OutFolder | None:
    """Return the folder that options ask for, if they do."""
    path = given.get("out")
    if path is None:
        return None
    return OutFolder(path=path, has_plots=not given.get("no_plots"), has_parquet=bool(given.get("parquet")))
