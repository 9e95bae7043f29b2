"""Does a module system behave as torch.nn.Module is documented to?"""

from typing import Any

from conformance.version import __version__ as __version__

__all__ = ["Case", "check_implementation", "check_module", "parametrize_with_clauses"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: importing the package, as pytest does in every run, must cost nothing.
    if name in __all__:
        from conformance.front import calls as front

        return getattr(front, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
