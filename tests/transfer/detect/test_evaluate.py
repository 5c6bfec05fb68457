import json
import sys
from pathlib import Path

import detectron2
import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog
from detectron2.structures import BitMasks, Boxes, Instances

from soco.errors import UserError
from soco.provenance.audit.detections import ROUNDING, figures_apart
from soco.provenance.audit.rescoring import rescore
from soco.transfer.detect import evaluate, finetune
from soco.transfer.detect.annotations import read_split
from soco.transfer.detect.datasets import register

EVALUATE = sys.modules[
    "soco.transfer.detect.evaluate"
]  # the package's function of this name hides it


@pytest.mark.parametrize("form", ["coco", "lvis"])
def test_a_detector_is_trained_and_scored(form, settings, detector, datasets, tmp_path):
    tuned = settings.model_copy(update={"repeat_threshold": 0.1 if form == "lvis" else 0.0})
    weights, training, metrics, detections = (
        tmp_path / name
        for name in ("weights.pth", "training.json", "metrics.json", "detections.json")
    )
    dataset, logs = (
        datasets[form],
        (tmp_path / name for name in ("loading.json", "history.jsonl", "ap.jsonl")),
    )
    finetune(
        form,
        tuned,
        detector,
        dataset,
        None,
        weights,
        *logs,
        training,
        tmp_path / "checkpoints",
        seed=1,
    )
    result = evaluate(
        form, "scratch", tuned, detector, dataset, weights, training, metrics, detections, seed=1
    )

    assert json.loads(metrics.read_text()) == result
    assert (result["task"], result["dataset"], result["format"]) == (form, "tiny", form)
    assert (result["initialisation"], result["seed"]) == ("scratch", 1)
    protocol = result["protocol"]
    assert (protocol["norm"], protocol["head"]) == ("SyncBN over 1 process", "2 conv + 1 fc")
    assert (protocol["iterations"], protocol["batch_size"], protocol["weight_decay"]) == (
        2,
        2,
        2.5e-5,
    )
    assert (protocol["detectron2"], protocol["seed"]) == (detectron2.__version__, 1)
    assert (result["images"], result["instances"]) == (6, 18)
    for kind in ("box", "mask"):
        assert set(result[kind]) >= {"AP", "AP50", "AP75"} | (
            {"APr", "APc", "APf"} if form == "lvis" else set()
        )
        assert 0 <= result[kind]["AP"] <= 100
        assert result[kind]["APl"] is None  # no object is that large
    assert {
        name: told["instances"] for name, told in result["per_category"].items()
    } == dict.fromkeys(("disc", "square", "triangle"), 6)
    for part in ("box", "mask"):
        of_each = [told[part] for told in result["per_category"].values()]
        assert result[part]["AP"] == pytest.approx(sum(of_each) / 3)

    found = json.loads(detections.read_text())
    assert found
    assert {entry["category_id"] for entry in found} <= {2, 5, 9}
    assert set(found[0]) == {"image_id", "category_id", "bbox", "score", "segmentation"}


@pytest.mark.parametrize("form", ["coco", "lvis"])
def test_a_detector_that_reports_nothing_has_ap_0_while_it_trains_and_after(
    form, settings, detector, datasets, tmp_path, capsys
):
    tuned = settings.model_copy(
        update={"score_threshold": 1.0, "evaluate_every": 1, "detections_per_image": 2}
    )
    weights, training, metrics, detections, loading, history, curve = (
        tmp_path / name
        for name in ("w.pth", "t.json", "m.json", "d.json", "l.json", "h.jsonl", "ap.jsonl")
    )
    files = weights, loading, history, curve, training, tmp_path / "checkpoints"
    finetune("own", tuned, detector, datasets[form], None, *files, seed=1)
    zero = {"AP": 0.0, "AP50": 0.0, "AP75": 0.0}
    assert json.loads(curve.read_text()) == {"iteration": 1, "box": zero, "mask": zero}
    printed = capsys.readouterr().out
    assert "After 1 iterations: box AP 0.00, mask AP 0.00." in printed
    assert (
        "6 of 6 validation images have more than 2 objects, up to 3, so AP cannot reach 100; raise "
        "finetune.own.detections_per_image to report them all."
    ) in printed
    result = evaluate(
        "own",
        "scratch",
        tuned,
        detector,
        datasets[form],
        weights,
        training,
        metrics,
        detections,
        seed=1,
    )
    assert json.loads(detections.read_text()) == []
    assert (result["box"] | zero, result["mask"] | zero) == (result["box"], result["mask"])


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
def test_perfect_detections_score_a_hundred(
    form, settings, detector, datasets, tmp_path, monkeypatch
):
    """Scores are in percent, ids with gaps are mapped back, and LVIS is scored on the file's own categories."""
    records = DatasetCatalog.get(register(read_split(datasets[form].val), form))
    monkeypatch.setattr(
        sys.modules["soco.transfer.detect.evaluate"],
        "_load",
        lambda cfg, weights: Oracle(records).eval(),
    )
    (tmp_path / "training.json").write_text('{"seed": 1}')
    places = [tmp_path / name for name in ("training.json", "metrics.json", "detections.json")]
    result = evaluate(
        form, "scratch", settings, detector, datasets[form], tmp_path, *places, seed=1
    )
    assert result["box"]["AP"] == pytest.approx(100)
    assert result["mask"]["AP"] > 90
    assert [told["box"] for told in result["per_category"].values()] == pytest.approx([100] * 3)
    if form == "lvis":
        assert [told["frequency"] for told in result["per_category"].values()] == ["f", "c", "r"]
        assert [result["box"][name] for name in ("APr", "APc", "APf")] == pytest.approx([100] * 3)


