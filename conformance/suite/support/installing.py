"""Global hooks, installed while a block runs."""

from __future__ import annotations

import contextlib


@contextlib.contextmanager
def installed(implementation, kind, *callbacks, **options):
    """The callbacks as global hooks of that kind, while it is open."""
    handles = []
    try:
        for callback in callbacks:
            handles.append(getattr(implementation, f"register_module_{kind}_hook")(callback, **options))
        yield handles
    finally:
        for handle in handles:
            handle.remove()
