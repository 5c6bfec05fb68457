"""The exception whose message is for the user, and functions that make names printable."""

import functools
import unicodedata
from typing import Any

LONGEST_DRAWN = 40
"""Maximum characters of a name in a drawing; the page and the JSON files have the full name."""

# Unicode categories of controls, lone surrogates, line and paragraph separators. Format characters
# (Cf) stay, since some join letters or emoji.
_HIDDEN = frozenset(("Cc", "Cs", "Zl", "Zp"))
# These change the direction of the text around them, up to the end of the line.
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class UserError(Exception):
    """Bad input that the user can fix, shown without a traceback.

    Its message is one sentence: what is wrong, where, and what to do.

    Attributes:
        code: The kind of error, such as `data.source_not_found`. Each code has one template, and
            tests compare the code and the values rather than the sentence.
        values: The values of the template's fields.
    """

    def __init__(self, code: str, template: str = "", /, **values: Any) -> None:
        """Fill the template.

        Args:
            code: `package.what_is_wrong`, in snake case.
            template: The sentence, with fields as `str.format` takes them.
            values: The fields; characters that cannot be printed are escaped.
        """
        if not template:  # a sentence alone, which has no code
            code, template, values = "", "{sentence}", {"sentence": code}
        self.code, self.template, self.values = code, template, values
        super().__init__(printable_lines(template.format(**values)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by code, template and values: workers send it to their parent process."""
        return functools.partial(UserError, self.code, self.template, **self.values), ()


def printable(text: str, most: int | None = None) -> str:
    r"""Escape what cannot be shown in a text, such as `\n`, `\ud800` or `\u202e`.

    A lone surrogate has no UTF-8, a control character makes an SVG invalid, and a line break or a
    change of direction affects the text around it. All other characters stay, of every script.

    Args:
        text: For example, the name of a category or file.
        most: Maximum number of characters; an ellipsis replaces the middle of a longer text. None:
            no limit.
    """
    if not text.isprintable():
        text = "".join(map(_shown, text))
    if most is None or len(text) <= most:
        return text
    tail = most // 3
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def printable_lines(text: str) -> str:
    """Escape a text of several lines as `printable` does, keeping its line breaks."""
    return "\n".join(map(printable, text.split("\n")))


def _shown(character: str) -> str:
    code = ord(character)
    is_noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    if is_noncharacter or character in _DIRECTIONS or unicodedata.category(character) in _HIDDEN:
        return character.encode("unicode_escape").decode("ascii")
    return character