@pytest.fixture
def scored(settings, detector, datasets, tmp_path, monkeypatch):
    """Evaluate a model in the place of a trained detector, on the tiny set or one whose content is given."""

    def evaluated(form, model, limit, content=None):
        split = datasets[form].val
        if content is not None:
            (tmp_path / "val.json").write_text(json.dumps(content))
            split = split.model_copy(update={"annotations": str(tmp_path / "val.json")})
        dataset = datasets[form].model_copy(update={"val": split})
        records = DatasetCatalog.get(register(read_split(split), form))
        monkeypatch.setattr(
            sys.modules["soco.transfer.detect.evaluate"],
            "_load",
            lambda cfg, weights: model(records).eval(),
        )
        (tmp_path / "training.json").write_text('{"seed": 1}')
        places = [tmp_path / name for name in ("training.json", "metrics.json", "detections.json")]
        protocol = settings.model_copy(update={"detections_per_image": limit})
        return evaluate("own", "scratch", protocol, detector, dataset, tmp_path, *places, seed=1)

    return evaluated


def crowded(datasets, form, count):
    """The tiny set with so many squares of 3 pixels on each image, and no other object."""
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
    form, count, limit, scored, datasets, tmp_path
):
    result = scored(form, Oracle, limit, crowded(datasets, form, count))
    for part in ("box", "mask"):
        assert [result[part][name] for name in ("AP", "AP50", "AP75", "APs")] == pytest.approx(
            [100] * 4
        )
        assert result["per_category"]["square"][part] == pytest.approx(100)
    assert "over_limit" not in result
    again = rescore(tmp_path / "detections.json", tmp_path / "val.json", form, limit)
    assert figures_apart(result, again, ROUNDING) == []


@pytest.mark.parametrize(
    ("form", "limit", "standard"), [("coco", 60, 100), ("lvis", 60, 300), ("coco", 6, 100)]
)
def test_objects_beyond_the_limit_are_not_counted_and_said(
    form, limit, standard, scored, datasets, tmp_path, capsys
):
    """The model reports more than it may, so that it is the evaluator that cuts."""
    result = scored(form, Oracle, limit, crowded(datasets, form, 2 * limit))
    assert 45 < result["box"]["AP"] < 55
    assert result["over_limit"] == {"images": 6, "most": 2 * limit}
    printed = capsys.readouterr().out
    assert (
        f"AP counts at most {limit} detections an image (`detections_per_image`), where"
        f" {form.upper()}'s own evaluation counts {standard}." in printed
    )
    assert (
        f"6 of 6 validation images have more than {limit} objects, up to {2 * limit}, so AP cannot"
        " reach 100; raise finetune.own.detections_per_image to report them all." in printed
    )
    again = rescore(tmp_path / "detections.json", tmp_path / "val.json", form, limit)
    assert figures_apart(result, again, ROUNDING) == []


class Blind(torch.nn.Module):
    """Finds nothing."""

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


