import pytest
from user_errors import refused

from soco.config import Config, check_config, load_config
from soco.config.load import check_files, default_file
from soco.config.presets import RECIPES
from soco.config.schema import Section

TASK = ("finetune", "shapes_coco")
RUN = ("pretrain", "soco")


def set_at(config, place, value):
    *parents, key = place
    for part in parents:
        config = config[part]
    config[key] = value


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_whole_views_need_a_level_for_the_largest(demo, config_refused):
    demo["pretrain"]["soco"]["boxes"] = "whole"
    assert check_config(demo).pretrain["soco"].boxes == "whole"
    demo["pretrain"]["soco"]["level_bounds"] = [21, 42, 84, 95]
    with config_refused("whole_without_level", "pretrain.soco", "96 pixels"):
        check_config(demo)
    demo["pretrain"]["soco"]["architecture"] = "c4"
    assert check_config(demo).pretrain["soco"].boxes == "whole"


def beginning_with(demo, **names):
    """The demo with pretrainings that begin with weights of these names."""
    soco = demo["pretrain"].pop("soco")
    demo["finetune"], demo["probes"], demo["weights"] = {}, {}, {"supervised": {"path": "r.pth"}}
    demo["pretrain"] = {run: {**soco, "initial_weights": name} for run, name in names.items()}
    return demo


def test_a_pretraining_may_begin_with_a_file_or_with_another_pretraining(demo):
    config = check_config(beginning_with(demo, c="b", b="a", a="supervised", d="a", e=None))
    assert config.pretrain["c"].initial_weights == "b"


def test_unknown_initial_weights_are_refused_and_the_nearest_named(demo, config_refused):
    with config_refused("unknown_initial_weights", None, "did you mean 'supervised'?"):
        check_config(beginning_with(demo, a="superwised"))
    alone = beginning_with({**demo, "pretrain": {"soco": {}}}, a="other") | {"weights": {}}
    with config_refused("unknown_initial_weights", None, "known are none"):
        check_config(alone)


@pytest.mark.parametrize(
    ("names", "circle"),
    [({"a": "a"}, "a to a"), ({"a": "b", "b": "c", "c": "a", "d": "a"}, "a to b to c to a")],
)
def test_pretrainings_that_begin_with_each_other_are_refused(demo, config_refused, names, circle):
    # A circle has no beginning: compare it from each of its names.
    with config_refused("initial_weights_in_a_circle") as caught:
        check_config(beginning_with(demo, **names))
    (fault,) = caught.value.values["faults"]
    found = fault.sentence.split("leads from ")[1].split(":")[0].split(" to ")[:-1]
    expected = circle.split(" to ")[:-1]
    assert found in [expected[n:] + expected[:n] for n in range(len(expected))]


def test_the_demo_is_accepted(repository):
    config = load_config(repository / "config.yaml")
    assert config.finetune["shapes_lvis"].repeat_threshold > 0
    assert [view.size for view in config.pretrain["soco"].views] == [96, 96, 48]


def test_without_a_file_the_demo_of_the_clone_is_read(repository, folder):
    assert default_file(repository) == repository / "config.yaml"
    assert load_config() == load_config(repository / "config.yaml")


def test_a_folder_with_a_configuration_reads_only_its_own(repository, folder):
    own = folder / "config.yaml"
    own.write_text("images: {path: train}\n")
    assert default_file(repository) == own
    assert load_config() == check_config({"images": {"path": "train"}})
    assert load_config().demo is None


def test_a_link_to_nothing_is_not_skipped(repository, folder):
    (folder / "config.yaml").symlink_to(folder / "absent.yaml")
    with refused("config.file_not_found", path=folder / "config.yaml"):
        load_config()


def test_the_files_that_snakemake_reads_are_read_strictly(folder):
    (folder / "twice.yaml").write_text("seed: 1\nseed: 2\n")
    with refused("config.key_twice", key="seed", lines="lines 1 and 2"):
        check_files([folder / "twice.yaml"], None)
    with refused("config.entry_twice", key="seed"):
        check_files([], ["seed=1", "seed=2"])


@pytest.mark.parametrize(
    ("place", "key", "known"),
    [
        ((), "sead", "seed"),
        (("filter",), "stratgy", "strategy"),
        (("demo",), "image", "images"),
        (RUN, "epoch", "epochs"),
        ((*RUN, "views", 1), "sise", "size"),
        (("datasets", "shapes_coco", "val"), "annotation", "annotations"),
        (TASK, "iteration", "iterations"),
    ],
)
def test_an_unknown_key_is_refused_and_the_nearest_named(demo, config_refused, place, key, known):
    set_at(demo, (*place, key), 1)
    name = ".".join(map(str, (*place, key)))
    with config_refused("extra_forbidden", name, f"did you mean '{known}'?"):
        check_config(demo)


