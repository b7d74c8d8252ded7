"""Benchmarks: accuracy, speed, memory and energy of models on devices, and their reports."""