@pytest.mark.parametrize("form", ["coco", "lvis"])
def test_nothing_detected_scores_0_where_there_are_objects(form, scored, datasets, tmp_path):
    content = json.loads(Path(datasets[form].val.annotations).read_text())
    content["annotations"] = [
        entry for entry in content["annotations"] if entry["category_id"] != 9
    ]
    result = scored(form, Blind, 100, content)
    assert json.loads((tmp_path / "detections.json").read_text()) == []
    frequencies = {"APf": 0.0, "APc": 0.0, "APr": None} if form == "lvis" else {}
    sizes = {"APs": 0.0, "APm": None, "APl": None}  # all objects are small
    expected = {"AP": 0.0, "AP50": 0.0, "AP75": 0.0} | sizes | frequencies
    assert (result["box"], result["mask"]) == (expected, expected)
    categories = {
        name: (told["box"], told["mask"]) for name, told in result["per_category"].items()
    }
    assert categories == {"disc": (0.0, 0.0), "square": (0.0, 0.0), "triangle": (None, None)}
    again = rescore(tmp_path / "detections.json", tmp_path / "val.json", form, 100)
    assert figures_apart(result, again, 0.0) == []


@pytest.mark.parametrize("form", ["coco", "lvis"])
def test_a_half_without_objects_has_no_ap(form, scored, datasets, tmp_path):
    content = json.loads(Path(datasets[form].val.annotations).read_text()) | {"annotations": []}
    result = scored(form, Blind, 100, content)
    assert set(result["box"].values()) == set(result["mask"].values()) == {None}
    assert {told["box"] for told in result["per_category"].values()} == {None}
    again = rescore(tmp_path / "detections.json", tmp_path / "val.json", form, 100)
    assert figures_apart(result, again, 0.0) == []


def test_a_category_alone_and_two_of_one_name_have_their_own_ap(
    settings, detector, datasets, tmp_path, monkeypatch
):
    content = json.loads(Path(datasets["coco"].val.annotations).read_text())
    records = DatasetCatalog.get(register(read_split(datasets["coco"].val), "coco"))
    for record in records:  # triangles are not found
        record["annotations"] = [
            entry for entry in record["annotations"] if entry["category_id"] < 2
        ]
    monkeypatch.setattr(
        sys.modules["soco.transfer.detect.evaluate"],
        "_load",
        lambda cfg, weights: Oracle(records).eval(),
    )
    (tmp_path / "training.json").write_text(
        '{"changed": {"iterations": 5, "score_threshold": 0.5}}'
    )
    places = [tmp_path / name for name in ("training.json", "metrics.json", "detections.json")]

    def scored(kept, names, **keys):
        categories = [{"id": key, "name": name} for key, name in zip(kept, names, strict=True)]
        entries = [entry for entry in content["annotations"] if entry["category_id"] in kept]
        (tmp_path / "val.json").write_text(
            json.dumps(content | {"categories": categories, "annotations": entries})
        )
        val = datasets["coco"].val.model_copy(update={"annotations": str(tmp_path / "val.json")})
        dataset = datasets["coco"].model_copy(update={"val": val})
        protocol = settings.model_copy(update=keys)
        return evaluate("t", "scratch", protocol, detector, dataset, tmp_path, *places, seed=1)

    two = scored((2, 5, 9), ("disc", "form", "form"), protocol="coco_fpn_1x", score_threshold=0.2)
    assert [told["box"] for told in two["per_category"].values()] == pytest.approx([100, 100, 0])
    assert [*two["per_category"]] == ["disc", "form (5)", "form (9)"]
    again = rescore(
        tmp_path / "detections.json", tmp_path / "val.json", "coco", settings.detections_per_image
    )
    assert figures_apart(two, again, ROUNDING) == []
    assert (
        two["protocol"]["changed"]["score_threshold"] == 0.2
    )  # what it is scored with, and not what was trained with
    assert two["protocol"]["changed"]["iterations"] == 5
    for record in records:
        record["annotations"] = record["annotations"][:1]
    assert scored((2,), ("disc",))["per_category"]["disc"]["box"] == pytest.approx(100)


def test_weights_of_another_detector_are_refused(settings, detector, datasets, tmp_path):
    torch.save({"model": {"odd": torch.ones(1)}}, tmp_path / "weights.pth")
    places = [tmp_path / name for name in ("training.json", "metrics.json", "detections.json")]
    with pytest.raises(UserError, match=r"weights\.pth does not fit the configured detector"):
        evaluate(
            "t",
            "scratch",
            settings,
            detector,
            datasets["coco"],
            tmp_path / "weights.pth",
            *places,
            seed=1,
        )
    with pytest.raises(UserError, match=r"no weights at .*absent\.pth"):
        evaluate(
            "t",
            "scratch",
            settings,
            detector,
            datasets["coco"],
            tmp_path / "absent.pth",
            *places,
            seed=1,
        )
