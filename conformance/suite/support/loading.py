"""What load_state_dict() is given, and what it reports."""

from __future__ import annotations


def keys(result):
    """The two lists of keys that load_state_dict() returns, their order left open."""
    return sorted(result.missing_keys), sorted(result.unexpected_keys)


def remove(state, dropped):
    """Delete these entries in place: a copy would be without the metadata by which layers tell old files from new."""
    for key in dropped:
        del state[key]


def contents(implementation, module):
    """What every entry of the module's state holds."""
    return {key: implementation.read(value) for key, value in module.state_dict().items()}
