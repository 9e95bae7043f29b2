"""What a failure shows beside pytest's own traceback: the clause, a script, and the command that runs it again."""

from __future__ import annotations

import inspect
import textwrap

from conformance.contract import Clause
from conformance.implementation import Subject


def explain(clause: Clause, again: str) -> str:
    """The text of a failing clause, for the module that was built last (Hypothesis replays the smallest one last)."""
    parts = [
        f"{clause.id} ({clause.severity})",
        textwrap.fill(clause.sentence, 100),
        f'documented: {clause.docs}: "{clause.quote}"',
        f"see {clause.link}",
    ]
    subject = Subject.latest
    if subject is not None:
        parts += ["", f"blueprint = {subject.blueprint!r}", "", "# the module, in plain PyTorch"]
        parts += [subject.blueprint.to_source()]
    assert clause.function is not None
    body = inspect.getsource(clause.function)
    parts += ["# what was asked of it", textwrap.dedent(body[body.index("def ") :]).rstrip()]
    parts += ["", f"again: {again}"]
    return "\n".join(parts)
