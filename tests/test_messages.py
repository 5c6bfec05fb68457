"""Every error message that a user can see, in one snapshot; other tests compare only the codes.

After a change: python tests/test_messages.py, and read the difference.
"""

import ast
import pickle
from pathlib import Path

import pytest

from soco.errors import UserError

ROOT = Path(__file__).parent.parent
SNAPSHOT = ROOT / "tests" / "messages.txt"
ERRORS = ("UserError", "InvalidValue")


def raised():
    """The code and template of every error in the package: (code, template, place)."""
    for path in sorted((ROOT / "soco").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS:
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                yield (
                    *[part.value if isinstance(part, ast.Constant) else None for part in node.args],
                    place,
                )


def messages():
    """Templates by code, as the snapshot has them."""
    templates = {code: template for code, template, _ in raised()}
    return "".join(f"{code}\n    {templates[code]}\n" for code in sorted(templates))


def test_every_message_has_a_code_of_its_own():
    templates = {}
    for code, template, place in raised():
        assert isinstance(code, str), place
        assert isinstance(template, str), place
        assert templates.setdefault(code, template) == template, place


def test_the_messages_are_those_of_the_snapshot():
    assert messages() == SNAPSHOT.read_text()


def test_a_name_that_cannot_be_printed_is_spelled_out():
    error = UserError("files.missing", "There is no {path}.", path="a\x1b\ud800b")
    assert str(error) == r"There is no a\x1b\ud800b."
    assert (error.code, error.values) == ("files.missing", {"path": "a\x1b\ud800b"})


def test_a_worker_can_send_it():
    error = UserError("files.missing", "There is no {path}.", path=Path("a"))
    sent = pickle.loads(pickle.dumps(error))
    assert (str(sent), sent.code, sent.values) == (str(error), error.code, error.values)


def test_a_template_without_its_value_is_a_fault_of_ours():
    with pytest.raises(KeyError):
        UserError("files.missing", "There is no {path}.")


if __name__ == "__main__":
    SNAPSHOT.write_text(messages())
