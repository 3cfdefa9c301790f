"""Which data a model has learnt from, by the card beside its weights."""

import json
from pathlib import Path
from typing import Any

from idleq.workloads.training.card import CARD_JSON

# By which name a card tells of the data sets, and a manifest of what was generated.
LEARNT_FROM = "learnt_from"


def learnt_from(weights: Path) -> list[str]:
    """The digests of the data sets that *weights* have learnt from or been chosen by; none where no card of theirs lies beside them."""
    try:
        card = json.loads((weights.parent / CARD_JSON).read_bytes())
        if card["weights"] != weights.name:
            return []
        return _digests(card["data"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _digests(data: dict[str, Any]) -> list[str]:
    """A generator's one set, or a classifier's: two each that it has learnt from, that its cut is from, and that it was only measured on."""
    if "digest" in data:
        return [str(data["digest"])]
    return str(data["digests"]).split()[:4]
