"""Runs every bench/*_bench.py and prints where we stand: ours, the other, the ratio, the aim."""

from __future__ import annotations

import importlib
import inspect
import signal
import sys
from pathlib import Path


def main() -> int:
    """`python -m bench [--quick] [--part PART] [name …]`. Exit 1 when a row misses its aim or nothing was measured.

    Each module's run() returns rows: what, ours, other, ratio, aim (texts) and ok; `skipped`: why it could not run.
    `python -m bench soak …` is the long run by itself.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers end with us, as at Ctrl-C
    wanted = sys.argv[1:]
    if wanted[:1] == ["soak"]:
        from bench import soak

        return soak.main(wanted[1:])
    quick = "--quick" in wanted
    wanted = [name for name in wanted if name != "--quick"]
    part = ""
    if "--part" in wanted:  # of send: mail, dkim or ledger; of pages: a database, or "database: kind"
        at = wanted.index("--part")
        part = "".join(wanted[at + 1 : at + 2])
        del wanted[at : at + 2]
        from bench.race import PARTS

        if wanted not in (["send"], ["pages"]) or (wanted == ["send"] and part not in PARTS):
            print(f'--part is one of {", ".join(PARTS)} for `send`, and words such as "sqlite: archive" for `pages`.')
            return 2
    missed = measured = 0
    for path in sorted(Path(__file__).parent.glob("*_bench.py")):
        name = path.stem.removesuffix("_bench")
        if wanted and name not in wanted:
            continue
        print(f"\n{name}\n    {'':<62} {'ours':>11} {'other':>11} {'ratio':>9}  aim", flush=True)
        run = importlib.import_module(f"bench.{path.stem}").run
        more = {"quick": True} if quick and "quick" in inspect.signature(run).parameters else {}
        for row in run(**more, **({"part": part} if part else {})):
            measured += not row.get("skipped")
            missed += not row["ok"]
            sign = "–" if row.get("skipped") else "✓" if row["ok"] else "✗"
            print(f"  {sign} {row['what']:<62} {row['ours']:>11} {row['other']:>11} {row['ratio']:>9}  {row['aim']}")
    if not measured:
        print(f"Nothing was measured; there is no bench called {' or '.join(wanted)}.")
        return 2
    verdict = f"{missed} of {measured} missed." if missed else f"All {measured} aims are met."
    print(f"\n{verdict} Ratios within one run on this machine; trust those, not the times.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
