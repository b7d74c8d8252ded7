"""Conformance vectors: cases with their answers, by which a runtime in another language is checked.

docs/runtime-contract.md says the rules; the vectors show them. They are made in code by the runtime
of Python, and `edgekd conformance` writes them.
"""

from edgekd.conformance.check import failures
from edgekd.conformance.format import VECTORS_VERSION, Vectors
from edgekd.conformance.write import VECTORS, write_vectors

__all__ = ["VECTORS", "VECTORS_VERSION", "Vectors", "failures", "write_vectors"]
