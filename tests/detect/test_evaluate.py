import json
import sys
from pathlib import Path

import detectron2
import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog
from detectron2.structures import BitMasks, Boxes, Instances

from soco.detect import evaluate, finetune
from soco.detect.annotations import read_split
from soco.detect.datasets import register
from soco.errors import UserError


@pytest.mark.parametrize("form", ["coco", "lvis"])
def test_a_detector_is_trained_and_scored(form, settings, detector, datasets, tmp_path):
    tuned = settings.model_copy(update={"repeat_threshold": 0.1 if form == "lvis" else 0.0})
    weights, training, metrics, detections = (
        tmp_path / name for name in ("weights.pth", "training.json", "metrics.json", "detections.json")
    )
    dataset, logs = datasets[form], (tmp_path / name for name in ("loading.json", "history.jsonl", "ap.jsonl"))
    finetune(form, tuned, detector, dataset, None, weights, *logs, training, tmp_path / "checkpoints", seed=1)
    result = evaluate(form, "scratch", tuned, detector, dataset, weights, training, metrics, detections, seed=1)

    assert json.loads(metrics.read_text()) == result
    assert (result["task"], result["dataset"], result["format"]) == (form, "tiny", form)
    assert (result["initialisation"], result["seed"]) == ("scratch", 1)
    protocol = result["protocol"]
    assert (protocol["norm"], protocol["head"]) == ("SyncBN over 1 process", "2 conv + 1 fc")
    assert (protocol["iterations"], protocol["batch_size"], protocol["weight_decay"]) == (2, 2, 2.5e-5)
    assert (protocol["detectron2"], protocol["seed"]) == (detectron2.__version__, 1)
    assert (result["images"], result["instances"]) == (6, 18)
    for kind in ("box", "mask"):
        assert set(result[kind]) >= {"AP", "AP50", "AP75"} | ({"APr", "APc", "APf"} if form == "lvis" else set())
        assert 0 <= result[kind]["AP"] <= 100
        assert result[kind]["APl"] is None  # no object is that large
    assert {name: told["instances"] for name, told in result["per_category"].items()} == dict.fromkeys(
        ("disc", "square", "triangle"), 6
    )
    for part in ("box", "mask"):
        of_each = [told[part] for told in result["per_category"].values()]
        assert result[part]["AP"] == pytest.approx(sum(of_each) / 3)

    found = json.loads(detections.read_text())
    assert found
    assert {entry["category_id"] for entry in found} <= {2, 5, 9}
    assert set(found[0]) == {"image_id", "category_id", "bbox", "score", "segmentation"}


class Oracle(torch.nn.Module):
    """Answers with the annotated objects themselves."""

    def __init__(self, records):
        super().__init__()
        self.records = {record["image_id"]: record for record in records}

    def forward(self, batch):
        return [{"instances": self.answer(self.records[entry["image_id"]])} for entry in batch]

    def answer(self, record):
        entries, size = record["annotations"], (record["height"], record["width"])
        x, y, w, h = torch.tensor([entry["bbox"] for entry in entries]).unbind(1)
        polygons = [[np.array(part) for part in entry["segmentation"]] for entry in entries]
        return Instances(
            size,
            pred_boxes=Boxes(torch.stack([x, y, x + w, y + h], 1)),
            scores=torch.ones(len(entries)),
            pred_classes=torch.tensor([entry["category_id"] for entry in entries]),
            pred_masks=BitMasks.from_polygon_masks(polygons, *size).tensor,
        )


@pytest.mark.parametrize("form", ["coco", "lvis"])
def test_perfect_detections_score_a_hundred(form, settings, detector, datasets, tmp_path, monkeypatch):
    """Scores are in percent, ids with gaps are mapped back, and LVIS is scored on the file's own categories."""
    records = DatasetCatalog.get(register(read_split(datasets[form].val), form))
    monkeypatch.setattr(sys.modules["soco.detect.evaluate"], "_load", lambda cfg, weights: Oracle(records).eval())
    (tmp_path / "training.json").write_text('{"seed": 1}')
    places = [tmp_path / name for name in ("training.json", "metrics.json", "detections.json")]
    result = evaluate(form, "scratch", settings, detector, datasets[form], tmp_path, *places, seed=1)
    assert result["box"]["AP"] == pytest.approx(100)
    assert result["mask"]["AP"] > 90
    assert [told["box"] for told in result["per_category"].values()] == pytest.approx([100] * 3)
    if form == "lvis":
        assert [told["frequency"] for told in result["per_category"].values()] == ["f", "c", "r"]
        assert [result["box"][name] for name in ("APr", "APc", "APf")] == pytest.approx([100] * 3)


def test_a_category_alone_and_two_of_one_name_have_their_own_ap(settings, detector, datasets, tmp_path, monkeypatch):
    content = json.loads(Path(datasets["coco"].val.annotations).read_text())
    records = DatasetCatalog.get(register(read_split(datasets["coco"].val), "coco"))
    for record in records:  # triangles are not found
        record["annotations"] = [entry for entry in record["annotations"] if entry["category_id"] < 2]
    monkeypatch.setattr(sys.modules["soco.detect.evaluate"], "_load", lambda cfg, weights: Oracle(records).eval())
    (tmp_path / "training.json").write_text('{"changed": {"iterations": 5, "score_threshold": 0.5}}')
    places = [tmp_path / name for name in ("training.json", "metrics.json", "detections.json")]

    def scored(kept, names, **keys):
        categories = [{"id": key, "name": name} for key, name in zip(kept, names, strict=True)]
        entries = [entry for entry in content["annotations"] if entry["category_id"] in kept]
        (tmp_path / "val.json").write_text(json.dumps(content | {"categories": categories, "annotations": entries}))
        val = datasets["coco"].val.model_copy(update={"annotations": str(tmp_path / "val.json")})
        dataset = datasets["coco"].model_copy(update={"val": val})
        protocol = settings.model_copy(update=keys)
        return evaluate("t", "scratch", protocol, detector, dataset, tmp_path, *places, seed=1)

    two = scored((2, 5, 9), ("disc", "form", "form"), protocol="coco_fpn_1x", score_threshold=0.2)
    assert [told["box"] for told in two["per_category"].values()] == pytest.approx([100, 100, 0])
    assert [*two["per_category"]] == ["disc", "form (5)", "form (9)"]
    assert two["protocol"]["changed"]["score_threshold"] == 0.2  # what it is scored with, and not what was trained with
    assert two["protocol"]["changed"]["iterations"] == 5
    for record in records:
        record["annotations"] = record["annotations"][:1]
    assert scored((2,), ("disc",))["per_category"]["disc"]["box"] == pytest.approx(100)


def test_weights_of_another_detector_are_refused(settings, detector, datasets, tmp_path):
    torch.save({"model": {"odd": torch.ones(1)}}, tmp_path / "weights.pth")
    places = [tmp_path / name for name in ("training.json", "metrics.json", "detections.json")]
    with pytest.raises(UserError, match=r"weights\.pth does not fit the configured detector"):
        evaluate("t", "scratch", settings, detector, datasets["coco"], tmp_path / "weights.pth", *places, seed=1)
    with pytest.raises(UserError, match=r"no weights at .*absent\.pth"):
        evaluate("t", "scratch", settings, detector, datasets["coco"], tmp_path / "absent.pth", *places, seed=1)
