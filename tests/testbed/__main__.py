"""Start the test cluster and look around in it: python -m testbed up | down | shell [NODE] | run NODE COMMAND..."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from testbed.cluster import LOGIN, Testbed
from testbed.errors import TestbedError
from testbed.images import find_or_make_image
from testbed.roots import TRIXIE, cache, find_or_make, is_made, log_of


def parser_of_arguments() -> argparse.ArgumentParser:
    """Return what reads the arguments; which cluster is meant may be said before the verb and after it (make puts ARGS there)."""
    parser = argparse.ArgumentParser(prog="testbed", description="a Slurm cluster on this machine, for tests")
    _say_which(parser, compute=3, folder=cache() / "by-hand")
    which = argparse.ArgumentParser(add_help=False)
    _say_which(which, compute=argparse.SUPPRESS, folder=argparse.SUPPRESS)  # what was said before the verb stays
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", parents=[which], help="start it (the first time makes its root file system: some minutes)")
    verbs.add_parser("root", help="make its root file system if the cache has none, and leave it at that")
    verbs.add_parser("image", help="make the image of the workloads if the cache has none, and leave it at that")
    verbs.add_parser("down", parents=[which], help="remove every trace of it")
    shell = verbs.add_parser("shell", parents=[which], help="a shell on a node")
    shell.add_argument("node", nargs="?", default=LOGIN)
    shell.add_argument("--user", default="alice")
    run = verbs.add_parser("run", parents=[which], help="one command on a node")
    run.add_argument("--user", default="alice")
    run.add_argument("node")
    run.add_argument("command", nargs=argparse.REMAINDER)
    return parser


def _say_which(parser: argparse.ArgumentParser, *, compute: object, folder: object) -> None:
    parser.add_argument("--compute", type=int, default=compute, metavar="N", help="how many compute nodes it has")
    parser.add_argument("--folder", type=Path, default=folder, help="where all of it lies")


def main(arguments: list[str] | None = None) -> int:
    """Do what *arguments* say; return the exit code."""
    parser = parser_of_arguments()
    wanted = parser.parse_args(arguments)
    if os.geteuid() != 0:
        parser.error("the test cluster needs root: it makes namespaces and mounts")
    try:
        return _do(wanted, Testbed(wanted.folder, compute=wanted.compute))
    except TestbedError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1


def _do(wanted: argparse.Namespace, testbed: Testbed) -> int:
    match wanted.verb:
        case "up":
            if not is_made(TRIXIE):
                print(f"making its root file system, which takes some minutes once: {log_of(TRIXIE)}", flush=True)
            if testbed.is_up():
                raise TestbedError(
                    "it is up already, and would be wiped: make testbed-shell, or make testbed-down first"
                )
            begun = time.monotonic()
            testbed.up()
            print(f"up after {time.monotonic() - begun:.1f} s: make testbed-shell, make testbed-down")
        case "root":
            print(find_or_make(TRIXIE))
        case "image":
            print(find_or_make_image(TRIXIE))
        case "down":
            testbed.down()
        case "shell" if not testbed.is_up():
            raise TestbedError("it is not up: make testbed-up")
        case "shell":
            shell = ["env", f"TERM={os.environ.get('TERM', 'dumb')}", "bash", "--login"]
            _run(testbed, wanted, shell)  # what was typed last there is no failure of ours
        case _:
            return _run(testbed, wanted, wanted.command)
    return 0


def _run(testbed: Testbed, wanted: argparse.Namespace, command: list[str]) -> int:
    argv = testbed.nodes[wanted.node].argv(command, user=wanted.user)
    return subprocess.run(argv, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
