"""`python -m tests.fuzz --inputs 3000 --damage 500`: random inputs and files, what became of them.

Each input is a number: one that fails is run again by `--seed NUMBER --inputs 1`.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.damage import sound_folder, trials
from tests.fuzz.inputs import drawn
from tests.fuzz.judge import judged, loaded

APART = 150
"""One input of so many is run in a process of its own, too."""


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--inputs", type=int, default=3000, help="how many (3000)")
    options.add_argument("--damage", type=int, default=0, help="how many damaged files (0)")
    options.add_argument("--seed", type=int, default=0, help="the number of the first (0)")
    given = options.parse_args()
    wrong = bool(inputs(given.inputs, given.seed)) if given.inputs else False
    return int((bool(damaged(given.damage, given.seed)) if given.damage else False) or wrong)


def damaged(count: int, seed: int) -> list[str]:
    """Damage the folder of a scan so many times; what went wrong."""
    with TemporaryDirectory() as place:
        tally = trials(sound_folder(Path(place, "sound")), Path(place), count, seed)
    for fault in tally.faults:
        print(fault, flush=True)
    kinds = ", ".join(f"{name} {times}" for name, times in sorted(tally.done.items()))
    print(f"{count} damaged files from number {seed} ({kinds})")
    print(f"faults: {len(tally.faults)}")
    print(f"longest: {tally.slowest:.1f} s of CPU")
    return tally.faults


def inputs(count: int, first: int) -> Counter[str]:
    """Throw so many inputs at the command line; what went wrong, by kind."""
    codes: Counter[int] = Counter()
    found: Counter[str] = Counter()
    loaded()
    longest, known_wrong, apart = 0.0, 0, 0
    for seed in range(first, first + count):
        one = drawn(seed)
        code, faults, seconds = judged(one)
        codes[code] += 1
        known_wrong += one.wrong
        longest = max(longest, seconds)
        if seed % APART == 0:
            apart += 1
            again, more, _ = judged(one, apart=True)
            faults += [f"{fault} (in a process of its own)" for fault in more]
            if again != code:
                faults.append(f"code {code} here and {again} in a process of its own")
        found.update(faults)
        if faults:
            print(f"input {seed}: {', '.join(faults)}: {one.words!r}", flush=True)
    print(
        f"{count} inputs from number {first}: {codes[0]} done, {codes[1]} failed in "
        f"words, {codes[2]} refused; {known_wrong} known to be wrong, {apart} also in a process of "
        f"their own"
    )
    for what in ("traceback", "hang", "false acceptance"):
        print(f"{what}: {found[what]}")
    print(f"other faults: {sum(found.values()) - sum(found[w] for w in FIRST)}")
    print(f"longest: {longest:.1f} s")
    return found


FIRST = ("traceback", "hang", "false acceptance")

if __name__ == "__main__":
    sys.exit(main())