@pytest.mark.parametrize(
    ("place", "now"),
    [
        (("pictures",), "images"),
        (("demo", "pictures"), "demo.images"),
        (("quality", "pictures"), "quality.images"),
    ],
)
def test_a_key_of_an_earlier_version_is_refused_with_its_new_name(demo, config_refused, place, now):
    set_at(demo, place, 1)
    with config_refused("extra_forbidden", ".".join(place), f"is now called '{now}'"):
        check_config(demo)


def test_a_value_of_an_earlier_version_is_refused_with_its_new_name(demo, config_refused):
    demo["images"]["watch"] = "pictures"
    with config_refused("literal_error", "images.watch", "now called 'images'"):
        check_config(demo)


@pytest.mark.parametrize(
    ("place", "value", "code", "key"),
    [
        (("proposals", "scale"), "coarse", "float_parsing", "proposals.scale"),
        (("filter", "strategy"), "ratio3size38", "strategy", "filter.strategy"),
        (("filter", "fallbacks"), ["ratio3", "nothing"], "strategy", "filter.fallbacks.1"),
        (("filter", "strategy"), {"ratio": 0.5}, "greater_than_equal", "filter.strategy.ratio"),
        (("filter", "strategy"), {"ration": 2}, "extra_forbidden", "filter.strategy.ration"),
        (
            ("filter", "fallbacks"),
            [{"low": 0.8, "high": 0.3}],
            "low_above_high",
            "filter.fallbacks.0",
        ),
        (("proposals", "engine"), "imported", "import_without_file", "proposals"),
        (("proposals", "file"), "boxes.json", "file_without_import", "proposals"),
        (("images", "names"), "names.txt", "names_without_zip", "images"),
        (("demo", "objects"), [3, 2], "demo_objects_fall", "demo"),
        ((*RUN, "recipe"), "soco_fpn_200", "unknown_preset", "pretrain.soco"),
        ((*RUN, "level_bounds"), [1, 5, 3, 9], "level_bounds_fall", "pretrain.soco"),
        ((*RUN, "nodes"), 2, "uneven_nodes", "pretrain.soco"),
        (RUN, {"compile": True, "recompute": True}, "compile_with_recompute", "pretrain.soco"),
        ((*RUN, "views"), [{"size": 64}], "too_few_views", "pretrain.soco"),
        ((*RUN, "views", 0, "crop"), "a", "first_view_is_a_crop", "pretrain.soco"),
        (("probes", "shapes", "crop"), 65, "crop_above_side", "probes.shapes"),
        (("probes", "shapes", "base_lrs"), [], "too_short", "probes.shapes.base_lrs"),
        ((*TASK, "anchor_sizes"), [8, 16], "missing", "finetune.shapes_coco.anchor_sizes.2"),
        ((*TASK, "architecture"), "c4", "c4_without_bottlenecks", ""),
        ((*TASK, "steps"), [205, 175], "steps_do_not_rise", "finetune.shapes_coco"),
        ((*TASK, "iterations"), 180, "steps_do_not_rise", "finetune.shapes_coco"),
        ((*TASK, "warmup_iterations"), 300, "only_warmup_iterations", "finetune.shapes_coco"),
        ((*TASK, "processes"), 3, "uneven_batch", "finetune.shapes_coco"),
        ((*TASK, "seeds"), [1, 2, 1], "seed_twice", "finetune.shapes_coco"),
        ((*TASK, "protocol"), "coco_3x", "unknown_preset", "finetune.shapes_coco"),
        ((*TASK, "initialisations"), ["sooco"], "unknown_initialisation", ""),
        ((*TASK, "dataset"), "other", "unknown_dataset", ""),
        (("weights", "soco"), {"path": "a.pth"}, "name_used_twice", ""),
        (("weights", "scratch"), {"path": "a.pth"}, "named_scratch", ""),
        (("weights", "released"), {"file": "a.pth"}, "extra_forbidden", "weights.released.file"),
        (("quality", "recall"), ["shapes_coco", "other"], "unknown_dataset", ""),
        (("quality", "engines"), ["soco", "opencv"], "literal_error", "quality.engines.1"),
        (("quality", "engines"), [], "too_short", "quality.engines"),
        (("quality", "images"), 0, "greater_than_equal", "quality.images"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(demo, place, value, code, key):
    set_at(demo, place, value)
    with refused("config.refused") as caught:
        check_config(demo)
    faults = [(fault.code, fault.place) for fault in caught.value.values["faults"]]
    assert (f"config.{code}", key) in faults


def test_a_pretraining_of_warm_up_alone_is_refused(demo, config_refused):
    demo["pretrain"]["soco"] |= {"steps": None, "epochs": 6, "warmup_epochs": 6}
    with config_refused("only_warmup", "pretrain.soco"):
        check_config(demo)
    demo["pretrain"]["soco"]["steps"] = 40  # then a tenth of them is warm-up
    assert check_config(demo).pretrain["soco"].steps == 40


def test_all_faults_are_listed(demo):
    demo["seed"], demo["results"], demo["filter"]["min_side"] = -1, "", "x"
    with refused("config.refused") as caught:
        check_config(demo)
    places = [fault.place for fault in caught.value.values["faults"]]
    assert places == ["seed", "results", "filter.min_side"]
    assert all(f"'{place}' is " in str(caught.value) for place in places)


def test_a_filter_given_by_numbers_is_known_by_its_name(demo):
    demo["filter"] |= {
        "strategy": {"ratio": 3, "low": 0.3, "high": 0.8},
        "fallbacks": [{"low": 0.25}, {}],
    }
    dumped = check_config(demo).model_dump(mode="json")["filter"]
    assert dumped["strategy"] == "ratio3size0308"
    assert dumped["fallbacks"] == ["size0.25-", "none"]


def test_a_pretraining_cannot_be_named_scratch(demo, config_refused):
    demo["pretrain"]["scratch"] = demo["pretrain"]["soco"]
    with config_refused("named_scratch"):
        check_config(demo)


@pytest.mark.parametrize(("section", "name"), [("finetune", "shapes_coco"), ("probes", "shapes")])
def test_an_initialisation_that_nothing_makes_is_refused(demo, config_refused, section, name):
    demo[section][name]["initialisations"] = ["scratch", "other"]
    words = f"{section}.{name}.initialisations names 'other'"
    with config_refused("unknown_initialisation", words=words):
        check_config(demo)


def test_an_entry_of_null_is_removed(demo):
    demo["finetune"]["shapes_lvis"] = demo["probes"]["shapes"] = None
    config = check_config(demo)
    assert list(config.finetune) == ["shapes_coco"]
    assert config.probes == {}


def test_an_overlay_changes_only_its_keys(repository, tmp_path):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("pretrain: {soco: {epochs: 3}}\n")
    plain = load_config(repository / "config.yaml")
    changed = load_config(repository / "config.yaml", overlay)
    before, after = plain.pretrain["soco"], changed.pretrain["soco"]
    assert after.epochs == 3 != before.epochs
    assert after.model_copy(update={"epochs": before.epochs}) == before


def test_overlays_are_applied_in_turn(repository, tmp_path):
    """An entry that one overlay removes and a later one adds again starts from the defaults."""
    (tmp_path / "first.yaml").write_text("finetune: {shapes_coco: null, shapes_lvis: null}")
    (tmp_path / "second.yaml").write_text(
        "finetune: {shapes_coco: {dataset: shapes_coco, initialisations: [soco]}}"
    )
    files = [repository / "config.yaml", tmp_path / "first.yaml", tmp_path / "second.yaml"]
    assert [*load_config(*files[:2]).finetune] == []
    config = load_config(*files)
    assert [*config.finetune] == ["shapes_coco"]
    assert config.finetune["shapes_coco"].iterations == 90_000


def test_a_recipe_fills_the_keys_that_a_pretraining_omits():
    raw = {"images": {"path": "x"}, "pretrain": {"a": {"recipe": "soco_c4_400", "epochs": 30}}}
    settings = check_config(raw).pretrain["a"]
    assert (settings.epochs, settings.architecture, settings.crop_scale) == (30, "c4", 0.6)


def test_an_unknown_recipe_is_refused_and_the_nearest_named(config_refused):
    raw = {"images": {"path": "x"}, "pretrain": {"a": {"recipe": "soco_fpn_10"}}}
    with config_refused("unknown_preset", "pretrain.a", "did you mean 'soco_fpn_100'?") as caught:
        check_config(raw)
    assert ", ".join(RECIPES) in str(caught.value)


def sections(model):
    yield model
    for part in Section.__subclasses__():
        if part is not model:
            yield part


def test_every_key_has_a_description():
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
