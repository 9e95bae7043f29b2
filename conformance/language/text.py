"""The text of a blueprint, read back: what ``repr`` wrote is a literal over a small vocabulary, and no code is run."""

from __future__ import annotations

import ast
from typing import Any

from conformance.language import blueprint as bp

#: The names that the text of a blueprint may use.
VOCABULARY: dict[str, Any] = {
    **{
        make.__name__: make for make in (bp.Tensor, bp.Parameter, bp.Buffer, bp.Empty, bp.Shared, bp.Attribute, bp.Hook)
    },
    **{name: getattr(bp, name) for name in (*bp.CONTAINERS, *bp.LAYERS, *bp.FOREIGN)},
}


def parse(text: str) -> Any:
    """Read what ``repr`` of a blueprint (or of a literal holding blueprints) wrote; no other code is run.

    Raises:
        BlueprintError: the text is not a literal over the blueprint vocabulary.
    """
    try:
        return _evaluate(ast.parse(text.strip(), mode="eval").body)
    except bp.BlueprintError:
        raise
    except (SyntaxError, TypeError, ValueError) as error:
        raise bp.BlueprintError(f"not a blueprint: {error}") from None


def parse_arguments(text: str) -> dict[str, Any]:
    """Read ``name=blueprint, other=literal``: the keyword arguments of a property, as a witness states them."""
    try:
        call = ast.parse(f"_({text})", mode="eval").body
    except SyntaxError as error:
        raise bp.BlueprintError(f"not a list of keyword arguments: {error.msg}") from None
    if not isinstance(call, ast.Call) or call.args or any(k.arg is None for k in call.keywords):
        raise bp.BlueprintError("expected keyword arguments only, such as: blueprint=Module(), prefix='a'")
    return {str(keyword.arg): parse(ast.unparse(keyword.value)) for keyword in call.keywords}


def _evaluate(node: ast.AST) -> Any:
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in VOCABULARY:
            raise bp.BlueprintError(f"not a blueprint: unknown name {ast.unparse(node.func)!r}")
        keywords = {str(k.arg): _evaluate(k.value) for k in node.keywords}
        return VOCABULARY[node.func.id](*map(_evaluate, node.args), **keywords)
    if isinstance(node, (ast.Tuple, ast.List)):
        return (tuple if isinstance(node, ast.Tuple) else list)(map(_evaluate, node.elts))
    if isinstance(node, ast.Dict):
        return {_evaluate(k): _evaluate(v) for k, v in zip(node.keys, node.values) if k is not None}
    return ast.literal_eval(node)  # type: ignore[arg-type]
