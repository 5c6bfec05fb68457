import json
import sys
from pathlib import Path

import detectron2
import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog
from detectron2.structures import BitMasks, Boxes, Instances
from user_errors import refused

from soco.provenance.audit.detections import ROUNDING, differing_metrics
from soco.provenance.audit.rescoring import rescore
from soco.transfer.detect import evaluate, finetune
from soco.transfer.detect.annotations import read_split
from soco.transfer.detect.datasets import register

FORMS = pytest.mark.parametrize("form", ["coco", "lvis"])


@FORMS
def test_a_detector_is_trained_and_scored(form, finetuning, evaluation, datasets):
    tuned = {"repeat_threshold": 0.1 if form == "lvis" else 0.0}
    finetune(finetuning(tuned, dataset=datasets[form]))
    job = evaluation(tuned, dataset=datasets[form])
    result = evaluate(job)

    assert json.loads(job.metrics.read_text()) == result
    assert (result["task"], result["dataset"], result["format"]) == ("tiny", "tiny", form)
    assert (result["initialisation"], result["seed"]) == ("scratch", 1)
    protocol = result["protocol"]
    assert (protocol["norm"], protocol["head"]) == ("SyncBN over 1 process", "2 conv + 1 fc")
    assert (protocol["iterations"], protocol["batch_size"]) == (2, 2)
    assert (protocol["detectron2"], protocol["seed"]) == (detectron2.__version__, 1)
    assert protocol["weight_decay"] == 2.5e-5
    assert (result["images"], result["instances"]) == (6, 18)
    frequencies = {"APr", "APc", "APf"} if form == "lvis" else set()
    rows = result["per_category"]
    assert {name: row["instances"] for name, row in rows.items()} == dict.fromkeys(
        ("disc", "square", "triangle"), 6
    )
    for part in ("box", "mask"):
        assert set(result[part]) >= {"AP", "AP50", "AP75"} | frequencies
        assert 0 <= result[part]["AP"] <= 100
        assert result[part]["APl"] is None  # no object is that large
        assert result[part]["AP"] == pytest.approx(sum(row[part] for row in rows.values()) / 3)

    found = json.loads(job.detections.read_text())
    assert found
    assert {entry["category_id"] for entry in found} <= {2, 5, 9}
    assert set(found[0]) == {"image_id", "category_id", "bbox", "score", "segmentation"}


@FORMS
def test_a_detector_that_reports_nothing_has_ap_0_during_training_and_after(
    form, finetuning, evaluation, datasets, capsys
):
    tuned = {"score_threshold": 1.0, "evaluate_every": 1, "detections_per_image": 2}
    training = finetuning(tuned, dataset=datasets[form])
    finetune(training)
    zero = {"AP": 0.0, "AP50": 0.0, "AP75": 0.0}
    curve = json.loads((training.folder / "ap.jsonl").read_text())
    assert curve == {"iteration": 1, "box": zero, "mask": zero}
    printed = capsys.readouterr().out
    assert "After 1 iterations: box AP 0.00, mask AP 0.00." in printed
    assert "finetune.tiny.detections_per_image" in printed
    job = evaluation(tuned, dataset=datasets[form])
    result = evaluate(job)
    assert json.loads(job.detections.read_text()) == []
    assert (result["box"] | zero, result["mask"] | zero) == (result["box"], result["mask"])


class Oracle(torch.nn.Module):
    """Returns the annotated objects."""

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


