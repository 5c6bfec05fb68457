"""Images that break after the detection set was checked."""

import logging
import shutil

import pytest

from soco.config import DatasetConfig, SplitConfig
from soco.errors import UserError
from soco.transfer.detect import evaluate, finetune


@pytest.fixture
def folder(tiny, tmp_path):
    """The images of a half, which a test may break."""
    return shutil.copytree(tiny / "train2017", tmp_path / "images")


@pytest.fixture
def halves(tiny, folder):
    """A half with the images that may break, and one with others."""
    shutil.copy(tiny / "coco.json", folder.parent / "coco.json")
    breakable = SplitConfig(images=str(folder), annotations=str(folder.parent / "coco.json"))
    return breakable, SplitConfig(
        images=str(tiny / "train2017"), annotations=str(tiny / "coco.json")
    )


@pytest.fixture
def places(tmp_path):
    """Where a fine-tuning writes."""
    files = {
        "output": "weights.pth",
        "loading_report": "loading.json",
        "history": "history.jsonl",
        "curve": "ap.jsonl",
    }
    others = {"training": "training.json", "checkpoint_dir": "checkpoints"}
    return {name: tmp_path / "made" / file for name, file in (files | others).items()}


def cut_short(path):
    path.write_bytes(path.read_bytes()[:3000])


def sentence(path):
    return (
        rf"^The image {path} cannot be read \(image file is truncated[^\n]*\); put the right file"
        r" in its place and run "
        r"the same command again \(a training resumes from its last checkpoint\), or take the image"
        r" out of the "
        r"annotation file\.$"
    )


@pytest.mark.parametrize(("processes", "workers"), [(1, 0), (1, 2), (2, 1)])
def test_training_stops_at_a_broken_image_in_one_sentence(
    settings, detector, folder, halves, places, processes, workers, capfd, caplog
):
    for path in folder.iterdir():
        cut_short(path)
    breakable, other = halves
    loading = settings.model_copy(update={"processes": processes, "workers": workers})
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(UserError, match=sentence(folder / r"\d+\.png")),
    ):
        dataset = DatasetConfig(train=breakable, val=other)
        finetune("tiny", loading, detector, dataset, None, **places, seed=1)
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    told = capfd.readouterr()
    assert "Traceback" not in told.out + told.err


@pytest.mark.parametrize("workers", [0, 1])
def test_evaluation_stops_at_a_broken_image_and_takes_the_right_one_afterwards(
    settings, detector, folder, halves, places, tmp_path, workers
):
    breakable, other = halves
    dataset = DatasetConfig(train=other, val=breakable)
    loading = settings.model_copy(update={"iterations": 1, "workers": workers})
    finetune("tiny", loading, detector, dataset, None, **places, seed=1)
    path = folder / "000000000002.png"
    whole = path.read_bytes()
    cut_short(path)
    scored = (
        places["output"],
        places["training"],
        tmp_path / "metrics.json",
        tmp_path / "detections.json",
    )
    with pytest.raises(UserError, match=sentence(path)):
        evaluate("tiny", "scratch", loading, detector, dataset, *scored, seed=1)
    assert not scored[2].exists()
    path.write_bytes(whole)
    assert evaluate("tiny", "scratch", loading, detector, dataset, *scored, seed=1)["images"] == 6
