"""The page in a real browser: on a desktop, on a phone, in light and dark, and printed."""

import re

import pytest
from browser import NAMES, find_browser, look, printed

pytestmark = pytest.mark.skipif(
    not find_browser(), reason=f"none of {', '.join(NAMES)} is installed"
)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100], ids=["phone", "desk"])
def test_the_page_has_no_faults(built, parsed, tmp_path, width, dark):
    found = look(built[1], tmp_path, width, dark)
    # A browser with a window of its own may have no narrower one than 500.
    assert found["width"] in {width, max(width, 500)} and found["dark"] == dark
    assert found["images"] == len(parsed(built[1]).all("img")) > 40
    assert found["broken"] == found["console"] == found["squeezed"] == found["faint"] == []
    assert found["wordless"] == 0 and found["needed"] <= found["width"]


def test_the_faults_of_a_page_are_detected(tmp_path):
    """The inspection itself, on a page with every fault."""
    page = """<!doctype html><html><body style="background:#fff">
    <p style="color:#ccc">faint words</p>
    <img src="data:image/png;base64,AAAA" alt="half an image"><img src="gone.png" alt="">
    <img width="8" alt="a speck"
      src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'/>">
    <div style="width:2000px">wide</div>
    <script>console.error("an error"); nothing()</script></body></html>"""
    found = look(page, tmp_path)
    assert found["broken"] == ["half an image", ""] and found["wordless"] == 1
    assert "a speck" in found["squeezed"] and found["faint"] == ["faint words"]
    assert found["needed"] > found["width"]
    assert any("an error" in line for line in found["console"])
    assert any("nothing is not defined" in line for line in found["console"])


def test_the_page_is_printed(built, tmp_path):
    pdf = printed(built[1], tmp_path)
    pages = len(re.findall(rb"/Type /Page\b", pdf))
    assert pdf.startswith(b"%PDF") and 5 <= pages <= 30
