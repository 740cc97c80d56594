"""Runs every bench/*_bench.py and prints where we stand: ours, the other, the ratio, the aim."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main() -> int:
    """`python -m bench [name …]`. Exit 1 when a row misses its aim, or when nothing was measured.

    Each module's run() returns rows: what, ours, other, ratio, aim (texts) and ok.
    """
    wanted = sys.argv[1:]
    missed = measured = 0
    for path in sorted(Path(__file__).parent.glob("*_bench.py")):
        name = path.stem.removesuffix("_bench")
        if wanted and name not in wanted:
            continue
        print(f"\n{name}\n    {'':<62} {'ours':>11} {'other':>11} {'ratio':>9}  aim", flush=True)
        for row in importlib.import_module(f"bench.{path.stem}").run():
            measured += 1
            missed += not row["ok"]
            sign = "✓" if row["ok"] else "✗"
            print(f"  {sign} {row['what']:<62} {row['ours']:>11} {row['other']:>11} {row['ratio']:>9}  {row['aim']}")
    if not measured:
        print(f"Nothing was measured; there is no bench called {' or '.join(wanted)}.")
        return 2
    verdict = f"{missed} of {measured} missed." if missed else f"All {measured} aims are met."
    print(f"\n{verdict} Ratios within one run on this machine; trust those, not the times.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
