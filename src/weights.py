"""`python -m src.weights`: the weights that come with the repository.

python -m src.weights bundle <run folder>    copy a finished run's networks, in half precision, into the repository
python -m src.weights list                   show what is bundled
"""

import argparse
import json
import sys
from pathlib import Path

from src.checkpoints.store import BUNDLED, read_run
from src.config.command import friendly_errors


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m src.weights", description="Weights that come with the repository.")
    actions = parser.add_subparsers(dest="action", required=True)
    bundle = actions.add_parser("bundle", help="copy a finished run's networks, in half precision, into the repository")
    bundle.add_argument("run", type=Path, help="run folder")
    actions.add_parser("list", help="show what is bundled")
    return parser


@friendly_errors
def main(arguments: list[str] | None = None) -> None:
    """Run one action."""
    chosen = _parser().parse_args(arguments)
    if chosen.action == "bundle":
        from src.checkpoints.bundle import bundle_run

        print(f"bundled into {bundle_run(chosen.run, BUNDLED)}")
        return
    for status in sorted(BUNDLED.glob("*/*/status.json")):
        run = read_run(status.parent)
        if run is not None:
            print(f"{run.status.stage:15s}{run.status.name}  {json.dumps(run.status.weights)}")


if __name__ == "__main__":
    sys.exit(main())
