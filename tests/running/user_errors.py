"""What a test expects of a UserError: its code and values, but not its sentence."""

import contextlib

import pytest

from soco.errors import UserError


@contextlib.contextmanager
def refused(code, **values):
    """Expect the block to raise a UserError of this code, whose values include these.

    Values are compared as they are printed, so that a path equals its text. Yields an object whose
    `value` is the error afterwards, as `pytest.raises` does.
    """
    with pytest.raises(UserError) as caught:
        yield caught
    assert caught.value.code == code, caught.value
    found = {name: str(caught.value.values.get(name)) for name in values}
    assert found == {name: str(value) for name, value in values.items()}
