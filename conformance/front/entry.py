"""The pytest entry point: it loads the plugin for a run that asks for the suite, and leaves every other run alone.

A run asks by naming the installed suite (``--pyargs conformance``) or the plugin (``-p conformance.plugin``). Anything else
must not notice that the package is installed: no option, no marker, no Hypothesis profile, no import of the suite.
"""

from __future__ import annotations

import os
from typing import Any

#: Set for the workers of pytest-xdist, which see fewer arguments than the process that starts them.
ASKED = "CONFORMANCE_ASKED"
_TAKES_A_VALUE = ("-c", "-k", "-m", "-o", "-p", "-W")


def asked(arguments: tuple[str, ...]) -> bool:
    """Whether these command line arguments ask for the conformance suite."""
    return "--pyargs" in arguments and names_the_suite(arguments)


def names_the_suite(arguments: tuple[str, ...]) -> bool:
    """Whether one of these arguments is the suite, or a part of it."""
    names = [argument for before, argument in zip(("", *arguments), arguments) if before not in _TAKES_A_VALUE]
    return any(name.partition("::")[0].partition(".")[0] == "conformance" for name in names)


def pytest_addoption(parser: Any, pluginmanager: Any) -> None:
    """Load the plugin in time for its options."""
    config = pluginmanager.get_plugin("pytestconfig")
    if config is None:
        return
    if asked(tuple(map(str, config.invocation_params.args))):
        os.environ[ASKED] = str(os.getpid())
    elif os.environ.get(ASKED) != str(os.getppid()):  # a worker is a child of the process that was asked
        return
    pluginmanager.import_plugin("conformance.plugin")
