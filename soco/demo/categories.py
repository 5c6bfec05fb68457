"""The categories: six coarse ones (COCO file), sixteen fine ones with a long tail (LVIS file)."""

from dataclasses import dataclass
from typing import Literal

Frequency = Literal["r", "c", "f"]

# LVIS groups categories by the number of training images that show them: rare, common, frequent.
RARE_UP_TO = 10
COMMON_UP_TO = 100


@dataclass(frozen=True)
class FineCategory:
    """A form, which is a category of the LVIS file.

    Attributes:
        name: A key of `soco.demo.forms.FORMS`.
        coarse: Its category in the COCO file.
        share: Objects per training image; None: an equal part of the rest.
        definition: What it looks like.
    """

    name: str
    coarse: str
    share: float | None
    definition: str


FINE: tuple[FineCategory, ...] = (
    FineCategory("round_disc", "disc", None, "a filled circle"),
    FineCategory("oval_disc", "disc", 0.09, "a filled ellipse about half as high as wide"),
    FineCategory("half_disc", "disc", 0.013, "a filled half circle, flat side down"),
    FineCategory("thick_ring", "ring", None, "a ring whose hole is half as wide as itself"),
    FineCategory(
        "thin_ring", "ring", 0.10, "a ring whose hole is three quarters as wide as itself"
    ),
    FineCategory("broken_ring", "ring", 0.010, "a ring with a gap at one side"),
    FineCategory(
        "even_triangle", "triangle", None, "a triangle with equal left and right sides, point up"
    ),
    FineCategory("right_triangle", "triangle", 0.11, "a triangle with a right angle below"),
    FineCategory("five_point_star", "star", None, "a star with five points"),
    FineCategory("four_point_star", "star", 0.08, "a star with four points"),
    FineCategory("eight_point_star", "star", 0.012, "a star with eight points"),
    FineCategory("upright_cross", "cross", None, "two bars of equal length that cross upright"),
    FineCategory(
        "diagonal_cross", "cross", 0.10, "two bars of equal length that cross on the diagonals"
    ),
    FineCategory("tau_cross", "cross", 0.010, "an upright bar that carries a bar across its top"),
    FineCategory("slim_crescent", "crescent", None, "a moon a few days old"),
    FineCategory("full_crescent", "crescent", 0.07, "a moon from which a small bite is missing"),
)
COARSE: tuple[str, ...] = tuple(dict.fromkeys(category.coarse for category in FINE))

FINE_BY_NAME = {category.name: category for category in FINE}
FINE_IDS = {category.name: index for index, category in enumerate(FINE, start=1)}
COARSE_IDS = {name: index for index, name in enumerate(COARSE, start=1)}


def frequency(image_count: int) -> Frequency:
    """The LVIS frequency group of a category that `image_count` training images show."""
    if image_count <= RARE_UP_TO:
        return "r"
    return "c" if image_count <= COMMON_UP_TO else "f"
