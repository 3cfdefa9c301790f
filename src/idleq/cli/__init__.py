"""The command line: commands return results, and a printer prints them."""

from idleq.cli.entry import main

__all__ = ["main"]
