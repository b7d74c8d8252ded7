"""TensorRT's errors as findings: node, operator, what is wrong with it, what to change."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["findings_of", "merged"]

_NODE = re.compile(r"node (?P<name>\S+) \((?P<operator>\w+)\): ")
_QUOTED = re.compile(r"[Nn]ode '?(?P<name>[\w./:+-]+)'?")

# Messages on every machine without a GPU, and places in TensorRT's sources.
_NOISE = re.compile(
    r"\[checkMacros\.cpp.*?\)\)"
    r"|Error Code \d+: Cuda Runtime \(.*?\)\)"
    r"| In \w+ at /\S+:\d+"
    r"|^Invalid Node - \S+"
    r"|\b[IA-Z]\w+::\w+: Error Code \d+: "
)

# Messages of TensorRT-RTX 1.7 and of the sources of onnx-tensorrt, and their meaning.
_MEANINGS = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (
            r"has type UInt8 but must have",
            "takes the uint8 image: cast it to float32 first",
        ),
        (
            r"has type (?P<actual>\w+) but must have type (?P<expected>[\w, ]+)",
            "takes {actual}, TensorRT only {expected}: cast it first",
        ),
        (
            r"same input types\. But they are of types (?P<one>\w+) and (?P<other>\w+)",
            "mixes {one} and {other}: cast one of them to the type of the other",
        ),
        (
            r"`input` type is (?P<one>\w+) but `kernel` is of type (?P<other>\w+)",
            "mixes an input of {one} and weights of {other}: give them the same type",
        ),
        (
            r"non-zero zero point|shiftIsAllZeros|zero.point.*must be (0|zero)",
            "is asymmetric: its zero point is not 0; quantise symmetrically",
        ),
        (
            r"scale coefficients must all be positive",
            "has a scale that is not positive: look for an empty range",
        ),
        (
            r"output channels = (?P<channels>\d+), number of scales = (?P<scales>\d+)",
            "has {scales} scales for {channels} output channels: quantise once more",
        ),
        (
            r"^false$|plugin not found|no importer registered|unsupported operator",
            "is an operator that TensorRT lacks: write it with others",
        ),
        (
            r"broadcast dimensions must be conformable",
            "has inputs whose shapes do not fit: export the student again",
        ),
        (
            r"no optimization profile|dynamic or shape inputs",
            "has a dynamic shape: export for one image of fixed size",
        ),
        (
            r"could not find any implementation|no kernel",
            "has no kernel on this GPU: leave the layer in float32, or replace it",
        ),
        (
            r"quantized constant \((?P<name>\S+)\) is only allowed",
            "has {name!r}, an int8 constant in the wrong place: keep it float",
        ),
        (
            r"insufficient (workspace|memory)|out of memory",
            "needs more memory than it may have: allow a larger workspace",
        ),
    )
)


def findings_of(message: str) -> tuple[str, ...]:
    """One sentence for each error in a message of `build_engine`.

    A known error has the lint's sentence; an unknown one is quoted after its node.

    Args:
        message: Errors of single nodes as `node NAME (OPERATOR): TEXT`, else TensorRT's last error.
    """
    nodes = list(_NODE.finditer(message))
    if not nodes:
        return (_of_builder(message),)
    ends = [node.start() for node in nodes[1:]] + [len(message)]
    return tuple(
        _finding(f"node {node['name']!r} ({node['operator']})", message[node.end() : end])
        for node, end in zip(nodes, ends, strict=True)
    )


def merged(lint: Iterable[str], tool: Iterable[str]) -> tuple[str, ...]:
    """The lint's findings, then those of the tool about nodes that the lint did not name."""
    first = tuple(lint)
    named = {_subject(finding) for finding in first}
    rest = [finding for finding in tool if _subject(finding) not in named]
    return tuple(dict.fromkeys((*first, *rest)))


def _of_builder(message: str) -> str:
    """An error of the builder, which has a node only in its text, if at all."""
    text = message.partition(": ")[2] or message
    node = _QUOTED.search(text)
    return _finding(f"node {node['name']!r}" if node else "the network", text)


def _finding(subject: str, text: str) -> str:
    message = _cleaned(text)
    for pattern, meaning in _MEANINGS:
        match = pattern.search(message)
        if match:
            return f"{subject} {meaning.format(**match.groupdict())}"
    return f"{subject}: TensorRT says {message!r}"


def _cleaned(text: str) -> str:
    return " ".join(_NOISE.sub(" ", text.rstrip("; ")).split()) or "nothing"


def _subject(finding: str) -> str:
    """`node 'name'` of a finding, or all of it."""
    node = re.match(r"node '[^']*'", finding)
    return node[0] if node else finding
