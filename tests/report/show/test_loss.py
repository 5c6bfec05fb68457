import json

import numpy as np
import pytest
from PIL import Image

from soco.cli import main


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.jsonl"
    lines = [
        {"step": n, "loss": -n / 3, "lr": 0.1, "spread": 0.8, "cosine_apart": None}
        for n in range(10)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_curve_is_drawn_with_its_mean_cosine(log, tmp_path, capsys):
    assert main(["show", "loss", str(log), "--out", str(tmp_path / "loss.png")]) == 0
    assert capsys.readouterr().out.startswith(
        "loss -3.000 at step 9: a mean cosine of 0.38 (assuming 2 pairs of views; --config"
    )
    drawn = np.array(Image.open(tmp_path / "loss.png").convert("RGB")).astype(int)
    rows, columns = np.nonzero(
        ((drawn - [0x2F, 0x81, 0xD6]) ** 2).sum(axis=-1) < 20
    )  # the line's blue
    falls = rows < len(drawn) // 3  # the loss's panel is the first
    assert np.corrcoef(columns[falls], rows[falls])[0, 1] > 0.9


def test_the_constant_answer_and_the_travel_are_in_the_line(log, tmp_path, capsys):
    travel = {"stem": {"distance": 0.2, "cosine": 0.98}, "neck": {"distance": 0.3, "cosine": 0.96}}
    lines = [json.loads(line) | {"constant": -2.5} for line in log.read_text().splitlines()]
    lines[-2]["travel"] = travel
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["show", "loss", str(log), "--out", str(tmp_path / "loss.png")]) == 0
    shown = capsys.readouterr().out
    assert "a constant answer reaches -2.500" in shown
    assert "weights and first weights have a median cosine of 0.970" in shown
    drawn = np.array(Image.open(tmp_path / "loss.png").convert("RGB")).astype(int)
    orange = ((drawn - [0xD9, 0x82, 0x2B]) ** 2).sum(axis=-1) < 20
    assert orange[: len(drawn) // 3].any()


def test_the_run_says_how_many_pairs_there_are(log, repository, tmp_path, capsys):
    call = [
        "show",
        "loss",
        str(log),
        "--out",
        str(tmp_path / "loss.png"),
        "--config",
    ]
    assert main([*call, str(repository / "config.yaml"), "--run", "soco"]) == 0
    assert "a mean cosine of 0.38" in capsys.readouterr().out
    assert main([*call, str(repository / "recipes/soco_c4_100.yaml")]) == 0
    assert "a mean cosine of 0.75" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "There is no"),
        ("", "has no step yet"),
        ("{", "has no step yet"),
        ("{\n{}", "is not valid JSON"),
        ("[1]\n{}", "is not valid JSON"),
    ],
)
def test_a_log_that_cannot_be_drawn_is_refused_in_one_sentence(tmp_path, capsys, content, sentence):
    log = tmp_path / "log.jsonl"
    if content is not None:
        log.write_text(content)
    assert main(["show", "loss", str(log), "--out", str(tmp_path / "loss.png")]) == 1
    assert sentence in capsys.readouterr().err and not (tmp_path / "loss.png").exists()


def test_the_curve_is_a_png(log, capsys):
    assert main(["show", "loss", str(log), "--out", "loss.svg"]) == 1
    assert "ends in .png" in capsys.readouterr().err
