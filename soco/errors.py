"""The one exception that a user is meant to read.

A sentence that says what, where and what to do.
"""

from soco.printable import printable_lines


class UserError(Exception):
    """Bad input that its reader can mend.

    The message is one sentence with the remedy, shown without a traceback.
    """

    def __init__(self, message: str) -> None:
        """What cannot be printed of the names in the message is spelled out."""
        super().__init__(printable_lines(message))
