import json

import numpy as np
import pytest
from user_errors import refused

from soco.config import FilterConfig, ProposalsConfig, QualityConfig, SplitConfig
from soco.proposals import selective_search
from soco.proposals.boxes import rects_to_boxes
from soco.proposals.filters import proposals_of
from soco.proposals.quality import RecallJob, measure_recall
from soco.proposals.quality.annotated import annotated_images

NAMES = ("astronaut_half", "chelsea_half", "coffee_half")
ONLY_SOCO = QualityConfig(engines=("soco",))


@pytest.fixture
def dataset(repository, tmp_path):
    """Annotate the repository's photographs with boxes, by photograph; returns the split."""

    def write(boxes, **fields):
        images = [{"id": n, "file_name": f"{name}.png"} for n, name in enumerate(NAMES)]
        entries = [
            {
                "id": 1,
                "image_id": NAMES.index(name),
                "category_id": 1,
                "bbox": [float(value) for value in box],
            }
            for name, of_image in boxes.items()
            for box in of_image
        ]
        content = {
            "images": images,
            "annotations": entries,
            "categories": [{"id": 1, "name": "thing"}],
            **fields,
        }
        (tmp_path / "made.json").write_text(json.dumps(content))
        return SplitConfig(
            images=str(repository / "tests/golden/images"), annotations=str(tmp_path / "made.json")
        )

    return write


@pytest.fixture
def measure(tmp_path):
    def run(split, quality=ONLY_SOCO, filters=None):
        filters, output = filters or FilterConfig(), tmp_path / "out.json"
        return measure_recall(RecallJob(split, quality, ProposalsConfig(), filters, 1, output))

    return run


def as_objects(rects):
    """COCO boxes of exactly the area that `rects_to_boxes` gives the rects."""
    boxes = rects_to_boxes(rects)
    return np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])


def searched(photograph, name):
    rgb = photograph(name)
    regions = selective_search(rgb)[:, :4]
    return regions, proposals_of(regions, (rgb.shape[1], rgb.shape[0]), FilterConfig())[1]


def test_an_object_that_is_a_proposal_is_found_by_all_boxes(dataset, measure, photograph):
    regions, kept = searched(photograph, "coffee_half")
    entry = measure(dataset({"coffee_half": as_objects(kept[:1])}))["engines"][0]
    for kind, boxes in (("proposals", kept), ("regions", regions)):
        assert entry[kind]["boxes"] == len(boxes)
        assert [
            entry[kind][name]["all"] for name in ("recall_50", "recall_70", "abo")
        ] == pytest.approx([1, 1, 1])
        assert 0 < entry[kind]["recall_70"]["drawn"][0] < 1


def test_one_drawn_box_finds_by_the_share_of_hits(dataset, measure, photograph):
    kept = searched(photograph, "chelsea_half")[1]
    boxes = rects_to_boxes(kept).astype(float)
    target = boxes[0]
    common = [
        max(0, min(box[2], target[2]) - max(box[0], target[0]))
        * max(0, min(box[3], target[3]) - max(box[1], target[1]))
        for box in boxes
    ]
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in boxes]
    shares = np.array([c / (a + area[0] - c) for c, a in zip(common, area, strict=True)])
    measured = measure(dataset({"chelsea_half": as_objects(kept[:1])}))["engines"][0]["proposals"]
    assert measured["recall_50"]["drawn"][0] == pytest.approx((shares >= 0.5).mean())
    assert measured["abo"]["drawn"][0] == pytest.approx(shares.mean())


def test_results_are_means_over_objects(dataset, measure, photograph):
    kept = searched(photograph, "coffee_half")[1]
    nowhere = [[5000.0, 5000.0, 60.0, 60.0]] * 3
    measured = measure(dataset({"coffee_half": as_objects(kept[:1]), "astronaut_half": nowhere}))
    assert (measured["images"], measured["objects"]) == (2, 4)
    assert measured["engines"][0]["proposals"]["recall_50"]["all"] == pytest.approx(0.25)
    assert measured["engines"][0]["proposals"]["abo"]["all"] == pytest.approx(0.25)


def test_every_engine_is_measured_in_order(dataset, measure):
    engines = ("opencv_single", "soco", "opencv_fast")
    measured = measure(dataset({"coffee_half": [[20, 20, 80, 60]]}), QualityConfig(engines=engines))
    assert tuple(entry["engine"] for entry in measured["engines"]) == engines
    assert len({entry["regions"]["boxes"] for entry in measured["engines"]}) == 3
    assert all(entry["seconds"] > 0 for entry in measured["engines"])


def test_an_image_without_proposals_has_the_whole_image_as_its_box(dataset, measure, photograph):
    height, width = photograph("coffee_half").shape[:2]
    split = dataset({"coffee_half": [[0, 0, width - 1, height - 1]]})
    measured = measure(split, filters=FilterConfig(min_side=5000))["engines"][0]["proposals"]
    assert measured["boxes"] == 0 and measured["abo"]["drawn"][0] == pytest.approx(1)


def test_at_most_the_configured_number_of_images_is_searched(dataset, measure):
    split = dataset({name: [[10, 10, 50, 50]] for name in NAMES})
    assert measure(split, QualityConfig(engines=("opencv_single",), images=2))["objects"] == 2


def test_crowds_and_boxes_without_area_are_not_objects(dataset):
    boxes = (
        {"iscrowd": 1, "bbox": [0, 0, 9, 9]},
        {"bbox": [0, 0, 0, 9]},
        {"iscrowd": 0, "bbox": [1, 2, 3, 4]},
    )
    entries = [{"id": n, "image_id": 2, "category_id": 1, **entry} for n, entry in enumerate(boxes)]
    split = dataset({}, annotations=entries)
    (image,) = annotated_images(split)
    assert image.path.name == "coffee_half.png" and image.objects.tolist() == [[1, 2, 4, 6]]


def test_lvis_images_are_found_by_their_url(dataset, repository):
    images = [{"id": 0, "coco_url": "http://images.example.org/golden/images/coffee_half.png"}]
    split = dataset({"astronaut_half": [[0, 0, 50, 50]]}, images=images)
    split = split.model_copy(update={"images": str(repository / "tests/golden")})
    assert annotated_images(split)[0].path.is_file()


def test_unreadable_images_are_counted_and_others_still_measured(dataset, measure):
    images = [{"id": 0, "file_name": "gone.png"}, {"id": 1, "file_name": "coffee_half.png"}]
    boxes = {name: [[10, 10, 50, 50]] for name in NAMES[:2]}
    measured = measure(dataset(boxes, images=images), QualityConfig(engines=("opencv_single",)))
    assert (measured["images"], measured["unreadable"], measured["objects"]) == (1, 1, 1)
    with refused("quality.no_readable_image", count=1, reason="the file is missing"):
        measure(dataset({NAMES[0]: [[10, 10, 50, 50]]}, images=images[:1]))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[1, 2]", "quality.invalid_annotations"),
        ("{", "quality.invalid_annotations"),
        ('{"images": [], "annotations": []}', "quality.no_objects"),
    ],
)
def test_invalid_annotations_are_refused(dataset, tmp_path, text, code):
    split = dataset({})
    (tmp_path / "made.json").write_text(text)
    with refused(code, path=tmp_path / "made.json"):
        annotated_images(split)


def test_the_same_search_gives_the_same_results(dataset, measure):
    split = dataset({name: [[10, 10, 50, 50], [30, 20, 90, 60]] for name in NAMES})
    first, again = measure(split), measure(split)
    for measured in (first, again):
        del measured["engines"][0]["seconds"]
    assert first == again
