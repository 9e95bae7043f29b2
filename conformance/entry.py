"""The pytest entry point: it loads the plugin for a run that asks for the suite, and leaves every other run alone.

A run asks by naming the suite (``--pyargs conformance``), an implementation (``--implementation NAME``), or the plugin
(``-p conformance.plugin``). Anything else must not notice that the package is installed: no option, no marker, no
Hypothesis profile, no import of the suite.
"""

from __future__ import annotations

from typing import Any


def asked(arguments: tuple[str, ...]) -> bool:
    """Whether these command line arguments ask for the conformance suite."""
    return any(
        argument.partition("=")[0] == "--implementation"
        or (argument.partition("::")[0].partition(".")[0] == "conformance" and before != "-p")
        for before, argument in zip(("", *arguments), arguments)
    )


def pytest_addoption(parser: Any, pluginmanager: Any) -> None:
    """Load the plugin in time for its options."""
    config = pluginmanager.get_plugin("pytestconfig")
    if config is not None and asked(tuple(map(str, config.invocation_params.args))):
        pluginmanager.import_plugin("conformance.plugin")
