import pytest
import yaml

from soco.config import Config, check_config, load_config
from soco.config.schema import Section
from soco.errors import UserError


@pytest.fixture
def demo(repository):
    return yaml.safe_load((repository / "config.yaml").read_text())


def test_the_demo_is_accepted(repository):
    config = load_config(repository / "config.yaml")
    assert config.finetune["shapes_lvis"].repeat_threshold > 0
    assert [view.size for view in config.pretrain["soco"].views] == [128, 128, 64]


@pytest.mark.parametrize(
    ("place", "key", "known"),
    [
        ((), "sead", "seed"),
        (("filter",), "stratgy", "strategy"),
        (("demo",), "image", "images"),
        (("pretrain", "soco"), "epoch", "epochs"),
        (("pretrain", "soco", "views", 1), "sise", "size"),
        (("datasets", "shapes_coco", "val"), "annotation", "annotations"),
        (("finetune", "shapes_coco"), "iteration", "iterations"),
    ],
)
def test_an_unknown_key_is_refused_and_the_nearest_named(demo, place, key, known):
    section = demo
    for part in place:
        section = section[part]
    section[key] = 1
    with pytest.raises(
        UserError, match=rf"no key '{'.'.join(map(str, (*place, key)))}'; did you mean '{known}'\?"
    ):
        check_config(demo)


@pytest.mark.parametrize(
    ("place", "key", "now"),
    [
        ((), "pictures", "images"),
        (("demo",), "pictures", "demo.images"),
        (("demo",), "picture_side", "demo.image_side"),
        (("quality",), "pictures", "quality.images"),
    ],
)
def test_a_key_of_an_earlier_version_is_refused_with_its_name_today(demo, place, key, now):
    section = demo
    for part in place:
        section = section[part]
    section[key] = 1
    with pytest.raises(
        UserError, match=rf"the key '{'.'.join((*place, key))}' is now called '{now}'\."
    ):
        check_config(demo)


def test_a_value_of_an_earlier_version_is_refused_with_its_name_today(demo):
    demo["images"]["watch"] = "pictures"
    with pytest.raises(UserError, match="it is now called 'images'"):
        check_config(demo)


def test_a_value_of_the_wrong_kind_is_refused_by_name(demo):
    demo["proposals"]["scale"] = "coarse"
    with pytest.raises(UserError, match=r"'proposals\.scale' is 'coarse'"):
        check_config(demo)


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        (("filter", "strategy"), "ratio3size38", r"'filter\.strategy' is 'ratio3size38'"),
        (("filter", "fallbacks"), ["ratio3", "nothing"], r"'filter\.fallbacks\.1' is 'nothing'"),
        (("filter", "strategy"), {"ratio": 0.5}, r"'filter\.strategy\.ratio' is 0\.5"),
        (
            ("filter", "strategy"),
            {"ration": 2},
            r"no key 'filter\.strategy\.ration'; did you mean 'ratio'",
        ),
        (
            ("filter", "fallbacks"),
            [{"low": 0.8, "high": 0.3}],
            "needs low <= high, and has 0.8 and 0.3",
        ),
        (("proposals", "engine"), "imported", r"name the file of boxes in proposals\.file"),
        (("proposals", "file"), "boxes.json", "engine is soco: set it to imported"),
        (("demo", "objects"), [3, 2], "at least 3 and at most 2"),
        (("pretrain", "soco", "level_bounds"), [1, 5, 3, 9], "level_bounds must rise"),
        (("pretrain", "soco", "warmup_epochs"), 6, "leave some to train in"),
        (
            ("pretrain", "soco"),
            {"compile": True, "recompute": True},
            "torch.compile cannot recompute: choose one",
        ),
        (("pretrain", "soco", "views"), [{"size": 64}], "at least two entries"),
        (("probes", "shapes", "crop"), 65, "crop is 65 and its short_side 64"),
        (("probes", "shapes", "base_lrs"), [], r"'probes\.shapes\.base_lrs' is \[\]"),
        (
            ("finetune", "shapes_coco", "anchor_sizes"),
            [8, 16],
            r"finetune\.shapes_coco\.anchor_sizes",
        ),
        (("finetune", "shapes_coco", "architecture"), "c4", "set it to resnet50 or resnet101"),
        (
            ("finetune", "shapes_coco", "steps"),
            [205, 175],
            r"steps \[205, 175\] must rise from above 0 to below iter",
        ),
        (("finetune", "shapes_coco", "iterations"), 180, "to below iterations, which is 180"),
        (
            ("finetune", "shapes_coco", "warmup_iterations"),
            220,
            "warmup_iterations is 220 of 220 iterations",
        ),
        (
            ("finetune", "shapes_coco", "processes"),
            3,
            "batch_size 8 does not divide over 3 processes",
        ),
        (("finetune", "shapes_coco", "seeds"), [1, 2, 1], r"seeds holds one twice: \[1, 2, 1\]"),
        (
            ("finetune", "shapes_coco", "protocol"),
            "coco_3x",
            "no protocol 'coco_3x'; the protocols are coco_fpn_1x",
        ),
        (
            ("finetune", "shapes_coco", "initialisations"),
            ["sooco"],
            "'sooco', neither scratch nor a key of pretrain or weights",
        ),
        (("weights", "soco"), {"path": "a.pth"}, "pretrain and weights both name 'soco'"),
        (("weights", "scratch"), {"path": "a.pth"}, "may not be named 'scratch'"),
        (("weights", "released"), {"file": "a.pth"}, r"no key 'weights\.released\.file'"),
    ],
)
def test_a_value_without_sense_is_refused_before_anything_runs(demo, place, value, sentence):
    *parents, key = place
    section = demo
    for part in parents:
        section = section[part]
    section[key] = value
    with pytest.raises(UserError, match=sentence):
        check_config(demo)


