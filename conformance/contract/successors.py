"""Clauses that are gone, and which one says today what each of them said."""

from __future__ import annotations

#: Since 0.2: each said a second time what its successor says.
SUCCESSORS = {
    "article/optimizer-refuses-an-empty-list": "registration/optimizer-says-empty-parameter-list",
    "behaviour/hook-result-takes-the-place-of-the-output": "hooks_forward/hook-replaces-output",
    "calls/parameter-containers-cannot-be-called": "parameter_list/cannot-be-called",
    "checkpoints/epoch-and-loss-beside-the-state": "serialization/python-objects-with-tensors",
    "registration/non-persistent-buffer-differs-in-the-state_dict": "state_dict/non_persistent-buffers-absent",
    "registration/none-is-not-in-the-state_dict": "state_dict/none-entries-absent",
    "traversal/shared-parameter-once-under-its-first-name": "traversal/named_parameters-own-then-children",
}


def successor(id: str) -> str:
    """The sentence for whoever names a clause that is gone; nothing for any other id."""
    return f"{id} is part of {SUCCESSORS[id]} now: name that instead" if id in SUCCESSORS else ""
