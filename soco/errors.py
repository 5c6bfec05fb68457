"""The one exception that a user is meant to read, and names made fit to print."""

import functools
import unicodedata
from typing import Any

LONGEST_DRAWN = 40
"""Characters of a name in a drawing; the page and the JSON files have it whole."""

# Controls, lone surrogates, line and paragraph separators. Marks that join letters or emoji (Cf)
# stay.
_HIDDEN = frozenset(("Cc", "Cs", "Zl", "Zp"))
# They turn the order of the text around them, up to the end of the line.
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class UserError(Exception):
    """Bad input that the user can fix.

    Its message is one sentence: what is wrong, where, and what to do. It is shown without a
    traceback.

    Attributes:
        code: What kind of fault it is, such as `images.not_found`. A code has one template, and
            tests compare the code and the values rather than the sentence.
        values: What the template's fields were filled with.
    """

    def __init__(self, code: str, template: str = "", /, **values: Any) -> None:
        """Fill the template.

        Args:
            code: `package.what_is_wrong`, in small letters.
            template: The sentence, with fields as `str.format` takes them.
            values: The fields; names in them that cannot be printed are spelled out.
        """
        if not template:  # a sentence alone, which has no code
            code, template, values = "", "{sentence}", {"sentence": code}
        self.code, self.template, self.values = code, template, values
        super().__init__(printable_lines(template.format(**values)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Workers send it to the process that started them."""
        return functools.partial(UserError, self.code, self.template, **self.values), ()


def printable(text: str, most: int | None = None) -> str:
    r"""The text with what cannot be shown spelled out, such as `\n`, `\ud800` or `\u202e`.

    A lone surrogate has no UTF-8, a control character ends an SVG, and a line break or a change of
    direction changes what stands around it. All other characters stay, of every script.

    Args:
        text: Such as a category's name, or a file's.
        most: Largest number of characters; a longer text loses its middle to an ellipsis. None: no
            limit.
    """
    if not text.isprintable():
        text = "".join(map(_shown, text))
    if most is None or len(text) <= most:
        return text
    tail = most // 3
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def printable_lines(text: str) -> str:
    """The same for a text of several lines, which stay lines."""
    return "\n".join(map(printable, text.split("\n")))


def _shown(character: str) -> str:
    code = ord(character)
    is_no_character = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    if is_no_character or character in _DIRECTIONS or unicodedata.category(character) in _HIDDEN:
        return character.encode("unicode_escape").decode("ascii")
    return character
