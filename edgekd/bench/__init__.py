"""Measuring: accuracy, speed and memory of every row, and the report of it."""
