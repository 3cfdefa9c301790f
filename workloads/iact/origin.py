"""Where the images of a data set are from, as a model card says it."""

from dataclasses import dataclass
from typing import Any

RENDERED = "The truth it learnt from is rendered from MAGIC's Hillas parameters, not TAIGA's own Monte Carlo."
FROM_FILES = (
    "The truth it learnt from is that of the files it was given (its sources): what is wrong there is wrong here."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """*sources* name the files that were given; a set that was made has none."""

    truth: str
    sources: tuple[str, ...] = ()
    is_rendered: bool = True  # from MAGIC's Hillas parameters

    def told(self) -> dict[str, Any]:
        """For the card's data."""
        return {"truth": self.truth, **({"sources": list(self.sources)} if self.sources else {})}

    @property
    def limit(self) -> str:
        """For the card's limits."""
        return RENDERED if self.is_rendered else FROM_FILES


MADE = Origin(truth="a stand-in for TAIGA's Monte Carlo")
