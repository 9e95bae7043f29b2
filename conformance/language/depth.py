"""Recursion that is not bounded by Python's: the functions of trees, written as generators and run on a list."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator
from types import GeneratorType
from typing import Any


def unbounded(function: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Any]:
    """A recursive function, written as a generator: ``x = yield f.recur(...)`` is a call of itself."""

    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        waiting = [function(*arguments, **named)]
        value: Any = None
        error: BaseException | None = None
        while waiting:
            caller = waiting[-1]
            try:
                waiting.append(caller.send(value) if error is None else caller.throw(error))
                value = error = None
            except StopIteration as stop:
                waiting.pop()
                value, error = stop.value, None
            except BaseException as raised:
                waiting.pop()
                value, error = None, raised
        if error is not None:
            raise error
        return value

    run.recur = function  # type: ignore[attr-defined]
    return run


def flattened(items: Iterator[Any]) -> Iterator[Any]:
    """What a generator yields, and what every generator yields that it yields, in order."""
    waiting = [items]
    while waiting:
        for item in waiting[-1]:
            if type(item) is GeneratorType:
                waiting.append(item)
                break
            yield item
        else:
            waiting.pop()
