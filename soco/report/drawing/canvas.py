"""What the drawings share: fonts, colours, and a title broken into lines."""

from PIL import ImageFont

from soco.errors import printable

MARGIN, LINE = 12, 24
GROUND, INK = "#ffffff", "#1f2328"
TITLE_SIZE, SMALL_SIZE = 15, 12


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that every installation has, at a height in pixels."""
    return ImageFont.load_default(size)


def broken(text: str, width: int) -> list[str]:
    """The text as a title, in lines of at most `width` pixels, where its words allow.

    What cannot be shown, spelled.
    """
    lines: list[str] = []
    for word in printable(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font(TITLE_SIZE).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
