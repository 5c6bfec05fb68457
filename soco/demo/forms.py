"""The outlines of the painted objects: closed loops around the origin, with y pointing down.

A form is a list of loops, each float (points, 2) of x and y. A loop inside another is a hole.
"""

from collections.abc import Callable

import numpy as np

Loops = list[np.ndarray]
_ARC_POINTS = 72


def _arc(radius: float, start: float, stop: float, centre: float = 0.0) -> np.ndarray:
    """Points from angle `start` to `stop` (degrees) of a circle about (centre, 0)."""
    angles = np.radians(np.linspace(start, stop, _ARC_POINTS))
    return np.stack([centre + radius * np.cos(angles), radius * np.sin(angles)], axis=1)


def _ellipse(height: float) -> Loops:
    return [_arc(1.0, 0, 355) * (1.0, height)]


def _half_disc() -> Loops:
    return [_arc(1.0, 180, 360)]


def _ring(hole: float) -> Loops:
    return [_arc(1.0, 0, 355), _arc(hole, 0, 355)]


def _broken_ring() -> Loops:
    return [np.concatenate([_arc(1.0, 40, 320), _arc(0.55, 320, 40)])]


def _triangle() -> Loops:
    return [np.array([(0, -1), (0.95, 0.75), (-0.95, 0.75)])]


def _right_triangle() -> Loops:
    return [np.array([(-0.9, -1), (0.9, 0.8), (-0.9, 0.8)])]


def _star(points: int, inner: float) -> Loops:
    angles = np.arange(2 * points) * np.pi / points
    radii = np.where(np.arange(2 * points) % 2 == 0, 1.0, inner)
    return [np.stack([radii * np.sin(angles), -radii * np.cos(angles)], axis=1)]


def _plus() -> Loops:
    a, b = 0.3, 1.0
    corners = [
        (a, a),
        (a, b),
        (-a, b),
        (-a, a),
        (-b, a),
        (-b, -a),
        (-a, -a),
        (-a, -b),
        (a, -b),
        (a, -a),
        (b, -a),
        (b, a),
    ]
    return [np.array(corners)]


def _saltire() -> Loops:
    half = np.sqrt(0.5)
    return [_plus()[0] @ np.array([(half, half), (-half, half)])]


def _tau() -> Loops:
    return [
        np.array(
            [
                (-1, -1),
                (1, -1),
                (1, -0.45),
                (0.28, -0.45),
                (0.28, 1),
                (-0.28, 1),
                (-0.28, -0.45),
                (-1, -0.45),
            ]
        )
    ]


def _crescent(bite: float, shift: float) -> Loops:
    """A disc of radius 1 without a disc of radius `bite` centred at (`shift`, 0)."""
    x = (1 + shift**2 - bite**2) / (2 * shift)
    y = np.sqrt(1 - x**2)
    outer = np.degrees(np.arctan2(y, x))
    inner = np.degrees(np.arctan2(y, x - shift))
    return [np.concatenate([_arc(1.0, outer, 360 - outer), _arc(bite, 360 - inner, inner, shift)])]


FORMS: dict[str, Callable[[], Loops]] = {
    "round_disc": lambda: _ellipse(1.0),
    "oval_disc": lambda: _ellipse(0.55),
    "half_disc": _half_disc,
    "thick_ring": lambda: _ring(0.5),
    "thin_ring": lambda: _ring(0.75),
    "broken_ring": _broken_ring,
    "even_triangle": _triangle,
    "right_triangle": _right_triangle,
    "five_point_star": lambda: _star(5, 0.42),
    "four_point_star": lambda: _star(4, 0.36),
    "eight_point_star": lambda: _star(8, 0.55),
    "upright_cross": _plus,
    "diagonal_cross": _saltire,
    "tau_cross": _tau,
    "slim_crescent": lambda: _crescent(0.85, 0.5),
    "full_crescent": lambda: _crescent(0.85, 0.95),
}


def loops_of(form: str, side: float, turn: float, stretch: float, mirror: bool) -> Loops:
    """A form's loops in pixels, with their box centred on the origin.

    Args:
        form: A key of `FORMS`.
        side: Longest side of its box in pixels.
        turn: Clockwise rotation in degrees.
        stretch: Factor of its width, before the rotation.
        mirror: Whether to swap left and right.
    """
    angle = np.radians(turn)
    rotation = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    loops = [(loop * (-stretch if mirror else stretch, 1.0)) @ rotation for loop in FORMS[form]()]
    points = np.concatenate(loops)
    low, high = points.min(axis=0), points.max(axis=0)
    return [(loop - (low + high) / 2) * (side / (high - low).max()) for loop in loops]
