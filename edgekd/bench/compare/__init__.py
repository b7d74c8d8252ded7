"""Comparisons: rows with the teacher and the float student, a result with an earlier one."""
