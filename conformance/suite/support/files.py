"""Saving and loading through every kind of file that the documentation names. Imports no framework."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def saved(save: Callable[..., None], thing: Any, **options: Any) -> bytes:
    """What ``save(thing, file, **options)`` writes."""
    file = io.BytesIO()
    save(thing, file, **options)
    return file.getvalue()


def loaded(load: Callable[..., Any], content: bytes, **options: Any) -> Any:
    """What ``load(file, **options)`` returns for a file with that content."""
    return load(io.BytesIO(content), **options)


def save_to(kind: str, save: Callable[[Any], None]) -> bytes:
    """Call ``save(target)`` with a target of that kind; the bytes that are then in the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved.pt"
        if kind == "buffer":
            file = io.BytesIO()
            save(file)
            return file.getvalue()
        if kind == "file":
            with open(path, "wb") as opened:
                save(opened)
        else:
            save(path if kind == "pathlike" else str(path))
        return path.read_bytes()


def load_from(kind: str, content: bytes, load: Callable[[Any], Any]) -> Any:
    """Call ``load(source)`` with a source of that kind that has the content; what it returns."""
    if kind == "buffer":
        return load(io.BytesIO(content))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved.pt"
        path.write_bytes(content)
        if kind == "file":
            with open(path, "rb") as opened:
                return load(opened)
        return load(path if kind == "pathlike" else str(path))


class Sink:
    """A file-like object that implements what ``save`` may use, and nothing else: write and flush."""

    def __init__(self) -> None:
        """An empty sink."""
        self.content = b""

    def write(self, data: Any) -> int:
        """Take the bytes; how many they are."""
        self.content += bytes(data)
        return len(bytes(data))

    def flush(self) -> None:
        """Everything is written already."""


class Source:
    """A file-like object that implements what ``load`` may use, and nothing else: read, readline, tell and seek."""

    def __init__(self, content: bytes) -> None:
        """A source of that content."""
        file = io.BytesIO(content)
        self.read, self.readline, self.tell, self.seek = file.read, file.readline, file.tell, file.seek
