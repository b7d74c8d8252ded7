"""Certifying a bundle on labelled images of its user's: gate and decision, without PyTorch.

`run` is the whole of it; `images` reads the labelled images, `files` runs the bundle's two files on
them, `manifest` says what the certified bundle says.
"""
