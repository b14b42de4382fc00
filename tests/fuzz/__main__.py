"""`python -m tests.fuzz --inputs 3000 --seed 0`: random inputs, and what became of them.

Each input is a number: one that fails is run again by `--seed NUMBER --inputs 1`.
"""

import argparse
import sys
from collections import Counter

from tests.fuzz.inputs import drawn
from tests.fuzz.judge import judged, loaded

APART = 150
"""One input of so many is run in a process of its own, too."""


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--inputs", type=int, default=3000, help="how many (3000)")
    options.add_argument("--seed", type=int, default=0, help="the number of the first (0)")
    given = options.parse_args()
    codes: Counter[int] = Counter()
    found: Counter[str] = Counter()
    loaded()
    longest, known_wrong, apart = 0.0, 0, 0
    for seed in range(given.seed, given.seed + given.inputs):
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
        f"{given.inputs} inputs from number {given.seed}: {codes[0]} done, {codes[1]} failed in "
        f"words, {codes[2]} refused; {known_wrong} known to be wrong, {apart} also in a process of "
        f"their own"
    )
    for what in ("traceback", "hang", "false acceptance"):
        print(f"{what}: {found[what]}")
    print(f"other faults: {sum(found.values()) - sum(found[w] for w in FIRST)}")
    print(f"longest: {longest:.1f} s")
    return int(bool(found))


FIRST = ("traceback", "hang", "false acceptance")

if __name__ == "__main__":
    sys.exit(main())
