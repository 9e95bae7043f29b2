"""A shim: the plugin is importable, so that an installed suite works without this file."""

pytest_plugins = ["conformance.plugin", "pytester"]
