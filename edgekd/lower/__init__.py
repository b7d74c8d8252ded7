"""Lowering: from a float student to bundles, each with the evidence that it keeps the diagnosis."""
