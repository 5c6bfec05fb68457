"""Evaluation in batches against detectron2's, one image at a time."""

import copy
import os
import signal

import pytest
import torch
from detectron2.data import build_detection_test_loader
from detectron2.engine import launch
from detectron2.evaluation import COCOEvaluator, LVISEvaluator
from detectron2.modeling import build_model
from detectron2.utils import comm

from soco.errors import UserError
from soco.machine import machine_faults
from soco.transfer.detect import evaluate, finetune
from soco.transfer.detect.annotations import read_split
from soco.transfer.detect.compat import CocoScorer, LvisScorer, restore_numpy_float
from soco.transfer.detect.datasets import register
from soco.transfer.detect.detectron2_config import build_config
from soco.transfer.detect.evaluation_loader import EvaluationLoader, batches_by_size
from soco.transfer.detect.mapper import ImageMapper
from soco.transfer.detect.scoring import Evaluation


def test_a_batch_has_images_of_one_size_and_not_too_many_pixels():
    small, wide, large = (32, 32), (32, 64), (64, 64)
    sizes = [small, large, small, wide, small, large, small]
    areas = [9] * 7
    batches = batches_by_size(range(7), sizes, areas, pixels=3 * 32 * 32)
    assert batches == [[0, 2, 4], [1], [3], [5], [6]]
    assert batches_by_size([2, 3, 4], sizes, areas) == [[2, 4], [3]]
    many = batches_by_size(range(40), [small] * 40, [9] * 40)
    assert [len(batch) for batch in many] == [16, 16, 8]
    assert batches_by_size([], sizes, []) == []


def test_photographs_that_are_resized_to_a_small_size_are_in_small_batches():
    photograph = 1 << 16
    batches = batches_by_size(range(9), [(64, 64)] * 9, [100] * 8 + [photograph])
    assert [len(batch) for batch in batches] == [4, 4, 1]
    assert batches_by_size(range(3), [(64, 64)] * 3, [12_000_000] * 3) == [[0], [1], [2]]


@pytest.fixture
def prepared(settings, detector, datasets):
    """A configuration, a registered set and an untrained detector that finds objects."""

    def prepare(name, workers=0):
        form = "lvis" if name == "lvis" else "coco"
        split = read_split(datasets[name].val)
        tuned = settings.model_copy(update={"workers": workers})
        cfg = build_config(tuned, detector, len(split.classes), split.rle, seed=1)
        torch.manual_seed(0)
        model = build_model(cfg).eval()
        return cfg, register(split, form), split, model

    return prepare


def one_by_one(cfg, name, model, form):
    """detectron2's own detections, in its own model."""
    stock = cfg.clone()
    stock.MODEL.META_ARCHITECTURE = "GeneralizedRCNN"
    theirs = build_model(stock).eval()
    theirs.load_state_dict(model.state_dict())
    if form == "lvis":
        restore_numpy_float()
    kind = COCOEvaluator if form == "coco" else LVISEvaluator
    evaluator = kind(name, ("bbox", "segm"), distributed=False)
    evaluator.reset()
    with torch.no_grad():
        for inputs in build_detection_test_loader(cfg, name, mapper=ImageMapper(cfg, False)):
            evaluator.process(inputs, theirs(inputs))
    return evaluator._predictions


@pytest.mark.parametrize(("name", "workers"), [("coco", 0), ("mixed", 2), ("lvis", 0)])
def test_batches_find_what_detectron2_finds_in_single_images(name, workers, prepared, monkeypatch):
    cfg, registered, split, model = prepared(name, workers)
    form = "lvis" if name == "lvis" else "coco"
    expected = one_by_one(cfg, registered, model, form)
    found = []
    scorer = CocoScorer if form == "coco" else LvisScorer
    scored = scorer._eval_predictions

    def kept(self, predictions, **keys):
        found.append(copy.deepcopy(predictions))
        return scored(self, predictions, **keys)

    monkeypatch.setattr(scorer, "_eval_predictions", kept)
    evaluation = Evaluation(cfg, registered, split, form)
    first, second = evaluation.score(model), evaluation.score(model)
    evaluation.close()
    assert first == second
    for predictions in found:
        assert [entry["image_id"] for entry in predictions] == [1, 2, 3, 4, 5, 6]
        for ours, theirs in zip(predictions, expected, strict=True):
            assert len(ours["instances"]) == 5
            for one, other in zip(ours["instances"], theirs["instances"], strict=True):
                assert one.keys() == other.keys()
                assert one["segmentation"] == other["segmentation"]
                assert one["category_id"] == other["category_id"]
                assert one["score"] == pytest.approx(other["score"], abs=1e-5)
                assert one["bbox"] == pytest.approx(other["bbox"], abs=1e-4)


def test_the_workers_stay_for_the_next_evaluation(prepared):
    cfg, registered, _, _ = prepared("mixed", workers=1)
    loader = EvaluationLoader(cfg, registered)
    before = torch.get_rng_state()
    for _ in range(2):
        keys = [[record["image_id"] for record in batch] for batch in loader]
        assert keys == [[1, 2, 4, 5], [3, 6]]
        assert len(loader) == 2
    workers = {worker.pid for worker in loader._batches._workers}
    next(iter(loader))
    assert {worker.pid for worker in loader._batches._workers} == workers
    assert torch.equal(torch.get_rng_state(), before)
    loader.close()
    for pid in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def _shares(cfg, split, folder):
    loader = EvaluationLoader(cfg, register(split, "coco"))
    keys = [record["image_id"] for batch in loader for record in batch]
    (folder / str(comm.get_rank())).write_text(str(sorted(keys)))


def test_processes_share_the_images(prepared, tmp_path):
    cfg, _, split, _ = prepared("mixed")
    launch(_shares, 4, dist_url="auto", args=(cfg, split, tmp_path))
    shares = [(tmp_path / str(rank)).read_text() for rank in range(4)]
    assert shares == ["[1, 2]", "[3, 4]", "[5]", "[6]"]


def test_a_killed_worker_ends_the_evaluation_with_an_error(finetuning, evaluation, monkeypatch):
    parent = os.getpid()

    def killed(self, number):
        assert os.getpid() != parent
        os.kill(os.getpid(), signal.SIGKILL)

    tuned = {"iterations": 1, "warmup_iterations": 0, "workers": 1}
    finetune(finetuning(tuned))
    monkeypatch.setattr("soco.transfer.detect.evaluation_loader._Images.__getitem__", killed)
    with pytest.raises(UserError, match="`workers`"), machine_faults():  # as every job has it
        evaluate(evaluation(tuned))
    with pytest.raises(UserError, match="`workers`"):
        finetune(finetuning({"iterations": 2, "evaluate_every": 1, "workers": 1}))
