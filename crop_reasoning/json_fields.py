"""Fields of a JSON object, each read strictly: the value in its Python form, or a `DataError` that says what it is.

Every reader of line files reads through these, so that a broken line is a sentence wherever it is met first.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Box

LONGEST = 2**31 - 1
"""No image format knows a longer side."""
_ELEMENT = ("name", "evidence", "point", "line", "box")


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Put `where` in front of whatever is found wrong inside; everything becomes a `DataError`."""
    try:
        yield
    except KeyError as missing:
        raise DataError(f"{where}: field {missing} is missing") from None
    except (TypeError, ValueError, AttributeError, OverflowError, DataError) as problem:
        raise DataError(f"{where}: {problem}") from None


def as_object(value: Any, name: str, fields: Collection[str] | None = None) -> dict[str, Any]:
    """An object that holds no other fields than `fields`; None allows any."""
    if not isinstance(value, dict):
        raise DataError(f"{name} is {_short(value)}, expected an object")
    if fields is not None and (unknown := sorted(set(value).difference(fields))):
        raise DataError(f"unknown field {unknown[0]!r} of the {name}, expected {', '.join(fields)}")
    return value


def as_list(value: Any, name: str) -> list[Any]:
    """A list of anything."""
    if not isinstance(value, list):
        raise DataError(f"{name} is {_short(value)}, expected a list")
    return value


def as_text(value: Any, name: str) -> str:
    """Text that is not empty."""
    if not as_words(value, name):
        raise DataError(f"{name} is {value!r}, expected text")
    return str(value)


def as_words(value: Any, name: str) -> str:
    """Text, possibly empty."""
    if not isinstance(value, str):
        raise DataError(f"{name} is {_short(value)}, expected text")
    return value


def as_number(value: Any, name: str) -> float:
    """A finite number; no boolean."""
    if not _is_number(value):
        raise DataError(f"{name} is {_short(value)}, expected a finite number")
    return float(value)


def as_box(values: Any) -> Box:
    """A box from its four edges in [0,1]."""
    if not isinstance(values, list) or len(values) != 4:
        raise DataError(f"box {_short(values)}: expected a list of four numbers, x1 y1 x2 y2 in [0,1]")
    for value in values:
        if not _is_number(value):
            raise DataError(f"an edge of box {_short(values)} is {_short(value)}, expected a finite number")
    return Box(*map(float, values))


def as_sides(values: Any, name: str) -> tuple[int, int]:
    """Width and height, or the two numbers of an aspect ratio: from 1 to `LONGEST`."""
    match values:
        case [int(width), int(height)] if (
            type(width) is type(height) is int and 0 < min(values) <= max(values) <= LONGEST
        ):
            return (width, height)
    raise DataError(f"{name} is {_short(values)}, expected two positive whole numbers up to {LONGEST}, width first")


def as_element(value: Any) -> dict[str, Any]:
    """A compositional element as lines hold it: name, perhaps evidence, at most one geometry. Nulls are left out."""
    element = {key: item for key, item in as_object(value, "element", _ELEMENT).items() if item is not None}
    as_words(element["name"], "name")
    as_words(element.get("evidence", ""), "evidence")
    geometries = [name for name in ("point", "line", "box") if name in element]
    if len(geometries) > 1:
        raise DataError(f"has {' and '.join(geometries)}, expected at most one of point, line and box")
    if "box" in element:
        as_box(element["box"])
    for name, count in (("point", 2), ("line", 4)):
        if name in element:
            _check_coordinates(element[name], name, count)
    return element


def _check_coordinates(values: Any, name: str, count: int) -> None:
    if not isinstance(values, list) or len(values) != count:
        raise DataError(f"{name} is {_short(values)}, expected a list of {count} numbers in [0,1]")
    if not all(0 <= as_number(value, f"a coordinate of {name} {_short(values)}") <= 1 for value in values):
        raise DataError(f"{name} {_short(values)} leaves the image, expected {count} numbers in [0,1]")


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and value is not True and value is not False and math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def _short(value: Any) -> str:
    return repr(value)[:80]
