"""Tests that run on request only."""

ON_REQUEST = {
    "slow": "a long repetition or training; a quick one of its kind runs always",
    "simulation": "thousands of repetitions",
    "emulated": "it fetches an arm64 userland",
    "abuse": "it takes minutes",
    "torchtrt": "it installs torch-tensorrt in an environment of its own",
}
"""Marks of tests that do not run by default, each with its target in the Makefile: why not."""
