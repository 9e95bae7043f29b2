"""What a failure shows beside pytest's own traceback: the clause, a script, and the command that runs it again."""

from __future__ import annotations

import inspect
import json
import textwrap

from conformance.contract import Clause, arguments, drawn
from conformance.implementation import Subject


def explain(clause: Clause, again: str = "") -> str:
    """The text of a failing clause, for the module that was built last (Hypothesis replays the smallest one last)."""
    parts = [
        f"{clause.id} ({clause.severity})",
        textwrap.fill(clause.sentence, 100),
        f'documented: {clause.docs}: "{clause.quote}"',
        f"see {clause.link}",
    ]
    subject = Subject.latest
    if subject is not None:
        parts += ["", "# the module built last, in plain PyTorch", subject.blueprint.to_source()]
    assert clause.function is not None
    body = inspect.getsource(clause.function)
    parts += ["# what was asked", textwrap.dedent(body[body.index("def ") :]).rstrip(), ""]
    if clause.strategies:
        # A JSON string is a TOML string.
        parts += [f"as a deviation: witness = {json.dumps(arguments(clause, drawn), ensure_ascii=False)}"]
    parts += [f"again: {again}"] if again else []
    return "\n".join(parts)
