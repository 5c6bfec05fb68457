"""What a YAML file may hold, and the sentence for what it may not."""

import os

import pytest

from soco.config import load_config
from soco.config.reading import read_mapping, refuse_doubled_entries
from soco.errors import UserError


@pytest.fixture
def said(tmp_path):
    """What a file of these bytes is refused with, without its folder."""

    def refuse(content):
        path = tmp_path / "mine.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(UserError) as error:
            read_mapping(path)
        return str(error.value).replace(f"{tmp_path}/", "")

    return refuse


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        (
            "finetune: {own: {batch_size: 2}}\nfinetune: {own: {seeds: [1]}}\n",
            "finetune",
            "lines 1 and 2",
        ),
        ("seed: 1\n# a remark\n\n'seed': 2\n", "seed", "lines 1 and 4"),
        ("a:\n  - {b: 1,\n     b: 2}\n", "a.0.b", "lines 2 and 3"),
        ("a: {b: 1, b: 1}\n", "a.b", "line 1"),
        ("a: &a {x: 1}\nb:\n  <<: *a\n  c: 1\n  c: 2\n", "b.c", "lines 4 and 5"),
        ('{"seed": 1,\n\t"seed": 2}\n', "seed", "lines 1 and 2"),
    ],
)
def test_a_key_given_twice_is_refused_with_both_lines(said, text, key, lines):
    assert (
        said(text)
        == f"mine.yaml gives the key '{key}' twice, in {lines}, and YAML would keep the second"
        " alone; put what both hold under one."
    )


def test_a_key_taken_by_a_merge_may_be_given_again(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: &b {y: 3}\nc:\n  <<: [*b, *a]\n  x: 4\n")
    assert read_mapping(path)["c"] == {"x": 4, "y": 3}


def test_an_overlay_changes_one_of_two_mappings_that_an_alias_makes_one(repository, tmp_path):
    (tmp_path / "one.yaml").write_text(
        "pretrain: {soco: null, a: &a {epochs: 20}, b: *a}\nprobes: {shapes: null}\n"
    )
    (tmp_path / "two.yaml").write_text(
        "pretrain: {a: {epochs: 30}}\nfinetune: {shapes_coco: null, shapes_lvis: null}\n"
    )
    runs = load_config(
        repository / "config.yaml", tmp_path / "one.yaml", tmp_path / "two.yaml"
    ).pretrain
    assert (runs["a"].epochs, runs["b"].epochs) == (30, 20)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "a:\n  no: 1\n",
            "line 2: YAML reads the key no as false, and keys are text; put it in quotes.",
        ),
        (
            "null: 1\n",
            "line 1: YAML reads the key null as null, and keys are text; put it in quotes.",
        ),
        (
            "? \n: 1\n",
            (
                "line 1: YAML reads the key that is left out as null, and keys are text; put it in"
                " quotes."
            ),
        ),
        (
            "2020-01-01: 1\n",
            "line 1: YAML reads the key 2020-01-01 as a date, and keys are text; put it in quotes.",
        ),
        (
            "1.50: 1\n",
            (
                "line 1: YAML reads the key 1.50 as the number 1.5, and keys are text; put it in"
                " quotes."
            ),
        ),
        (
            "? [a, b]\n: 1\n",
            (
                "line 1: a list or mapping stands where a key should; put text there, in quotes if"
                " need be."
            ),
        ),
        (
            "a: {{b}}\n",
            (
                "line 1: a list or mapping stands where a key should; put text there, in quotes if"
                " need be."
            ),
        ),
        (
            "a: {b: 010}",
            (
                "line 1: YAML reads a.b: 010 as the number 8; write 8 if that is meant, or put it"
                " in quotes."
            ),
        ),
        (
            "a: 12:30",
            (
                "line 1: YAML reads a: 12:30 as the number 750; write 750 if that is meant, or put"
                " it in quotes."
            ),
        ),
        ("a:\n- 2020-01-02", "line 2: YAML reads a.0: 2020-01-02 as a date; put it in quotes."),
        (
            "a: 2020-13-45",
            "line 1: 2020-13-45 is not a valid date or number; correct it or put it in quotes.",
        ),
        (
            f"a: {'9' * 5000}",
            f"line 1: {'9' * 20}... is not a valid date or number; correct it or put it in quotes.",
        ),
        (
            "a: &a {b: *a}",
            "line 1: a.b is given by an alias of what it lies in; write out what is meant.",
        ),
        ('a: "\\ud800"', "line 1: it holds a lone surrogate, such as \\ud800; remove it."),
    ],
)
def test_what_yaml_reads_as_something_else_is_refused_with_its_line(said, text, sentence):
    assert said(text) == f"mine.yaml, {sentence}"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", " is empty and no mapping of keys; see config.yaml for the keys it may hold."),
        (
            "# a remark\n",
            " is empty and no mapping of keys; see config.yaml for the keys it may hold.",
        ),
        (
            "- a\n",
            " holds a list and no mapping of keys; see config.yaml for the keys it may hold.",
        ),
        (
            "a\n",
            (
                " holds a single value and no mapping of keys; see config.yaml for the keys it may"
                " hold."
            ),
        ),
        (
            "a: 1\n\tb: 2\n",
            " is not valid YAML: line 2 is indented by a tab; put spaces in its place.",
        ),
        (
            "a: 1\n---\nb: 2\n",
            " is not valid YAML: a second document begins in line 2; give each a file of its own.",
        ),
        (
            "a: 1\nb: \x07\n",
            " is not valid YAML: line 2 holds the character U+0007, which it may not; remove it.",
        ),
        (
            "a: *b",
            (
                " is not valid YAML: line 1: found undefined alias 'b'; correct it (text that holds"
                " a colon, or begins with a sign, needs quotes)."
            ),
        ),
        (
            "a: b: c",
            (
                " is not valid YAML: line 1: mapping values are not allowed here; correct it (text"
                " that holds a colon, or begins with a sign, needs quotes)."
            ),
        ),
        (
            "seed: 1\n".encode("utf-16"),
            " is no text in UTF-8; save it in that encoding, or give another file.",
        ),
        (
            f"a: {'[' * 5000}{']' * 5000}",
            " is nested hundreds of levels deep; write it as config.yaml is written.",
        ),
    ],
)
def test_what_is_no_mapping_is_refused_in_one_sentence(said, content, sentence):
    assert said(content) == f"mine.yaml{sentence}"


