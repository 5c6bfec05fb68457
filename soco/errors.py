"""The one exception that a user is meant to read: a sentence that says what, where and what to do."""


class UserError(Exception):
    """Bad input that its reader can mend; the message is one sentence with the remedy, shown without a traceback."""
