"""The contract: clauses, their registry, and the capabilities that they need."""

from conformance.contract.clause import (
    OBSERVED,
    RECOMMENDED,
    REQUIRED,
    UNTESTED,
    Clause,
    ContractError,
    Severity,
    arguments,
)
from conformance.contract.registry import CLAUSES, checked, clause, example, given, load, selected, untested

__all__ = [
    "CLAUSES",
    "OBSERVED",
    "RECOMMENDED",
    "REQUIRED",
    "UNTESTED",
    "Clause",
    "ContractError",
    "Severity",
    "arguments",
    "checked",
    "clause",
    "example",
    "given",
    "load",
    "selected",
    "untested",
]