def test_aliases_that_come_to_billions_of_values_are_refused(said):
    laughs = ["a0: &a0 {k: 1}"] + [
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)
    ]
    assert (
        said("\n".join(laughs))
        == "mine.yaml, line 6: a5 expands to more than 100,000 values through aliases; write out"
        " what is meant."
    )


def test_a_folder_and_a_pipe_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    for path, kind in ((tmp_path, "a folder"), (tmp_path / "pipe.yaml", "a pipe or device")):
        with pytest.raises(
            UserError, match=f"is {kind} and no file; give a YAML file such as config.yaml"
        ):
            read_mapping(path)


def test_json_and_a_byte_order_mark_are_taken(tmp_path):
    (tmp_path / "mine.json").write_text('{\n\t"seed": 1e1, "results": "\\ud83d\\ude00"}')
    assert read_mapping(tmp_path / "mine.json") == {"seed": 10.0, "results": "\N{GRINNING FACE}"}
    (tmp_path / "mine.yaml").write_text("\ufeffseed: 3\n")
    assert read_mapping(tmp_path / "mine.yaml") == {"seed": 3}


def test_every_yaml_file_of_the_repository_is_sound(repository):
    files = [*repository.glob("*.yaml")]
    for folder in ("recipes", "profiles", "slurm", "envs", "soco"):
        files += (repository / folder).rglob("*.yaml")
    assert len(files) >= 14
    for path in files:
        assert read_mapping(path), path


def test_an_entry_of_the_command_line_is_given_once():
    refuse_doubled_entries(None)
    refuse_doubled_entries(
        ["seed=1", "results=a=b", "pretrain={soco: {epochs: 3}}", "demo=", "images={path: a: b}"]
    )
    with pytest.raises(
        UserError,
        match="--config gives the key 'seed' twice, and the last would replace the others",
    ):
        refuse_doubled_entries(["seed=1", "results=x", "seed=2"])
    with pytest.raises(
        UserError, match=r"--config pretrain gives the key 'pretrain\.a' twice, in line 1"
    ):
        refuse_doubled_entries(["pretrain={a: {epochs: 3}, a: {boxes: 2}}"])
