"""The pytest plugin by the name that ``-p conformance.plugin`` asks for."""

pytest_plugins = ["conformance.front.plugin"]
