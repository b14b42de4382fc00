"""`python -m tests.mutation [FILE...]`: the mutants of theory/ that no test kills."""

import argparse
import sys
from pathlib import Path

from tests.mutation.survey import explanations, survey
from tests.mutation.targets import targets

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Report on each file; 1 where a survivor is unexplained or an explanation is stale."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("files", nargs="*", help="such as theory/reduced/loss.py; without any, all")
    parser.add_argument("--root", type=Path, default=HERE.parents[1])
    parser.add_argument("--survivors", type=Path, default=HERE / "survivors.toml")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="run only the mutants whose id contains this")
    parser.add_argument("--tell", action="store_true", help="a line for each mutant")
    given = parser.parse_args()
    root = given.root.resolve()
    explained = explanations(given.survivors)
    sound = True
    for path in given.files or targets(root):
        tell = (lambda line: print(line, flush=True)) if given.tell else (lambda line: None)
        found = survey(root, path, explained, jobs=given.jobs, only=given.only, tell=tell)
        print(*found.lines(), sep="\n", flush=True)
        sound = sound and found.sound
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
