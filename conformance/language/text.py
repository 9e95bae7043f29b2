"""The text of a blueprint, read back: what ``repr`` wrote is a literal over a small vocabulary, and no code is run.

It is read from the innermost brackets outwards, one pair at a time, so that a tree may be of any depth: Python's own parser
stops at 200 brackets within each other.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from conformance.language import blueprint as bp

#: The names that the text of a blueprint may use.
VOCABULARY: dict[str, Any] = {
    **{
        make.__name__: make for make in (bp.Tensor, bp.Parameter, bp.Buffer, bp.Empty, bp.Shared, bp.Attribute, bp.Hook)
    },
    **{name: getattr(bp, name) for name in (*bp.CONTAINERS, *bp.LAYERS, *bp.FOREIGN)},
}

#: What matters to the reader: a string, of which the brackets do not count; a bracket, with the name before it.
_PIECES = re.compile(
    r"""(?P<string>[bB]?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"))|(?P<open>(?:\w+\s*)?\(|[\[{])|(?P<close>[)\]}])""",
    re.DOTALL,
)
_CLOSES = {"(": ")", "[": "]", "{": "}"}
#: Stands for what has been read already.
_READ = "__read_{}"


def parse(text: str) -> Any:
    """Read what ``repr`` of a blueprint (or of a literal holding blueprints) wrote; no other code is run.

    Raises:
        BlueprintError: the text is not a literal over the blueprint vocabulary.
    """
    flat, known = _flattened(text)
    return _value(flat, known)


def parse_arguments(text: str) -> dict[str, Any]:
    """Read ``name=blueprint, other=literal``: the keyword arguments of a property, as a witness states them."""
    flat, known = _flattened(text)
    try:
        call = ast.parse(f"_({flat})", mode="eval").body
    except SyntaxError as error:
        raise bp.BlueprintError(f"not a list of keyword arguments: {error.msg}") from None
    if not isinstance(call, ast.Call) or call.args or any(k.arg is None for k in call.keywords):
        raise bp.BlueprintError("expected keyword arguments only, such as: blueprint=Module(), prefix='a'")
    return {str(keyword.arg): _value(ast.unparse(keyword.value), known) for keyword in call.keywords}


def _flattened(text: str) -> tuple[str, dict[str, Any]]:
    """The text with a name in the place of each pair of brackets, and what stood there."""
    if "__read_" in text:
        raise bp.BlueprintError("not a blueprint: no name in it begins with __read_")
    known: dict[str, Any] = {}
    outer: list[tuple[str, list[str]]] = []  # what opened each pair that is open, and the text before it
    here: list[str] = []
    place = 0
    for found in _PIECES.finditer(text):
        here.append(text[place : found.start()])
        place = found.end()
        if found["open"]:
            outer.append((found[0], here))
            here = []
        elif found["close"]:
            if not outer or _CLOSES[outer[-1][0][-1]] != found[0]:
                raise bp.BlueprintError(f"not a blueprint: unmatched {found[0]!r}")
            opened, before = outer.pop()
            name = _READ.format(len(known))
            known[name] = _value(f"{opened}{''.join(here)}{found[0]}", known)
            here = [*before, name]
        else:
            here.append(found[0])
    if outer:
        raise bp.BlueprintError(f"not a blueprint: {outer[-1][0]!r} was never closed")
    return "".join([*here, text[place:]]), known


def _value(text: str, known: dict[str, Any]) -> Any:
    """What a text without brackets in brackets stands for."""
    try:
        return _evaluate(ast.parse(text.strip(), mode="eval").body, known)
    except bp.BlueprintError:
        raise
    except (SyntaxError, TypeError, ValueError) as error:
        raise bp.BlueprintError(f"not a blueprint: {error}") from None


def _evaluate(node: ast.AST, known: dict[str, Any]) -> Any:
    def evaluate(node: ast.AST) -> Any:
        return _evaluate(node, known)

    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in VOCABULARY:
            raise bp.BlueprintError(f"not a blueprint: unknown name {ast.unparse(node.func)!r}")
        keywords = {str(k.arg): evaluate(k.value) for k in node.keywords}
        return VOCABULARY[node.func.id](*map(evaluate, node.args), **keywords)
    if isinstance(node, (ast.Tuple, ast.List)):
        return (tuple if isinstance(node, ast.Tuple) else list)(map(evaluate, node.elts))
    if isinstance(node, ast.Dict):
        return {evaluate(k): evaluate(v) for k, v in zip(node.keys, node.values) if k is not None}
    return ast.literal_eval(node)  # type: ignore[arg-type]
