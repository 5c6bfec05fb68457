import importlib
import sys

import pytest

from soco.errors import UserError


def test_without_detectron2_one_sentence_says_how_to_install_it(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("soco.transfer.detect")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "detectron2", None)
    with pytest.raises(UserError, match="make install"):
        importlib.import_module("soco.transfer.detect")
