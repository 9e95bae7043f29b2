"""Recursion that is not bounded by Python's: the functions of trees, written as generators and run on a list."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator
from types import GeneratorType
from typing import Any


def unbounded(function: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Any]:
    """A recursive function, written as a generator: ``x = yield f(...)`` calls itself, ``return`` returns.

    What is yielded is such a generator: ``f.recur(...)`` gives one.
    """

    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        waiting, value = [function(*arguments, **named)], None
        while waiting:
            try:
                called = waiting[-1].send(value)
            except StopIteration as stop:
                waiting.pop()
                value = stop.value
            else:
                waiting.append(called)
                value = None
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
