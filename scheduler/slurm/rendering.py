"""A proposal as the text of config.toml, with its reasons as comments."""

import json
import textwrap
from collections.abc import Iterator
from itertools import groupby

from idleq.scheduler.slurm.proposal import Proposal, Setting

WIDTH = 110


def config_text(proposal: Proposal) -> str:
    """Return config.toml; what Slurm named cannot leave its comment or its quotes."""
    head = (
        f"Made by `idleq init slurm` for {proposal.user} on {proposal.cluster}, Slurm {proposal.version}."
        " Change what you know better; all keys are in docs/reference/configuration.md."
    )
    lines = [*_comment(head), *_comment(f"Nodes: {proposal.nodes}.")]
    for section, settings in groupby(proposal.settings, key=lambda setting: setting.section):
        lines += ["", f"[{section}]"]
        for setting in settings:
            lines += [*_comment(setting.reason), _line(setting)]
    for note in proposal.notes:
        lines += ["", *_comment(note)]
    if proposal.commands:
        lines += ["", *_comment("A QOS of its own, which is not charged. The site's admin types:")]
        lines += [f"#     {_plain(command)}" for command in proposal.commands]
        lines += _comment('and then cluster.qos = "idleq" goes above.')
    return "\n".join(lines) + "\n"


def _line(setting: Setting) -> str:
    """A JSON string is a basic string of TOML too."""
    return f"{setting.key} = {json.dumps(setting.value)}"


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(_plain(text), WIDTH, break_on_hyphens=False, break_long_words=False):
        yield f"# {line}"


def _plain(text: str) -> str:
    """Return *text* without what could end a comment, or a terminal would act upon."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