class Scored:
    """Evaluates a model instead of a trained detector, on the tiny set or on given content."""

    def __init__(self, evaluation, datasets, folder, monkeypatch):
        self.evaluation, self.datasets, self.folder = evaluation, datasets, folder
        self.monkeypatch, self.protocol = monkeypatch, {"seed": 1}
        self.detections, self.annotations = folder / "evaluated/detections.json", None

    def __call__(self, form, model, content=None, **tuned):
        split = self.datasets[form].val
        if content is not None:
            (self.folder / "val.json").write_text(json.dumps(content))
            split = split.model_copy(update={"annotations": str(self.folder / "val.json")})
        self.annotations = Path(split.annotations)
        records = DatasetCatalog.get(register(read_split(split), form))
        module = sys.modules["soco.transfer.detect.evaluate"]  # the function hides the module
        self.monkeypatch.setattr(module, "_load", lambda cfg, weights: model(records).eval())
        job = self.evaluation(tuned, dataset=self.datasets[form].model_copy(update={"val": split}))
        job.trained.mkdir(exist_ok=True)
        (job.trained / "training.json").write_text(json.dumps(self.protocol))
        return evaluate(job)

    def apart(self, result, form, limit, tolerance):
        """Which metrics differ when the audit scores the detections again."""
        again = rescore(self.detections, self.annotations, form, limit)
        return differing_metrics(result, again, tolerance)


@pytest.fixture
def scored(evaluation, datasets, tmp_path, monkeypatch):
    return Scored(evaluation, datasets, tmp_path, monkeypatch)


@FORMS
def test_perfect_detections_score_100(form, scored):
    """Scores are in percent, ids with gaps are mapped back, and LVIS uses the file's categories."""
    result = scored(form, Oracle)
    assert result["box"]["AP"] == pytest.approx(100)
    assert result["mask"]["AP"] > 90
    rows = result["per_category"].values()
    assert [row["box"] for row in rows] == pytest.approx([100] * 3)
    if form == "lvis":
        assert [row["frequency"] for row in rows] == ["f", "c", "r"]
        assert [result["box"][name] for name in ("APr", "APc", "APf")] == pytest.approx([100] * 3)


