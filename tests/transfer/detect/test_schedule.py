import pytest

pytest.importorskip("detectron2")

from soco.config import FinetuneConfig
from soco.config.presets import PROTOCOLS, changed
from soco.transfer.detect.schedule import in_words, schedule_of

# The release's settings for detectron2, and those of section 4.1 of the paper.
COCO = {
    "batch_size": 16,
    "base_lr": 0.02,
    "iterations": 90_000,
    "steps": (60_000, 80_000),
    "weight_decay": 2.5e-5,
}
LVIS = {**COCO, "iterations": 180_000, "steps": (120_000, 160_000)}
PAPER = {
    "coco_fpn_1x": {
        **COCO,
        "architecture": "fpn",
        "detections_per_image": 100,
        "score_threshold": 0.05,
    },
    "coco_c4_1x": {**COCO, "architecture": "c4", "short_sides": (640, 672, 704, 736, 768, 800)},
    "lvis_fpn_1x": {
        **LVIS,
        "detections_per_image": 300,
        "score_threshold": 1e-4,
        "repeat_threshold": 0.001,
    },
}


def settings(**keys):
    return FinetuneConfig(dataset="any", initialisations=("scratch",), **keys)


@pytest.mark.parametrize("name", PAPER)
def test_the_protocols_are_the_papers(name):
    named = settings(protocol=name)
    assert {key: getattr(named, key) for key in PAPER[name]} == PAPER[name]


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if name.endswith("1x")])
def test_2x_is_twice_as_long_and_nothing_else(name):
    once, twice = PROTOCOLS[name], PROTOCOLS[name.replace("1x", "2x")]
    assert twice == once | {
        "iterations": 2 * once["iterations"],
        "steps": [2 * step for step in once["steps"]],
    }


def test_given_keys_override_the_protocol_and_are_listed():
    own = settings(protocol="coco_fpn_1x", iterations=2000, steps=[1800])
    assert (own.iterations, own.steps, own.base_lr) == (2000, (1800,), 0.02)
    assert changed(own.model_dump(mode="json")) == {"iterations": 2000, "steps": [1800]}
    assert changed(settings().model_dump(mode="json")) == {}


def test_an_unknown_protocol_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no protocol 'coco_1x'; did you mean 'coco_c4_1x'"):
        settings(protocol="coco_1x")


def test_a_quarter_of_the_batch_has_a_quarter_of_the_rate_and_four_times_the_iterations():
    run = schedule_of(settings(protocol="coco_fpn_1x", batch_size=4))
    assert (run.base_lr, run.iterations, run.steps) == (
        pytest.approx(0.005),
        360_000,
        (240_000, 320_000),
    )
    assert run.warmup_iterations == 4000


def test_the_reference_batch_changes_nothing():
    run = schedule_of(
        settings(
            batch_size=8,
            reference_batch=8,
            base_lr=0.08,
            iterations=220,
            steps=[175, 205],
            warmup_iterations=30,
        )
    )
    assert (run.base_lr, run.iterations, run.steps) == (0.08, 220, (175, 205))


def test_the_rule_is_described_in_words():
    described = in_words(settings(protocol="coco_fpn_1x", batch_size=4))
    assert "360000 iterations with a total batch of 4 images, learning rate 0.005" in described
    assert "divided by 10 at iterations 240000 and 320000" in described
    assert "multiplied by 0.25 and all numbers of iterations by 4." in described
    assert "linear scaling rule" not in in_words(settings())
