"""A policy that refuses nothing: a student trained in seconds is no candidate for a clinic."""

from __future__ import annotations

from pathlib import Path

POLICY = Path(__file__).with_name("lenient.toml")
