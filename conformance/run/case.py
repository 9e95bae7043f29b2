"""What is asked of whom, and where."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.adapter.lens import Lens
from conformance.contract import Clause


@dataclass(frozen=True)
class Case:
    """A clause asked of an implementation on a device."""

    clause: Clause
    implementation: Lens
    device: str = "cpu"
