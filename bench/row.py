"""One line of the results."""

from dataclasses import dataclass
from typing import Literal

Better = Literal["less", "more"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was measured, and what it should be.

    Attributes:
        name: a sentence's worth: what was done, with which sizes.
        value: the figure; None if it could not be had, and then *note* says why.
        unit: of the value and the target.
        target: what it should reach; None if nothing was promised.
        better: whether less or more of it is better.
        note: the machine's part, the spread, or why there is no value.
    """

    name: str
    value: float | None
    unit: str
    target: float | None = None
    better: Better = "less"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target was reached; None if there is none. A figure that could not be had reaches none."""
        if self.value is None:
            return False
        if self.target is None:
            return None
        return self.value <= self.target if self.better == "less" else self.value >= self.target

    def as_json(self) -> dict[str, object]:
        """As it stands in results.json."""
        fields: dict[str, object] = {"name": self.name, "value": self.value, "unit": self.unit, "target": self.target}
        fields |= {"better": self.better, "met": self.met}
        return fields | ({"note": self.note} if self.note else {})
