"""Values out of bounds: how each is refused, and that no value of any kind ends in a traceback."""

import copy
import datetime
import typing

import pytest
from user_errors import refused

from soco.config import Config, check_config, load_config
from soco.config.refusals import is_section
from soco.errors import UserError

RUN, TASK = ("pretrain", "soco"), ("finetune", "shapes_coco")
ODD = [
    *(None, True, "", "x", "1e5", "a\0b", "é" * 300, b"x", datetime.date(2020, 1, 1)),
    *(-1, 0, 1e30, float("inf"), float("nan"), 2**70, [], [[]], [None], {}, {"a": 1}, {1: 2}),
]


@pytest.fixture
def sentence_for(demo):
    """The sentence that refuses the demo when one key has another value."""

    def refuse(place, value):
        with refused("config.refused") as caught:
            check_config(replaced(demo, place, value))
        return str(caught.value.values["faults"])

    return refuse


def replaced(config, place, value):
    changed = copy.deepcopy(config)
    section = changed
    for part in place[:-1]:
        section = section[part]
    section[place[-1]] = value
    return changed


def places(node, place=()):
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*place, key)
        if isinstance(value, dict | list):
            yield from places(value, (*place, key))


def test_no_value_of_any_kind_ends_in_a_traceback(demo):
    """At every key, each is accepted, or refused in words that do not mention Python."""
    whole = demo | {"weights": {"given": {"path": "a.pth", "holds": "resnet", "known_as": None}}}
    refusals = set()
    for place in places(whole):
        for odd in ODD:
            try:
                check_config(replaced(whole, place, odd))
            except UserError as error:
                refusals.add(str(error))
    assert len(refusals) > 1000
    python = (
        "datetime",
        "dictionary",
        "tuple",
        "instance",
        "None",
        "True",
        "False",
        "nan:",
        "inf:",
    )
    assert [
        refusal
        for refusal in refusals
        if any(word in refusal.replace(".nan:", "").replace(".inf:", "") for word in python)
    ] == []


def numbers(annotation, place):
    """The numbers and texts without bounds in an annotation."""
    if is_section(annotation):
        for name, field in annotation.model_fields.items():
            if not field.metadata:
                yield from numbers(field.annotation, f"{place}.{name}")
    elif annotation in (int, float, str):
        yield place
    elif typing.get_origin(annotation) is not typing.Annotated:
        for part in typing.get_args(annotation):
            yield from numbers(part, place)


