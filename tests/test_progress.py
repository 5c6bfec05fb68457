import io
import sys
import time

from soco.progress import progress, progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_lines(capsys):
    assert list(progress("abc", 3, "search")) == ["a", "b", "c"]
    shown = capsys.readouterr().err
    assert "\r" not in shown and shown.endswith("\n") and "\n\n" not in shown
    assert shown.splitlines()[-1].startswith("search: 100%") and "3/3" in shown


def test_a_terminal_gets_a_moving_bar(monkeypatch):
    monkeypatch.setattr("sys.stderr", Terminal())
    with progress_bar(4, "search", "image", done=2) as bar:
        bar.update(2)
    assert "\rsearch:  50%" in sys.stderr.getvalue() and "\rsearch: 100%" in sys.stderr.getvalue()


def test_work_within_the_delay_prints_nothing(capsys, monkeypatch):
    assert list(progress("abc", 3, "decoding", delay=60)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr", Terminal())
    for _ in progress("abc", 3, "decoding", delay=0.1):
        time.sleep(0.25)
    assert "decoding: 100%" in sys.stderr.getvalue()
