"""How a script is laid out: lines that fit a page, and a blank line where something else begins."""

from __future__ import annotations

import ast
import io
import tokenize

from conformance.explain.notes import note

WIDTH = 100


def text(heading: str, head: list[ast.stmt], body: list[ast.stmt], shown: list[ast.stmt]) -> str:
    """The whole script."""
    imports = [each for each in head if isinstance(each, (ast.Import, ast.ImportFrom)) or note(each).first]
    definitions = [each for each in head if each not in imports]
    parts = [heading, "\n".join(map(unparse, imports))]
    parts += [unparse(each) for each in definitions]
    lines: list[str] = []
    for each in body:
        block = isinstance(each, (ast.FunctionDef, ast.ClassDef))
        lines += ["", unparse(each), ""] if block else [unparse(each)]
    parts += ["\n".join(lines).strip("\n").replace("\n\n\n", "\n\n")] if lines else []
    parts += ["\n".join(map(unparse, shown))]
    return "\n\n".join(part for part in parts if part) + "\n"


def unparse(node: ast.stmt) -> str:
    """The statement, its long lines broken."""
    text = ast.unparse(ast.fix_missing_locations(node))
    return "\n".join(broken(line) for line in text.splitlines()) if '"""' not in text else text


def broken(line: str, width: int = WIDTH, joined: bool = True) -> str:
    """A long line, broken at the commas of its outermost brackets, as often as needed; with ``joined``, short items
    share a line."""
    if len(line) <= width:
        return line
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(line.strip()).readline))
    except (tokenize.TokenError, IndentationError, SyntaxError):
        tokens = []
    indent = len(line) - len(line.lstrip())
    bare = line.strip()
    if not tokens:
        # The head of a block: "if ...:" alone is no statement, but tokenizes; this is something unbalanced.
        return line
    best = None
    depth, start, commas, target = 0, 0, [], False
    for token in tokens:
        # "for name, thing in" and "lambda a, b:" stay together.
        if token.string in ("for", "lambda", "in") or (target and token.string == ":"):
            target = token.string in ("for", "lambda")
        if token.type != tokenize.OP:
            continue
        if token.string in "([{":
            if depth == 0:
                start, commas = token.end[1], []
            depth += 1
        elif token.string in ")]}":
            depth -= 1
            if depth == 0:
                size = token.start[1] - start
                if best is None or size > best[1] - best[0]:
                    best = (start, token.start[1], commas)
        elif token.string == "," and depth == 1 and not target:
            commas.append(token.end[1])
    if best is None or best[1] == best[0]:
        return line
    start, end, commas = best
    cuts = [start, *commas, end]
    pad = " " * (indent + 4)
    items = [bare[a:b].strip() for a, b in zip(cuts, cuts[1:])]
    rows: list[str] = []
    for item in filter(None, items):
        if joined and rows and len(rows[-1]) + len(item) + 1 <= width and len(item) < 30:
            rows[-1] += f" {item}"
        else:
            rows.append(pad + item)
    rows = [broken(row, width, joined) for row in rows]
    return "\n".join([" " * indent + bare[:start], *rows, " " * indent + bare[end:]])
