"""Teaching a bundle new classes from a few images of each, without PyTorch.

`run` is the whole of it; `extractor` opens what gives a bundle's features, `taught` fits the head
and asks it about what it was not taught, `manifest` says what the enrolled bundle says.
"""
