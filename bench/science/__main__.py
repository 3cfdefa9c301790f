"""Train, generate and judge through idleq, and write the pages: `python -m bench.science [--budget tiny|short|half|hour]`.

Stopped, it writes the pages of what is done, and goes on where it was: the same command finds what is done, and a job that was frozen goes on from its checkpoint.
"""

import argparse
import os
import sys
from pathlib import Path

from bench.science.models import MODELS, PARTS
from bench.science.page import TODS_PAGE, for_people, write_pages
from bench.science.plan import BUDGETS, steps
from bench.science.progress import Progress
from bench.science.results import collect
from bench.science.running import Place, put_aside, ran, run_all, serving
from idleq.cli.printer import print_text
from idleq.cli.result import Result

REPOSITORY = Path(__file__).parents[2]


def main() -> None:
    chosen = _options()
    budget = BUDGETS[chosen.budget]
    place = Place((chosen.dir or REPOSITORY / "build" / f"science-{chosen.budget}").absolute())
    (place.root / "results").mkdir(parents=True, exist_ok=True)
    page = (chosen.page or place.root / "science.md").absolute()
    os.environ["IDLEQ_SERVER_DIR"] = str(place.server.root)
    every = steps(budget)
    wanted = steps(budget, up_to=chosen.part)
    # Of every part, since what comes after a step is outdated with it.
    if aside := put_aside(place, every):
        print(f"Begun anew, for other options: {', '.join(aside)}; the earlier results lie in {place.root / 'earlier'}")
    before = {step.name for step in wanted if place.result(step.name).is_dir()}
    print(f"{len(wanted)} jobs, {len(before)} of them done before; all of it lies in {place.root}", flush=True)
    left = []
    try:
        if len(before) < len(wanted):
            with serving(place, nodes=chosen.nodes, speed=chosen.speed):
                left = run_all(place, wanted, Progress(before))
    except KeyboardInterrupt:
        left = ["Stopped"]
    found = collect(place, budget, MODELS, every, ran(place, every))
    if found.judged:
        write_pages(found, page)
        has_colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        print_text(Result(value=None, text=for_people(found)), sys.stdout, has_colours=has_colours)
        print(f"\nThe pages are {page} and {page.with_name(TODS_PAGE).name} beside it.")
    if left:
        raise SystemExit(
            f"{'; '.join(left)}. The same command goes on where this one was; IDLEQ_SERVER_DIR={place.server.root} shows idleq its jobs."
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.science", description=__doc__.splitlines()[0])
    parser.add_argument("--budget", choices=list(BUDGETS), default="hour", help="how much of everything (default hour)")
    parser.add_argument("--tiny", action="store_const", const="tiny", dest="budget", help="the same as --budget tiny")
    parser.add_argument(
        "--part",
        choices=PARTS,
        default="second",
        help="how far: main: the main models and what judges them, the first hour; second: variants and baselines too, the second"
        " one (default); seeds: then the main models from other seeds too, about an hour more",
    )
    parser.add_argument("--dir", type=Path, help="where everything lies (default build/science-BUDGET)")
    parser.add_argument(
        "--page",
        type=Path,
        help="the page; the other one lies beside it (default DIR/science.md; docs/science.md is the committed one)",
    )
    parser.add_argument(
        "--nodes", type=int, default=4, help="virtual nodes of one core; main jobs hold about half of them (default 4)"
    )
    parser.add_argument(
        "--speed", type=float, default=0.1, help="of the main jobs: 0.1 makes gaps of minutes (default)"
    )
    return parser.parse_args()


main()
