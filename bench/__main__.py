"""Runs every bench/*_bench.py and prints where we stand: ours, the other, the ratio, the aim."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main() -> int:
    """Exit 1 when a row misses its aim. Each module's run() returns rows: what, ours, other, ratio, aim, ok."""
    wanted = sys.argv[1:]
    names = sorted(path.stem for path in Path(__file__).parent.glob("*_bench.py"))
    missed = 0
    for name in names:
        if wanted and name.removesuffix("_bench") not in wanted:
            continue
        print(f"\n{name.removesuffix('_bench')}", flush=True)
        for row in importlib.import_module(f"bench.{name}").run():
            missed += not row["ok"]
            sign = "✓" if row["ok"] else "✗"
            print(
                f"  {sign} {row['what']:<58} {row['ours']:>12} {row['other']:>12}  {row['ratio']:>9}  aim {row['aim']}"
            )
    verdict = f"{missed} missed." if missed else "Every aim is met."
    print(f"\n{verdict} Ratios within one run; trust those, not the times.")
    return 1 if missed else 0


sys.exit(main())
