"""Random tests that are the same in every run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

__all__ = ["fuzz"]


def fuzz(examples: int) -> settings:
    """Decorates a hypothesis test that runs `examples` examples, however slow the machine."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
