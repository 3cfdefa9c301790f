"""A page of the documentation, part of which is made from the code: what stands between two marker lines."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- made by {script}: begin -->"
END = "<!-- made by {script}: end -->"


def with_section(text: str, script: str, section: str) -> str:
    """Return *text* with what stands between the markers of *script* replaced."""
    begin, end = BEGIN.format(script=script), END.format(script=script)
    head, _, rest = text.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        sys.exit(f"{script}: the page lacks the lines {begin} and {end}")
    return f"{head}{begin}\n\n{section.strip()}\n\n{end}{tail}"


def main(page: str, render: Callable[[], str]) -> None:
    """Write the section into *page*; with --check only say whether it is current."""
    script = f"scripts/{Path(sys.argv[0]).name}"
    parser = argparse.ArgumentParser(description=f"Write the section of {page} that is made from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not current")
    options = parser.parse_args()
    path = ROOT / page
    present = path.read_text()
    wanted = with_section(present, script, render())
    if options.check and wanted != present:
        sys.exit(f"{page} is not current: run {script}")
    if not options.check:
        path.write_text(wanted)
