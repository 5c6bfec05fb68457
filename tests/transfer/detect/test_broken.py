"""Images that break after the detection set was checked."""

import logging
import shutil

import pytest
from user_errors import refused

from soco.config import DatasetConfig, SplitConfig
from soco.errors import UserError
from soco.transfer.detect import evaluate, finetune


@pytest.fixture
def folder(tiny, tmp_path):
    """The images of a split, which a test may break."""
    return shutil.copytree(tiny / "train2017", tmp_path / "images")


@pytest.fixture
def splits(tiny, folder):
    """A split with the images that may break, and one with others."""
    shutil.copy(tiny / "coco.json", folder.parent / "coco.json")
    breakable = SplitConfig(images=str(folder), annotations=str(folder.parent / "coco.json"))
    return breakable, SplitConfig(
        images=str(tiny / "train2017"), annotations=str(tiny / "coco.json")
    )


def truncate(path):
    path.write_bytes(path.read_bytes()[:3000])


@pytest.mark.parametrize(("processes", "workers"), [(1, 0), (1, 2), (2, 1)])
def test_training_stops_at_a_broken_image_without_a_traceback(
    finetuning, folder, splits, processes, workers, capfd, caplog
):
    for path in folder.iterdir():
        truncate(path)
    breakable, other = splits
    job = finetuning(
        {"processes": processes, "workers": workers},
        dataset=DatasetConfig(train=breakable, val=other),
    )
    with caplog.at_level(logging.INFO), pytest.raises(UserError) as caught:
        finetune(job)
    sentence = str(caught.value)
    assert sentence.startswith(f"The image {folder}/")
    assert "truncated" in sentence
    assert "\n" not in sentence
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    printed = capfd.readouterr()
    assert "Traceback" not in printed.out + printed.err


@pytest.mark.parametrize("workers", [0, 1])
def test_evaluation_stops_at_a_broken_image_and_works_once_it_is_restored(
    finetuning, evaluation, folder, splits, workers
):
    breakable, other = splits
    dataset = DatasetConfig(train=other, val=breakable)
    tuned = {"iterations": 1, "warmup_iterations": 0, "workers": workers}
    finetune(finetuning(tuned, dataset=dataset))
    path = folder / "000000000002.png"
    intact = path.read_bytes()
    truncate(path)
    job = evaluation(tuned, dataset=dataset)
    with refused("detect.in_worker" if workers else "detect.unreadable_image") as caught:
        evaluate(job)
    assert str(path) in str(caught.value)
    assert not job.metrics.exists()
    path.write_bytes(intact)
    assert evaluate(job)["images"] == 6
