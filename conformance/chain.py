"""The names that were here before the layout of 0.3, for those who import them."""

from conformance.moved import moved

__getattr__ = moved(__name__, "conformance.build.chain")