def crowded(datasets, form, count):
    """The tiny set with only `count` squares of 3 pixels on each image."""
    content = json.loads(Path(datasets[form].val.annotations).read_text())
    places = [(place % 12 * 5 + 1, place // 12 * 4) for place in range(count)]
    corners = [(image["id"], x, y, x + 3, y + 3) for image in content["images"] for x, y in places]
    content["annotations"] = [
        {
            "id": number,
            "image_id": image,
            "category_id": 5,
            "bbox": [x, y, 3, 3],
            "area": 9,
            "iscrowd": 0,
            "segmentation": [[x, y, right, y, right, low, x, low]],
        }
        for number, (image, x, y, right, low) in enumerate(corners, start=1)
    ]
    return content


@pytest.mark.parametrize(
    ("form", "count", "limit"), [("coco", 150, 200), ("lvis", 150, 200), ("coco", 8, 8)]
)
def test_ap_counts_as_many_detections_as_the_detector_may_report(
    form, count, limit, scored, datasets
):
    result = scored(form, Oracle, crowded(datasets, form, count), detections_per_image=limit)
    for part in ("box", "mask"):
        assert [result[part][name] for name in ("AP", "AP50", "AP75", "APs")] == pytest.approx(
            [100] * 4
        )
        assert result["per_category"]["square"][part] == pytest.approx(100)
    assert "over_limit" not in result
    assert scored.apart(result, form, limit, ROUNDING) == []


@pytest.mark.parametrize(
    ("form", "limit", "standard"), [("coco", 60, 100), ("lvis", 60, 300), ("coco", 6, 100)]
)
def test_objects_beyond_the_limit_are_not_counted_and_reported(
    form, limit, standard, scored, datasets, capsys
):
    """The model reports more than the limit, so that the evaluator has to cut."""
    content = crowded(datasets, form, 2 * limit)
    result = scored(form, Oracle, content, detections_per_image=limit)
    assert 45 < result["box"]["AP"] < 55
    assert result["over_limit"] == {"images": 6, "most": 2 * limit}
    printed = capsys.readouterr().out
    assert f"counts {standard}" in printed
    assert "finetune.tiny.detections_per_image" in printed
    assert scored.apart(result, form, limit, ROUNDING) == []


class Blind(torch.nn.Module):
    """Detects nothing."""

    def __init__(self, records):
        super().__init__()

    def forward(self, batch):
        return [{"instances": self.answer(entry["height"], entry["width"])} for entry in batch]

    def answer(self, height, width):
        return Instances(
            (height, width),
            pred_boxes=Boxes(torch.zeros(0, 4)),
            scores=torch.zeros(0),
            pred_classes=torch.zeros(0, dtype=torch.long),
            pred_masks=torch.zeros(0, height, width, dtype=torch.bool),
        )


@FORMS
def test_nothing_detected_scores_0_where_there_are_objects(form, scored, datasets):
    content = json.loads(Path(datasets[form].val.annotations).read_text())
    content["annotations"] = [
        entry for entry in content["annotations"] if entry["category_id"] != 9
    ]
    result = scored(form, Blind, content, detections_per_image=100)
    assert json.loads(scored.detections.read_text()) == []
    frequencies = {"APf": 0.0, "APc": 0.0, "APr": None} if form == "lvis" else {}
    sizes = {"APs": 0.0, "APm": None, "APl": None}  # all objects are small
    expected = {"AP": 0.0, "AP50": 0.0, "AP75": 0.0} | sizes | frequencies
    assert (result["box"], result["mask"]) == (expected, expected)
    categories = {name: (row["box"], row["mask"]) for name, row in result["per_category"].items()}
    assert categories == {"disc": (0.0, 0.0), "square": (0.0, 0.0), "triangle": (None, None)}
    assert scored.apart(result, form, 100, 0.0) == []


@FORMS
def test_a_split_without_objects_has_no_ap(form, scored, datasets):
    content = json.loads(Path(datasets[form].val.annotations).read_text()) | {"annotations": []}
    result = scored(form, Blind, content, detections_per_image=100)
    assert set(result["box"].values()) == set(result["mask"].values()) == {None}
    assert {row["box"] for row in result["per_category"].values()} == {None}
    assert scored.apart(result, form, 100, 0.0) == []


def test_a_single_category_and_two_of_the_same_name_have_their_own_ap(scored, settings, datasets):
    content = json.loads(Path(datasets["coco"].val.annotations).read_text())
    scored.protocol = {"changed": {"iterations": 5, "score_threshold": 0.5}}

    def without_triangles(records):
        for record in records:
            record["annotations"] = [
                entry for entry in record["annotations"] if entry["category_id"] < 2
            ]
        return Oracle(records)

    def on(kept, names, model, **tuned):
        categories = [{"id": key, "name": name} for key, name in zip(kept, names, strict=True)]
        entries = [entry for entry in content["annotations"] if entry["category_id"] in kept]
        changed = content | {"categories": categories, "annotations": entries}
        return scored("coco", model, changed, **tuned)

    names = ("disc", "form", "form")
    tuned = {"protocol": "coco_fpn_1x", "score_threshold": 0.2}
    two = on((2, 5, 9), names, without_triangles, **tuned)
    rows = two["per_category"]
    assert [row["box"] for row in rows.values()] == pytest.approx([100, 100, 0])
    assert [*rows] == ["disc", "form (5)", "form (9)"]
    assert scored.apart(two, "coco", settings.detections_per_image, ROUNDING) == []
    # The threshold of the evaluation, and not the training's.
    assert two["protocol"]["changed"]["score_threshold"] == 0.2
    assert two["protocol"]["changed"]["iterations"] == 5
    assert on((2,), ("disc",), Oracle)["per_category"]["disc"]["box"] == pytest.approx(100)


def test_weights_of_another_detector_are_refused(evaluation):
    job = evaluation()
    with refused("detect.trained_weights_not_found", path=job.trained / "weights.pth"):
        evaluate(job)
    job.trained.mkdir()
    torch.save({"model": {"odd": torch.ones(1)}}, job.trained / "weights.pth")
    with refused("detect.weights_do_not_fit", path=job.trained / "weights.pth"):
        evaluate(job)
