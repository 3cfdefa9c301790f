"""Train, generate and judge through idleq, and write the page: `python -m bench.science [--budget tiny|short|half|hour]`.

Stopped, it writes the page of what is done, and goes on where it was: the same command finds what is done, and a job that was frozen goes on from its checkpoint.
"""

import argparse
import os
from pathlib import Path

from bench.science.page import judged, table_for_people, write_page
from bench.science.plan import BUDGETS, steps
from bench.science.running import Place, ran, run_all, serving

REPOSITORY = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.science", description=__doc__.splitlines()[0])
    parser.add_argument("--budget", choices=list(BUDGETS), default="hour", help="how much of everything (default hour)")
    parser.add_argument("--tiny", action="store_const", const="tiny", dest="budget", help="the same as --budget tiny")
    parser.add_argument("--dir", type=Path, help="where everything lies (default build/science-BUDGET)")
    parser.add_argument(
        "--page", type=Path, help="the page (default DIR/science.md; docs/science.md is the committed one)"
    )
    parser.add_argument("--nodes", type=int, default=2, help="virtual nodes of one core (default 2)")
    parser.add_argument(
        "--speed", type=float, default=0.1, help="of the main jobs: 0.1 makes gaps of minutes (default)"
    )
    chosen = parser.parse_args()
    budget = BUDGETS[chosen.budget]
    place = Place((chosen.dir or REPOSITORY / "build" / f"science-{chosen.budget}").absolute())
    (place.root / "results").mkdir(parents=True, exist_ok=True)
    page = (chosen.page or place.root / "science.md").absolute()
    os.environ["IDLEQ_SERVER_DIR"] = str(place.server.root)
    wanted, is_stopped = steps(budget), False
    try:
        with serving(place, nodes=chosen.nodes, speed=chosen.speed):
            run_all(place, wanted)
    except KeyboardInterrupt:
        is_stopped = True
    if judged(place):
        write_page(place, budget, ran(place, wanted), page, page.parent / "images" / "science")
        print("\n".join(table_for_people(page)))
        print(f"The page is {page}.")
    if is_stopped:
        raise SystemExit("Stopped; the same command goes on where this one was.")


main()
