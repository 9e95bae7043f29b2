"""The contract: clauses, their registry, and the capabilities that they need."""

from conformance.contract.clause import (
    OBSERVED,
    RECOMMENDED,
    REQUIRED,
    SMOKE,
    UNTESTED,
    Clause,
    ContractError,
    Severity,
    arguments,
)
from conformance.contract.registry import (
    CLAUSES,
    checked,
    clause,
    example,
    for_any_module,
    given,
    load,
    selected,
    smoke,
    untested,
)
from conformance.contract.successors import SUCCESSORS, successor

__all__ = [
    "CLAUSES",
    "OBSERVED",
    "RECOMMENDED",
    "REQUIRED",
    "SMOKE",
    "SUCCESSORS",
    "UNTESTED",
    "Clause",
    "ContractError",
    "Severity",
    "arguments",
    "checked",
    "clause",
    "example",
    "for_any_module",
    "given",
    "load",
    "selected",
    "smoke",
    "successor",
    "untested",
]
