"""Charts as inline SVG: drawn by vl-convert, rebuilt from an allow-list, no script, no style.

Colours are CSS custom properties, so that a chart follows the page into dark mode. A mark's
description becomes its ``<title>``, which browsers show as a tooltip.
"""

import itertools
import xml.etree.ElementTree as ET
from typing import Any

import vl_convert
from markupsafe import Markup

_TAGS = {"svg", "g", "path", "line", "rect", "text", "tspan", "title"}
_ATTRIBUTES = {
    "d", "transform", "x", "y", "x1", "y1", "x2", "y2", "dx", "dy", "width", "height", "viewBox",
    "fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray",
    "stroke-linecap", "stroke-linejoin", "stroke-miterlimit", "opacity", "text-anchor",
    "font-size", "font-weight",
}  # fmt: skip
_CONFIG: dict[str, Any] = {
    "aria": False,  # only marks that ask for it carry their description
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)", "titleColor": "var(--muted)", "gridColor": "var(--grid)",
        "domainColor": "var(--axis)", "tickColor": "var(--axis)", "labelFontSize": 11,
        "titleFontSize": 11, "titleFontWeight": "normal", "labelPadding": 5,
    },
    "axisY": {
        "titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": -52, "titleY": -14,
        "titleBaseline": "bottom", "domain": False, "ticks": False, "minExtent": 52,
        "maxExtent": 52, "orient": "left",
    },
    "axisX": {"grid": False},
    "text": {"fontSize": 12},
}  # fmt: skip


def draw(chart: dict[str, Any], width: int, height: int) -> Markup:
    """Render a Vega-Lite chart, axes included, in CSS pixels; safe to stand in a page."""
    frame = {
        "width": width, "height": height, "config": _CONFIG, "padding": 0,
        "autosize": {"type": "fit", "contains": "padding"},
    }  # fmt: skip
    drawn = vl_convert.vegalite_to_svg(chart | frame, allowed_base_urls=[])
    root = ET.fromstring(drawn)  # noqa: S314 our own drawing, and no entity survives the rebuild
    clean = _rebuild(root)
    for attribute in ("width", "height"):
        clean.attrib.pop(attribute, None)
    clean.set("focusable", "false")
    clean.set(
        "aria-hidden", "true"
    )  # the figure around it has the description, a table the numbers
    return Markup(ET.tostring(clean, encoding="unicode"))  # noqa: S704 rebuilt from the allow-list


def _rebuild(element: ET.Element) -> ET.Element:
    """Copy what is on the allow-list, without namespaces, empty groups and unseen shapes."""
    kept = {key: value for key, value in element.attrib.items() if key in _ATTRIBUTES}
    copy = ET.Element(_local(element.tag), kept)
    copy.text = element.text
    description = element.get("aria-label")
    if description:
        ET.SubElement(copy, "title").text = description
    copy.extend(itertools.chain.from_iterable(map(_kept, element)))
    return copy


def _kept(child: ET.Element) -> list[ET.Element]:
    tag = _local(child.tag)
    if tag not in _TAGS or child.get("display") == "none" or _is_empty_frame(child):
        return []
    copy = _rebuild(child)
    return [] if tag == "g" and not len(copy) else [copy]


def _is_empty_frame(element: ET.Element) -> bool:
    return element.get("class") in {"background", "foreground"}


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
