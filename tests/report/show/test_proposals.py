import numpy as np
import pytest
from PIL import Image

from soco.cli import main
from soco.config import FilterConfig
from soco.proposals import selective_search
from soco.proposals.engines import opencv_selective_search
from soco.proposals.filters import proposals_of
from soco.report.show.proposals import compose


@pytest.fixture
def coffee(repository):
    return str(repository / "tests/golden/images/coffee_half.png")


def test_the_drawing_is_in_the_current_folder(coffee, photograph, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["show", "proposals", coffee]) == 0
    rgb = photograph("coffee_half")
    regions = selective_search(rgb)[:, :4]
    kept = proposals_of(regions, (rgb.shape[1], rgb.shape[0]), FilterConfig())[1]
    assert (
        capsys.readouterr().out
        == f"{len(regions)} regions (soco), {len(kept)} proposals (ratio3size0308); see"
        " coffee_half_proposals.png\n"
    )
    with Image.open("coffee_half_proposals.png") as drawn:
        drawn.load()
        assert (drawn.format, drawn.mode) == ("PNG", "RGB")
        height = round(640 * rgb.shape[0] / rgb.shape[1])
        assert drawn.width == 2 * 640 + 3 * 12 and height < drawn.height < height + 150
    assert [path.name for path in tmp_path.iterdir()] == ["coffee_half_proposals.png"]


def test_engine_and_configuration_can_be_chosen(coffee, photograph, repository, tmp_path, capsys):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(
        "filter: {strategy: size1010, fallbacks: [ratio2]}\nproposals: {engine: opencv}\n"
    )
    call = ["show", "proposals", coffee, "--out", str(tmp_path / "a" / "b.png")]
    call += ["--config", str(repository / "config.yaml"), "--config", str(overlay)]
    assert main(call) == 0
    fast = len(opencv_selective_search(photograph("coffee_half"), "fast"))
    printed = capsys.readouterr().out
    assert (
        printed.startswith(f"{fast} regions (opencv_fast), ")
        and "(ratio2, because size1010 keeps none)" in printed
    )
    assert main([*call, "--engine", "opencv_single", "--side", "100"]) == 0
    single = len(opencv_selective_search(photograph("coffee_half"), "single"))
    assert capsys.readouterr().out.startswith(f"{single} regions (opencv_single), ")
    assert Image.open(tmp_path / "a" / "b.png").width == 2 * 100 + 3 * 12


def test_regions_are_left_of_proposals_and_coloured_by_size():
    grey = np.full((100, 200, 3), 128, np.uint8)
    large, small = np.array([[10, 10, 180, 80]]), np.array([[100, 40, 20, 20]])
    drawn = np.array(compose(grey, np.concatenate([small, large]), large, "a title", 200)).astype(
        int
    )
    left, right = drawn[:, 12:212], drawn[:, 224:424]
    coloured = [np.ptp(panel[60:160], axis=2) > 60 for panel in (left, right)]
    assert coloured[0].sum() > 500 and coloured[1].sum() > 900  # proposals' lines are thicker
    columns = np.flatnonzero(coloured[0].sum(axis=0) > 15)
    assert {10, 190, 100, 120} <= set(columns.tolist())
    assert {100, 120}.isdisjoint(np.flatnonzero(coloured[1].sum(axis=0) > 15).tolist())
    rows = np.flatnonzero(coloured[0][:, 100])
    middle = left[60 + rows[len(rows) // 2], 100]
    edge = left[60 + np.flatnonzero(coloured[0][:, 10])[5], 10]
    assert abs(middle - edge).max() > 60


def test_a_long_title_is_broken_in_a_narrow_drawing():
    narrow = np.zeros((200, 40, 3), np.uint8)
    none = np.empty((0, 4), np.int32)
    short, long = (compose(narrow, none, none, title, 200) for title in ("one", "many words " * 8))
    assert short.width == long.width and long.height > short.height + 100


def test_a_filter_that_keeps_nothing(coffee, repository, tmp_path, capsys):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("filter: {min_side: 5000}\n")
    call = ["show", "proposals", coffee, "--out", str(tmp_path / "none.png")]
    assert main([*call, "--config", str(repository / "config.yaml"), "--config", str(overlay)]) == 0
    assert (
        "0 proposals (no strategy keeps any: training uses the whole image)"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("name", ["absent.png", "notes.txt", "e_empty.jpg"])
def test_an_unreadable_image_is_refused_in_one_sentence(folder_of_images, tmp_path, capsys, name):
    assert (
        main(
            ["show", "proposals", str(folder_of_images / name), "--out", str(tmp_path / "out.png")]
        )
        == 1
    )
    printed = capsys.readouterr().err
    assert printed.startswith("Error: ") and name in printed and printed.count("\n") == 1
    assert not (tmp_path / "out.png").exists()


def test_another_format_than_png_is_refused(coffee, tmp_path, capsys):
    assert main(["show", "proposals", coffee, "--out", str(tmp_path / "out.jpg")]) == 1
    assert "ends in .png" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--engine", "opencv"], ["--side", "5"], ["--side", "wide"]])
def test_invalid_options_are_refused(coffee, options):
    with pytest.raises(SystemExit, match="2"):
        main(["show", "proposals", coffee, *options])
