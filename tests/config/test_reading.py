"""What a YAML file may contain, and how the rest is refused."""

import os

import pytest
from user_errors import refused

from soco.config import load_config
from soco.config.reading import check_entries, read_mapping
from soco.errors import UserError


@pytest.fixture
def refusal_of(tmp_path):
    """How a file with this content is refused: the code and the values."""

    def refuse(content):
        path = tmp_path / "mine.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(UserError) as caught:
            read_mapping(path)
        values = caught.value.values
        assert values.pop("path") == path
        return caught.value.code.removeprefix("config."), values

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
def test_a_key_given_twice_is_refused_with_both_lines(refusal_of, text, key, lines):
    assert refusal_of(text) == ("key_twice", {"key": key, "lines": lines})


def test_a_key_from_a_merge_may_be_given_again(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: &b {y: 3}\nc:\n  <<: [*b, *a]\n  x: 4\n")
    assert read_mapping(path)["c"] == {"x": 4, "y": 3}


def test_an_overlay_changes_only_one_of_two_mappings_that_share_an_anchor(tmp_path):
    (tmp_path / "one.yaml").write_text("images: {path: x}\npretrain: {a: &a {epochs: 20}, b: *a}\n")
    (tmp_path / "two.yaml").write_text("pretrain: {a: {epochs: 30}}\n")
    runs = load_config(tmp_path / "one.yaml", tmp_path / "two.yaml").pretrain
    assert (runs["a"].epochs, runs["b"].epochs) == (30, 20)


@pytest.mark.parametrize(
    ("text", "line", "key", "reading"),
    [
        ("a:\n  no: 1\n", 2, "no", "false"),
        ("null: 1\n", 1, "null", "null"),
        ("? \n: 1\n", 1, "(empty)", "null"),
        ("2020-01-01: 1\n", 1, "2020-01-01", "a date"),
        ("1.50: 1\n", 1, "1.50", "the number 1.5"),
    ],
)
def test_a_key_that_yaml_does_not_read_as_text_is_refused(refusal_of, text, line, key, reading):
    values = {"key": key, "reading": reading, "line": line}
    assert refusal_of(text) == ("key_is_not_text", values)


@pytest.mark.parametrize(
    ("text", "line", "key", "value", "reading"),
    [
        ("a: {b: 010}", 1, "a.b", "010", "the number 8"),
        ("a: 12:30", 1, "a", "12:30", "the number 750"),
        ("a:\n- 2020-01-02", 2, "a.0", "2020-01-02", "a date"),
    ],
)
def test_a_value_that_yaml_reads_differently_is_refused(
    refusal_of, text, line, key, value, reading
):
    code, values = refusal_of(text)
    number = values.pop("number")
    assert code == "value_misread"
    assert values == {"key": key, "value": value, "reading": reading, "line": line}
    assert (reading.split()[-1] in number) == reading.startswith("the number")


@pytest.mark.parametrize(
    ("text", "code", "values"),
    [
        ("? [a, b]\n: 1\n", "key_is_a_collection", {"line": 1}),
        ("a: {{b}}\n", "key_is_a_collection", {"line": 1}),
        ("a: 2020-13-45", "not_a_date_or_number", {"line": 1, "value": "2020-13-45"}),
        (f"a: {'9' * 5000}", "not_a_date_or_number", {"line": 1, "value": f"{'9' * 20}..."}),
        ("a: &a {b: *a}", "alias_of_itself", {"line": 1, "key": "a.b"}),
        ('a: "\\ud800"', "lone_surrogate", {"line": 1, "example": "\\ud800"}),
        ("", "not_a_mapping", {"content": "is empty"}),
        ("# a remark\n", "not_a_mapping", {"content": "is empty"}),
        ("- a\n", "not_a_mapping", {"content": "is a list"}),
        ("a\n", "not_a_mapping", {"content": "is a single value"}),
        ("seed: 1\n".encode("utf-16"), "not_utf8", {}),
        (f"a: {'[' * 5000}{']' * 5000}", "nested_too_deep", {}),
    ],
)
def test_a_file_that_is_not_a_plain_mapping_is_refused(refusal_of, text, code, values):
    assert refusal_of(text) == (code, values)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\n\tb: 2\n", "line 2 is indented with a tab"),
        ("a: 1\n---\nb: 2\n", "a second document begins in line 2"),
        ("a: 1\nb: \x07\n", "line 2 has the character U+0007"),
        ("a: *b", "line 1: found undefined alias 'b'"),
        ("a: b: c", "line 1: mapping values are not allowed here"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(refusal_of, text, words):
    code, values = refusal_of(text)
    assert code == "not_yaml"
    assert values["problem"].startswith(words)


def test_aliases_that_expand_to_billions_of_values_are_refused(refusal_of):
    laughs = ["a0: &a0 {k: 1}"] + [
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)
    ]
    values = {"line": 6, "key": "a5", "most": 100_000}
    assert refusal_of("\n".join(laughs)) == ("too_many_values", values)


def test_a_folder_and_a_pipe_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    for path, kind in ((tmp_path, "a folder"), (tmp_path / "pipe.yaml", "a pipe or device")):
        with refused("config.not_a_file", path=path, kind=kind):
            read_mapping(path)


def test_a_missing_file_is_refused(tmp_path):
    with refused("config.file_not_found", path=tmp_path / "absent.yaml"):
        load_config(tmp_path / "absent.yaml")


def test_json_and_a_byte_order_mark_are_accepted(tmp_path):
    (tmp_path / "mine.json").write_text('{\n\t"seed": 1e1, "results": "\\ud83d\\ude00"}')
    assert read_mapping(tmp_path / "mine.json") == {"seed": 10.0, "results": "\N{GRINNING FACE}"}
    (tmp_path / "mine.yaml").write_text("\ufeffseed: 3\n")
    assert read_mapping(tmp_path / "mine.yaml") == {"seed": 3}


def test_every_yaml_file_of_the_repository_is_accepted(repository):
    files = [*repository.glob("*.yaml")]
    for folder in ("recipes", "profiles", "slurm", "envs", "soco"):
        files += (repository / folder).rglob("*.yaml")
    assert len(files) >= 14
    for path in files:
        assert read_mapping(path), path


def test_an_entry_of_the_command_line_is_given_once():
    check_entries(None)
    check_entries(
        ["seed=1", "results=a=b", "pretrain={soco: {epochs: 3}}", "demo=", "images={path: a: b}"]
    )
    with refused("config.entry_twice", key="seed"):
        check_entries(["seed=1", "results=x", "seed=2"])
    with refused("config.key_twice", path="--config pretrain", key="pretrain.a", lines="line 1"):
        check_entries(["pretrain={a: {epochs: 3}, a: {boxes: 2}}"])
