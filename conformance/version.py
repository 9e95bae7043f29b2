"""The version of the suite: here, so that a floor that writes it down imports nothing above it."""

__version__ = "0.3.0"
