"""`python -m bench.delivery`: runs every row in every engine and prints the table."""

import argparse
import sys
from collections.abc import Sequence

from bench.delivery.rows import ROWS
from bench.delivery.run import FULL, QUICK, SEED, run_engine
from bench.delivery.table import create_report, load_runs, save_run, write_page
from tools.browsers import ENGINES


def main(arguments: Sequence[str]) -> int:
    """Return the exit status: 1 when a row does not keep its promise."""
    parser = argparse.ArgumentParser(prog="bench.delivery", description=__doc__)
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only these engines")
    parser.add_argument("--row", action="append", choices=[row.name for row in ROWS], help="only these rows")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK.size} visitors a row instead of {FULL.size}")
    parser.add_argument("--seed", type=int, default=SEED, help="of the decks of faults")
    parser.add_argument("--write", action="store_true", help="put the latest full run of each engine into README.md")
    chosen = parser.parse_args(arguments)
    problems = []
    for engine in chosen.engine or ENGINES:
        rows = [row for row in ROWS if not chosen.row or row.name in chosen.row]
        run = run_engine(engine, rows, QUICK if chosen.quick else FULL, chosen.seed)
        problems += [problem for result in run.results for problem in result.problems()]
        if not (chosen.quick or chosen.row):
            save_run(run)
        print(create_report([run]), flush=True)
    if chosen.write:
        write_page(create_report(load_runs()))
    print("\n".join(problems) or "Everything was stored, once.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
