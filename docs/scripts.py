"""Write the scripts of an implementation's harmful departures: ``python docs/scripts.py NAME``, where it is installed.

Each goes into ``docs/findings/scripts/NAME``, needs nothing but that implementation, prints what it observes beside what it
expects, and exits non-zero until the departure is mended. One that is there already, written by hand, stays.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from conformance import contract  # noqa: E402
from conformance.adapter import finding  # noqa: E402
from conformance.explain import script  # noqa: E402
from conformance.run import deviations  # noqa: E402


def main(name: str) -> None:
    """Write those that are missing, and say which departures cannot be written out."""
    subject, clauses = finding.find(name), contract.load()
    for id, entries in deviations.of(subject, clauses).items():
        for entry in entries:
            path = ROOT / "docs/findings/scripts" / name / f"{id}.py"
            harmful = entry.harm and not entry.inherited and entry.harm != deviations.KILLS
            if not harmful or path.exists() or not entry.applies(subject.version, "cpu"):
                continue
            made = script.write(clauses[id], subject, "cpu", entry.witness)
            if made.obstacle or not made.observed:
                print(f"{id}: {made.obstacle or 'shows no difference'}")
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made.text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
