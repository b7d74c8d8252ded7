"""Engines that compute a teacher's outputs instead of PyTorch, one file each.

`edgekd.extensions.teacher_engines` lists them.
"""