def test_every_number_and_path_has_bounds():
    looked_up = [".pretrain.recipe", ".finetune.protocol"]
    assert list(numbers(Config, "")) == looked_up


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        (("seed",), 2**32, "'seed' is 4294967296: it must be at most 4,294,967,295."),
        (
            (*TASK, "seeds"),
            [1, 2**64],
            "'finetune.shapes_coco.seeds.1' is 18446744073709551616: it must be at most",
        ),
        (
            ("seed",),
            True,
            (
                "'seed' is true: a number is expected; YAML reads yes and on as true, no and off as"
                " false."
            ),
        ),
        (("seed",), 1.5, "'seed' is 1.5: a whole number is expected."),
        (
            (*RUN, "epochs"),
            "1e2",
            "'pretrain.soco.epochs' is '1e2': a whole number is expected; write 100.",
        ),
        (
            (*RUN, "epochs"),
            10**12,
            "'pretrain.soco.epochs' is 1000000000000: it must be at most 1,000,000.",
        ),
        (
            (*RUN, "base_lr"),
            float("inf"),
            "'pretrain.soco.base_lr' is .inf: a finite number is expected.",
        ),
        ((*RUN, "base_lr"), 1e30, "'pretrain.soco.base_lr' is 1e+30: it must be at most 1,000,000"),
        ((*RUN, "checkpoint_minutes"), float("inf"), "a finite number is expected."),
        (
            (*RUN, "level_bounds"),
            [-3, 1, 2, 3],
            "'pretrain.soco.level_bounds.0' is -3: it must be at least 1.",
        ),
        (
            (*RUN, "views", 0, "size"),
            10**9,
            "'pretrain.soco.views.0.size' is 1000000000: it must be at most 10,000.",
        ),
        ((*RUN, "boxes"), 10**9, "it must be at most 10,000."),
        ((*RUN, "boxes"), 0, "'pretrain.soco.boxes' is 0: it must be at least 1."),
        (
            (*RUN, "boxes"),
            "hole",
            "'pretrain.soco.boxes' is 'hole': a number of boxes, or the word whole, is expected.",
        ),
        ((*RUN, "workers"), 10**6, "it must be at most 1,000."),
        ((*RUN, "processes"), 10**6, "it must be at most 10,000."),
        ((*RUN, "projector_hidden"), 10**21, "it must be at most 100,000."),
        (
            (*RUN, "precision"),
            False,
            "YAML reads yes and on as true, no and off as false, so put text in quotes.",
        ),
        (("detector", "fpn_channels"), 10**8, "it must be at most 100,000."),
        (("detector",), None, "'detector' is null: a mapping of keys is expected."),
        (("images", "shards"), 10**9, "it must be at most 100,000."),
        (
            ("images", "max_megapixels"),
            float("nan"),
            "'images.max_megapixels' is .nan: a finite number is",
        ),
        (("proposals", "sigma"), 10**6, "it must be at most 1,000"),
        (("proposals", "min_size"), 10**30, "it must be at most 1,000,000,000."),
        (
            ("filter", "min_side"),
            10**21,
            "'filter.min_side' is 1000000000000000000000: it must be at most",
        ),
        (
            (*TASK, "short_sides"),
            [],
            "'finetune.shapes_coco.short_sides' is []: list should have at least 1 item",
        ),
        (
            (*TASK, "max_long_side"),
            1,
            "'finetune.shapes_coco.max_long_side' is 1: it must be at least 16.",
        ),
        ((*TASK, "steps"), 5, "'finetune.shapes_coco.steps' is 5: a list is expected."),
        (
            (*TASK, "protocol"),
            ["coco_fpn_1x"],
            "'finetune.shapes_coco.protocol' is ['coco_fpn_1x']: text is expected.",
        ),
        (
            ("pretrain", "a b"),
            {},
            "'pretrain.a b' is 'a b': a name consists of letters, digits, _, . and -,",
        ),
        (("pretrain", "a" * 300), {}, "a name has at most 100 characters."),
        (("images", "path"), 12, "'images.path' is 12: text is expected; put it in quotes."),
        (
            ("images", "path"),
            "",
            "'images.path' is '': it names no file or folder; write its path.",
        ),
        (
            ("images", "path"),
            "a\nb",
            "a path cannot contain a line break, tab or other control character; rename",
        ),
        (
            ("images", "path"),
            "~/a",
            "only a shell expands ~ to your home folder; write the full path.",
        ),
        (("images", "path"), "é" * 128, "it is longer than a file system allows; shorten it."),
        (("results",), "", "'results' is '': it names no file or folder; write its path."),
        (
            ("results",),
            "a{b",
            (
                "'results' is 'a{b': Snakemake takes { } and <name> as placeholders; choose a path"
                " without"
            ),
        ),
        (
            ("results",),
            "<logs>",
            "'results' is '<logs>': Snakemake takes { } and <name> as placeholders;",
        ),
        *(
            (
                ("results",),
                folder,
                "it must name a folder of its own, such as results, with .. only at the",
            )
            for folder in (".", "/", "..", "re/../res", "/..", "../..", "../a/..")
        ),
    ],
)
def test_a_value_is_refused_with_key_and_remedy(sentence_for, place, value, sentence):
    assert sentence in sentence_for(place, value)


def test_a_path_with_braces_is_refused_with_its_key(demo):
    with refused("config.path_with_braces", key="images.path", path="a{b}"):
        check_config(replaced(demo, ("images", "path"), "a{b}"))


def test_an_alias_of_a_path_is_the_path(demo):
    for written in ("out/", "./out", "out//", "out/."):
        assert check_config(replaced(demo, ("results",), written)).results == "out"
    assert check_config(replaced(demo, ("results",), "../out/")).results == "../out"
    assert check_config(replaced(demo, ("images", "path"), "a//b/")).images.path == "a/b"


def test_the_largest_seed_is_accepted(demo):
    assert check_config(replaced(demo, ("seed",), 2**32 - 1)).seed == 2**32 - 1


def test_bounds_refuse_no_recipe(repository):
    recipes = sorted((repository / "recipes").glob("*.yaml"))
    assert len(recipes) >= 7
    assert all(load_config(recipe).results for recipe in recipes)
