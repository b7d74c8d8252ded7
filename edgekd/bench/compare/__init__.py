"""Comparisons of models with teacher and float student, and of a result with an earlier one."""
