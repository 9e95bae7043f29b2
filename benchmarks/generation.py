"""How many blueprints a second Hypothesis draws on one core: ``python benchmarks/generation.py``.

The naive way, one draw for every name, shape and flag, is measured beside ours, since machines differ and only the ratio
travels. Process time is taken, so that a busy machine disturbs little.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent))

from conformance.language import blueprint as bp  # noqa: E402
from strategies import blueprints, callables, names, parameters  # noqa: E402


@st.composite
def naive(draw: st.DrawFn, depth: int = 3) -> bp.Blueprint:
    """Trees of about the same size, drawn piece by piece."""
    members: dict[str, bp.Member] = {}
    for _ in range(draw(st.integers(0, 2))):
        members[draw(names())] = draw(parameters())
    for _ in range(draw(st.integers(1, 3)) if depth else 0):
        leaf = draw(st.booleans())
        members[draw(names())] = bp.Linear(2, 2) if leaf else draw(naive(depth - 1))
    return bp.Module(members, training=draw(st.booleans()))


def rate(strategy: st.SearchStrategy[bp.Blueprint], examples: int = 2000) -> tuple[float, float]:
    """(trees a second, mean number of nodes)."""
    nodes = []

    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(tree: bp.Blueprint) -> None:
        nodes.append(sum(1 for _ in tree.nodes()))

    started = time.process_time()
    draw()
    return len(nodes) / (time.process_time() - started), statistics.mean(nodes)


def main() -> None:
    """Print one line per strategy: the median of five rounds taken in turn."""
    strategies = {
        "blueprints()": blueprints(),
        "callables(hooks=True)": callables(hooks=True),
        "naive composite": naive(),
    }
    rounds = [{name: rate(strategy) for name, strategy in strategies.items()} for _ in range(5)]
    for name in strategies:
        trees, nodes = (statistics.median(round[name][i] for round in rounds) for i in (0, 1))
        print(f"{name:22} {trees:6.0f} trees/s at a mean of {nodes:4.1f} nodes = {trees * nodes:6.0f} nodes/s")


if __name__ == "__main__":
    main()
