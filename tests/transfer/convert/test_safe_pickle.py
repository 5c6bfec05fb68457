import collections
import os
import pickle
from decimal import Decimal

import numpy as np
import pytest
from user_errors import refused

from soco.errors import UserError
from soco.transfer.convert import read_pickle

ARRAYS = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(4, dtype=">f4"),
    np.array(7),
    np.array([True, False]),
    np.arange(3, dtype=np.float16),
    np.zeros((0, 4), np.float32),
]


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def reading(tmp_path):
    """Read the bytes of a pickle as a file."""

    def read(content):
        (tmp_path / "file.pkl").write_bytes(content)
        return read_pickle(tmp_path / "file.pkl")

    return read


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype.str}{array.shape}")
def test_arrays_are_read_unchanged(reading, array, protocol):
    found = reading(
        pickle.dumps(
            {"model": {"a": array}, "more": [1, (2.5, None, "text", b"x", True)]}, protocol
        )
    )
    np.testing.assert_array_equal(found["model"]["a"], array)
    assert found["model"]["a"].dtype == array.dtype.newbyteorder("=")
    assert found["more"] == [1, (2.5, None, "text", b"x", True)]


def test_names_of_numpy_1_and_2_are_read(reading):
    content = pickle.dumps(np.arange(3.0), 3)
    older = content.replace(b"numpy._core", b"numpy.core")
    assert older != content
    np.testing.assert_array_equal(reading(older), [0, 1, 2])


def test_an_ordered_dictionary_becomes_a_dictionary(reading):
    assert reading(pickle.dumps(collections.OrderedDict(a=1))) == {"a": 1}


@pytest.mark.parametrize(
    ("value", "tried"),
    [
        (Calls(os.system, "touch PROOF"), "posix.system"),
        ({"model": {"a": [np.ones(2), Calls(eval, "1")]}}, "builtins.eval"),
        (Calls(getattr, "", "join"), "builtins.getattr"),
        (Calls(np.load, "PROOF", None, True), "numpy.load"),
        (Decimal(1), "decimal.Decimal"),
        (np.float32(1), "numpy._core.multiarray.scalar"),
        (np.array([1, None], dtype=object), "an array of 'O8'"),
        (np.zeros(2, dtype=[("a", "f4")]), "an array of 'V4'"),
        (np.array(["text"]), "an array of 'U4'"),
        (np.ma.ones(2), "numpy.ma"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("protocol", [3, 4])
def test_anything_but_numbers_is_refused_and_not_run(
    reading, tmp_path, monkeypatch, value, tried, protocol
):
    monkeypatch.chdir(tmp_path)
    with refused("convert.unsafe_pickle") as caught:
        reading(pickle.dumps(value, protocol))
    assert str(caught.value.values["name"]).startswith(tried)
    assert not (tmp_path / "PROOF").exists()


def call(module, name, arguments, state=None):
    """A pickle that calls a function of a name with arguments, and then sets the result's state."""
    body = f"c{module}\n{name}\n".encode() + pickle.dumps(arguments, 0)[:-1] + b"R"
    return body + (pickle.dumps(state, 0)[:-1] + b"b" if state is not None else b"") + b"."


@pytest.mark.parametrize(
    "content",
    [
        call("numpy.core.numeric", "_frombuffer", (b"x" * 8, "O", (1,), "C")),
        call("numpy", "dtype", ("O", False, True)),
        call("numpy", "dtype", ("f4", False, True), (3, "<", None, ("a",), {"a": 1}, 4, 4, 63)),
        call("numpy.core.multiarray", "_reconstruct", ("a class", (0,), "b")),
        call("numpy", "ndarray.view", ()),
        call("numpy.core.multiarray", "fromfile", ("file",)),
        b"cnumpy.core.multiarray\n_reconstruct\n(Vnumpy.ndarray\n(I0\ntVb\ntR(I1\n(I1\ntVO\nI00\n(lItb.",
        b"Pa persistent object\n.",
    ],
)
def test_misuse_of_numpy_names_is_refused(reading, content):
    with pytest.raises(UserError) as caught:
        reading(content)
    assert caught.value.code in ("convert.unsafe_pickle", "convert.damaged_pickle")


def test_a_file_cannot_change_the_replacement_functions(reading):
    content = b"cnumpy.core.multiarray\n_reconstruct\n(N}V__call__\nV1\nstb."
    with refused("convert.damaged_pickle"):
        reading(content)
    np.testing.assert_array_equal(reading(pickle.dumps(np.ones(2))), np.ones(2))


@pytest.mark.parametrize("cut", [1, 30, 90])
def test_a_damaged_file_is_refused(reading, tmp_path, cut):
    with refused("convert.damaged_pickle", path=tmp_path / "file.pkl"):
        reading(pickle.dumps(np.arange(9.0))[:cut])


@pytest.mark.parametrize("protocol", [3, 4])
def test_a_set_is_refused(reading, protocol):
    with refused("convert.unsafe_pickle") as caught:
        reading(pickle.dumps({"model": {1, 2}}, protocol))
    assert str(caught.value.values["name"]) in ("builtins.set", "a value of set")


def test_a_truncated_array_is_refused(reading):
    with refused("convert.damaged_pickle"):
        reading(pickle.dumps(np.arange(4.0)).replace(b"K\x04\x85", b"K\x09\x85"))


def test_a_missing_pickle_is_refused(tmp_path):
    with refused("convert.pickle_not_found", path=tmp_path / "none.pkl"):
        read_pickle(tmp_path / "none.pkl")
