"""The model card: what a model is, what made it, what it scored, where it must not be used. JSON and Markdown."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from idleq.workloads import durable
from idleq.workloads.training.wording import rows

CARD_JSON = "model-card.json"
CARD_PAGE = "model-card.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Facts of one trained model; nothing about times or places, so that a moved training writes the same card."""

    name: str
    what: str
    source: str  # the paper that it follows
    weights: str  # the file beside the card
    parameters: Mapping[str, int]
    settings: Mapping[str, Any]
    data: Mapping[str, Any]
    figures: Mapping[str, Any]
    limits: Sequence[str]
    devices: Sequence[str] = ()  # on which it was trained, one after the other


def write_card(output: Path, card: ModelCard, packages: Sequence[str] = ("numpy", "torch")) -> None:
    """Write the card beside the weights."""
    versions = {"python": platform.python_version(), **{name: version(name) for name in packages}}
    values = {"format": 1, **asdict(card), "versions": versions}
    content = {CARD_JSON: durable.canonical_json(values), CARD_PAGE: as_page(values).encode()}
    with durable.explained("the model card", output):
        durable.replace_files(output, content)


def as_page(values: Mapping[str, Any]) -> str:
    """The card as a page for people."""
    lines = [f"# {values['name']}", "", f"{values['what']} After {values['source']}.", ""]
    trained = f" Trained on: {', then '.join(values['devices'])}." if values["devices"] else ""
    lines += [f"Weights: `{values['weights']}`.{trained}", ""]
    for title in ("parameters", "settings", "data", "figures", "versions"):
        lines += [f"## {title.capitalize()}", "", "| | |", "|---|---|"]
        lines += [f"| {name} | {_plain(value)} |" for name, value in rows(title, values[title])]
        lines.append("")
    lines += ["## Limits", "", *[f"- {limit}" for limit in values["limits"]], ""]
    return "\n".join(lines)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