def test_a_filter_given_by_numbers_is_known_by_its_name(demo):
    demo["filter"] |= {
        "strategy": {"ratio": 3, "low": 0.3, "high": 0.8},
        "fallbacks": [{"low": 0.25}, {}],
    }
    dumped = check_config(demo).model_dump(mode="json")["filter"]
    assert dumped["strategy"] == "ratio3size0308"
    assert dumped["fallbacks"] == ["size0.25-", "none"]


def test_a_pretraining_may_not_be_named_scratch(demo):
    demo["pretrain"]["scratch"] = demo["pretrain"]["soco"]
    with pytest.raises(UserError, match="may not be named 'scratch'"):
        check_config(demo)


@pytest.mark.parametrize(("section", "name"), [("finetune", "shapes_coco"), ("probes", "shapes")])
def test_an_initialisation_that_nothing_makes_is_refused(demo, section, name):
    demo[section][name]["initialisations"] = ["scratch", "other"]
    with pytest.raises(UserError, match=rf"{section}\.{name}\.initialisations names 'other'"):
        check_config(demo)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (
            "recall",
            ["shapes_coco", "other"],
            "quality.recall names 'other', which datasets does not define",
        ),
        ("engines", ["soco", "opencv"], r"'quality\.engines\.1' is 'opencv'"),
        ("engines", [], r"'quality\.engines' is \[\]"),
        ("images", 0, r"'quality\.images' is 0"),
    ],
)
def test_a_measurement_that_cannot_be_made_is_refused(demo, key, value, sentence):
    demo["quality"][key] = value
    with pytest.raises(UserError, match=sentence):
        check_config(demo)


def test_an_entry_of_null_is_removed(demo):
    demo["finetune"]["shapes_lvis"] = demo["probes"]["shapes"] = None
    config = check_config(demo)
    assert list(config.finetune) == ["shapes_coco"]
    assert config.probes == {}


def test_an_overlay_changes_only_its_keys(repository, tmp_path):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("pretrain: {soco: {epochs: 3}}\n")
    plain, changed = (
        load_config(repository / "config.yaml"),
        load_config(repository / "config.yaml", overlay),
    )
    before, after = plain.pretrain["soco"], changed.pretrain["soco"]
    assert after.epochs == 3 != before.epochs
    assert after.model_copy(update={"epochs": before.epochs}) == before


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no configuration file .*absent\.yaml"):
        load_config(tmp_path / "absent.yaml")


def sections(model):
    yield model
    for part in Section.__subclasses__():
        if part is not model:
            yield part


def test_every_key_has_a_sentence():
    keys = [
        (section, name, field)
        for section in sections(Config)
        for name, field in section.model_fields.items()
    ]
    assert len(keys) > 60
    assert not [
        (section, name)
        for section, name, field in keys
        if not (field.description or "").endswith(".")
    ]


def test_the_demo_spells_every_key_of_the_schema(demo):
    config = check_config(demo).model_dump(mode="json")
    assert set(demo) == set(config)
    for name in ("demo", "images", "proposals", "filter", "quality", "detector"):
        assert set(demo[name]) == set(config[name]), name
    assert set(demo["pretrain"]["soco"]) == set(config["pretrain"]["soco"])
    assert set(demo["finetune"]["shapes_coco"]) == set(config["finetune"]["shapes_coco"])
    assert set(demo["probes"]["shapes"]) == set(config["probes"]["shapes"])


def test_overlays_are_laid_over_each_other_first_as_snakemake_does(repository, tmp_path):
    """What one overlay takes out and a later one names again has the keys of config.yaml once more."""
    (tmp_path / "first.yaml").write_text("finetune: {shapes_coco: null, shapes_lvis: null}")
    (tmp_path / "second.yaml").write_text("finetune: {shapes_coco: {weight_decay: 0.001}}")
    config = load_config(
        repository / "config.yaml", tmp_path / "first.yaml", tmp_path / "second.yaml"
    )
    assert [*config.finetune] == ["shapes_coco"]
    assert (
        config.finetune["shapes_coco"].iterations,
        config.finetune["shapes_coco"].weight_decay,
    ) == (220, 0.001)
