"""The command ``module-conformance``, which is also ``python -m conformance``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; without the libraries that it needs, say how to install them."""
    try:
        from conformance.front.cli import cli
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in ("click", "rich", "jinja2"):
            raise
        sys.exit(f"module-conformance needs {library}: install it with pip install 'module-conformance[cli]'")
    cli(prog_name="module-conformance")


if __name__ == "__main__":
    main()
