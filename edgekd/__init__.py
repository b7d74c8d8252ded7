"""Distil a heavy medical image classifier into a hand-held device, and prove that it arrived."""

__version__ = "0.1.0"
