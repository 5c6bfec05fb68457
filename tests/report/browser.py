"""A page as headless Chromium shows it, inspected by a script added to a copy of the page."""

import json
import re
import shutil
import subprocess
from pathlib import Path

NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
SECONDS = 60

_LOOK = """
<script>
addEventListener("load", () => {
  const rgb = colour => colour.match(/[\\d.]+/g).map(Number);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b]
      .map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = element => {
    const [a, b] = [rgb(getComputedStyle(element).color), ground(element)].map(light);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const worded = [...document.body.querySelectorAll("*")]
    .filter(element => element.tagName != "SCRIPT"
    && [...element.childNodes].some(node => node.nodeType == 3 && node.data.trim()));
  const found = {
    images: document.images.length,
    broken: [...document.images].filter(image => !image.complete || !image.naturalWidth)
      .map(image => image.alt),
    wordless: [...document.images].filter(image => !image.alt.trim()).length,
    squeezed: [...document.images].filter(image => image.getBoundingClientRect().width < 40)
      .map(image => image.alt),
    width: innerWidth,
    needed: document.documentElement.scrollWidth,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    faint: worded.filter(element => contrast(element) < 4.5)
      .map(element => element.textContent.trim().slice(0, 40)),
  };
  document.body.innerHTML = "";
  document.body.dataset.found = JSON.stringify(found);
});
</script>
"""


def find_browser() -> str | None:
    """The first Chromium on the path."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def look(page: str, folder: Path, width: int = 1100, dark: bool = False) -> dict:
    """Open a page and find its faults.

    Args:
        page: Its HTML.
        folder: Receives the copy that is opened.
        width: Of the window, in pixels.
        dark: Whether the reader prefers dark colours.

    Returns:
        `images` (how many), `broken` (alternative texts of those that do not load), `wordless`,
        `squeezed` (shown narrower than 40 pixels), `width`, `needed` (the width that the page
        takes), `dark`, `faint` (words whose contrast is below 4.5) and `console` (what the browser
        complained of).
    """
    copy = folder / "looked_at.html"
    copy.write_text(page.replace("</body>", _LOOK + "</body>"))
    flags = ["--blink-settings=preferredColorScheme=0"] if dark else []
    shown = _run(
        [
            *flags,
            f"--window-size={width},900",
            "--enable-logging=stderr",
            "--dump-dom",
            copy.as_uri(),
        ],
        folder,
    )
    found = re.search(r'data-found="([^"]*)"', shown.stdout)
    assert found, shown.stderr
    faults = json.loads(
        found[1]
        .replace("&quot;", '"')
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
    )
    return faults | {"console": [line for line in shown.stderr.splitlines() if "CONSOLE" in line]}


def printed(page: str, folder: Path) -> bytes:
    """The page as the browser prints it, PDF."""
    (folder / "printed.html").write_text(page)
    pdf = folder / "printed.pdf"
    _run(
        [f"--print-to-pdf={pdf}", "--no-pdf-header-footer", (folder / "printed.html").as_uri()],
        folder,
    )
    return pdf.read_bytes()


def _run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    browser = find_browser()
    assert browser
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'profile'}",
    ]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=SECONDS, check=True
    )
