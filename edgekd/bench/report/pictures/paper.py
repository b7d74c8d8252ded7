"""Pictures as files of their own: for print, slides, and papers, without the page's style sheet."""

from __future__ import annotations

import re
from xml.etree import ElementTree

__all__ = ["elements", "frame", "standalone"]

_MARGIN = 10.0

_INK, _SOFT, _RULE, _PAPER = "#16191d", "#57606a", "#d9dee4", "#ffffff"
_FONT = {"font-family": "Helvetica, Arial, 'Liberation Sans', sans-serif", "font-size": "11"}
_LOOKS = {
    "tick": _FONT | {"fill": _SOFT},
    "letter": _FONT | {"fill": _INK, "font-weight": "bold"},
    "ink-text": _FONT | {"fill": _INK},
    "heading": _FONT | {"fill": _INK, "font-size": "14", "font-weight": "bold"},
    "grid": {"stroke": _RULE, "stroke-width": "1"},
    "ink": {"stroke": _INK},
    "front": {},
    "share": {"stroke": _INK, "stroke-width": "1"},
    "answered": {"fill": "#0072B2"},
    "missed": {"fill": "#C44E00"},
    "referred": {"fill": "#E69F00"},
    "retaken": {"fill": _PAPER},
    "stripe": {"stroke": _INK, "stroke-width": "1", "stroke-opacity": "0.45"},
    "on-solid": _FONT | {"fill": "#ffffff", "font-weight": "bold"},
    "on-open": _FONT | {"fill": _INK, "font-weight": "bold"},
}
"""Attributes instead of classes: not every program that places an SVG reads its style sheet."""
_ON_PAPER = {"#E69F00": "#B37B00", "#56B4E9": "#2A8CC7", "#CC79A7": "#BF5F95"}
"""The palette's light colours, darkened to the contrast of 3:1 on white of WCAG 2.2."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def frame(title: str, width: float, height: float) -> ElementTree.Element:
    """An SVG of a picture's natural size, on white with a margin.

    Args:
        title: What a screen reader says.
        width: Width of the picture, without the margin.
        height: Its height.
    """
    size = {"width": f"{width + 2 * _MARGIN:g}", "height": f"{height:g}"}
    box = f"{-_MARGIN:g} 0 {size['width']} {size['height']}"
    kind = {"xmlns": "http://www.w3.org/2000/svg", "role": "img"}
    root = ElementTree.Element("svg", kind | size | {"viewBox": box})
    ElementTree.SubElement(root, "title").text = _NOT_XML.sub("?", title)
    ElementTree.SubElement(root, "rect", {"x": f"{-_MARGIN:g}"} | size | {"fill": _PAPER})
    return root


def standalone(svg: str) -> bytes:
    """A picture of a page as an SVG file of its own; its title is what the page has as its label.

    Args:
        svg: The picture's SVG element.
    """
    root = ElementTree.fromstring(_NOT_XML.sub("?", svg))
    _, _, width, height = (float(number) for number in root.get("viewBox", "").split())
    picture = frame(root.get("aria-label", ""), width, height)
    picture.extend(elements(svg, whole=True))
    content: bytes = ElementTree.tostring(picture, encoding="utf-8", xml_declaration=True)
    return content


def elements(markup: str, *, whole: bool = False) -> list[ElementTree.Element]:
    """The shapes of a drawing with their styles as attributes.

    Args:
        markup: The parts of a drawing, or its SVG element.
        whole: Whether it is the SVG element.
    """
    text = _NOT_XML.sub("?", markup)
    root = ElementTree.fromstring(text if whole else f"<svg>{text}</svg>")
    for element in root.iter():
        _dress(element)
    return list(root)


def _dress(element: ElementTree.Element) -> None:
    """Replace classes and variables by attributes for white paper, in place."""
    for name in element.attrib.pop("class", "").split():
        for key, value in _LOOKS[name].items():
            element.attrib.setdefault(key, value)
    shape = element.tag in ("circle", "path") and "var(--paper)" in element.get("stroke", "")
    if shape:  # a filled mark: outlined in ink instead of in the colour of the page
        element.set("stroke", _INK)
    for key in ("fill", "stroke"):
        value = element.get(key, "").replace("var(--paper)", _PAPER)
        if value:
            element.set(key, _ON_PAPER.get(value, value))
    if element.tag == "path":
        element.attrib.setdefault("fill", "none")
