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
    **{name: getattr(bp, name) for name in (*bp.CONTAINERS, *bp.LAYERS)},
}

#: The longest text, the most elements of a tensor, and the largest number, that anybody needs to show a departure.
LONGEST, ELEMENTS, LARGEST = 200_000, 10_000, 2**63

#: What matters to the reader: a string, of which the brackets do not count; a bracket, with the name before it.
_PIECES = re.compile(
    r"""(?P<string>[bB]?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"))|(?P<open>(?:\w+\s*)?\(|[\[{])|(?P<close>[)\]}])""",
    re.DOTALL,
)
_CLOSES = {"(": ")", "[": "]", "{": "}"}
#: The kinds of hooks.
KINDS = ("forward_pre", "forward", "full_backward_pre", "full_backward")
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
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise bp.BlueprintError(f"not a list of keyword arguments: {getattr(error, 'msg', error)}") from None
    if not isinstance(call, ast.Call) or call.args or any(k.arg is None for k in call.keywords):
        raise bp.BlueprintError("expected keyword arguments only, such as: blueprint=Module(), prefix='a'")
    return {str(keyword.arg): _value(ast.unparse(keyword.value), known) for keyword in call.keywords}


def _flattened(text: str) -> tuple[str, dict[str, Any]]:
    """The text with a name in the place of each pair of brackets, and what stood there."""
    if len(text) > LONGEST:
        raise bp.BlueprintError(f"not a blueprint: longer than {LONGEST:,} characters")
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
    except (SyntaxError, TypeError, ValueError, MemoryError, RecursionError) as error:
        raise bp.BlueprintError(f"not a blueprint: {error or type(error).__name__}") from None


def _evaluate(node: ast.AST, known: dict[str, Any]) -> Any:
    def evaluate(node: ast.AST) -> Any:
        return _evaluate(node, known)

    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in VOCABULARY:
            raise bp.BlueprintError(f"not a blueprint: unknown name {ast.unparse(node.func)!r}")
        keywords = {str(k.arg): evaluate(k.value) for k in node.keywords}
        arguments = [evaluate(each) for each in node.args]
        if node.func.id in bp.LAYERS:
            _require(all(type(each) in (int, bool, float) and 0 <= each <= 1000 for each in arguments), node.func.id)
        if "held" in keywords:
            raise bp.BlueprintError("not a blueprint: what a tensor holds follows from its shape, dtype and fill")
        return _checked(VOCABULARY[node.func.id](*arguments, **keywords))
    if isinstance(node, (ast.Tuple, ast.List)):
        return (tuple if isinstance(node, ast.Tuple) else list)(map(evaluate, node.elts))
    if isinstance(node, ast.Dict):
        return {evaluate(k): evaluate(v) for k, v in zip(node.keys, node.values) if k is not None}
    return ast.literal_eval(node)  # type: ignore[arg-type]


def _checked(made: Any) -> Any:
    """What was made, if it is what its class says: a stranger may have written the text, and scripts are written from it."""
    kind = type(made).__name__
    if isinstance(made, bp.Tensor):
        extents = made.shape if isinstance(made.shape, tuple) else ("no tuple",)
        _require(
            len(extents) <= 8 and all(type(n) is int and 0 <= n <= ELEMENTS for n in extents), f"the shape of a {kind}"
        )
        _require(bp.size(extents) <= ELEMENTS, f"the size of a {kind}")
        _require(type(made.dtype) is str and made.dtype in bp.DTYPES, f"the dtype of a {kind}")
        _require(type(made.fill) is int and abs(made.fill) < LARGEST, f"the fill of a {kind}")
        flags = getattr(made, "requires_grad", None), getattr(made, "persistent", True)
        _require(flags[0] in (None, True, False) and type(flags[1]) is bool, f"a flag of a {kind}")
    elif isinstance(made, bp.Shared):
        _require(type(made.path) is str and type(made.persistent) is bool, "a Shared")
    elif isinstance(made, bp.Hook):
        flags = (made.prepend, made.with_kwargs, made.always_call)
        _require(made.kind in KINDS and type(made.name) is str and all(type(each) is bool for each in flags), "a Hook")
        _require(made.adds is None or type(made.adds) in (int, float), "a Hook")
    elif isinstance(made, bp.Blueprint):
        _require(type(made.training) is bool and all(type(hook) is bp.Hook for hook in made.hooks), f"a {kind}")
        _require(all(type(name) is str for name, _ in made.members), f"the names in a {made.kind}")
        _require(type(made.fill) is int and abs(made.fill) < LARGEST, f"the fill of a {made.kind}")
    return made


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise bp.BlueprintError(f"not a blueprint: {what} is none that can be drawn")
