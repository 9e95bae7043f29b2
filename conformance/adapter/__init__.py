"""What an adapter's author imports: ``from conformance.adapter import Implementation, Absent, Reading, chain``."""

from conformance.adapter.absence import Absent, AdapterError
from conformance.adapter.port import Implementation
from conformance.adapter.wrapping import Wrapper, Wrapping
from conformance.build import chain
from conformance.model import Reading

__all__ = ["Absent", "AdapterError", "Implementation", "Reading", "Wrapper", "Wrapping", "chain"]
