import time

import pytest


def renumber(content, mapping):
    for category in content["categories"]:
        category["id"] = mapping[category["id"]]
    for entry in content["annotations"]:
        entry["category_id"] = mapping[entry["category_id"]]


def test_gaps_are_noted_and_harmless(detection_set, train, val, findings, sentence):
    for content in (train, val):
        renumber(content, {1: 2, 2: 6})
    assert findings() == [("train", "category.id_gap", 1), ("val", "category.id_gap", 1)]
    assert ": 1 (2); " in sentence("category.id_gap")
    assert not any(split["repaired"] for split in detection_set.write()[2]["splits"].values())


def test_ids_up_to_2_53_are_accepted(train, val, findings):
    for content in (train, val):
        renumber(content, {1: 5, 2: 2**53})
    assert [code for _, code, _ in findings()] == ["category.id_gap"] * 2


def test_ids_that_the_evaluator_would_round_are_refused(train, findings, sentence):
    renumber(train, {1: 5, 2: 2**53 + 1})
    assert ("train", "category.bad_id", 1) in findings()
    assert "1 (9007199254740993)" in sentence("category.bad_id")


def test_an_id_of_two_names_is_refused(train, findings, sentence):
    train["categories"].append({"id": 2, "name": "fork"})
    assert ("train", "category.id_of_two_names", 1) in findings()
    assert ": 1 (2)" in sentence("category.id_of_two_names")


def test_a_category_listed_twice_is_listed_once(detection_set, train, findings):
    train["categories"].append({"id": 2, "name": "spoon"})
    assert findings() == [("train", "category.duplicate", 1)]
    assert len(detection_set.write()[0]["categories"]) == 2


def test_a_name_of_two_ids_is_noted(train, val, findings, sentence):
    for content in (train, val):
        content["categories"].append({"id": 3, "name": "cup"})
    assert {("train", "category.shared_name", 1), ("val", "category.shared_name", 1)} < {
        *findings()
    }
    assert "1 (cup)" in sentence("category.shared_name")


def test_a_category_without_objects_is_noted(detection_set, train, val, findings):
    for content in (train, val):
        content["categories"].append({"id": 3, "name": "fork"})
    assert findings() == [("train", "category.unused", 1), ("val", "category.unused", 1)]
    sentences = [finding.sentence for finding in detection_set.check().findings]
    assert ["cannot learn" in sentences[0], "no AP" in sentences[1]] == [True, True]


def test_ids_that_are_not_numbers_are_refused(train, findings, sentence):
    train["categories"][0]["id"] = "cup"
    assert ("train", "category.bad_id", 1) in findings()
    assert "1 ('cup')" in sentence("category.bad_id")


def test_ids_written_as_text_become_numbers(detection_set, train, findings):
    renumber(train, {1: "1", 2: "2"})
    assert findings() == [("train", "category.text_id", 2), ("train", "object.text_ids", 12)]
    assert {entry["category_id"] for entry in detection_set.write()[0]["annotations"]} == {1, 2}


def test_a_category_without_a_name_is_named_after_its_id(detection_set, train, val, findings):
    for content in (train, val):
        del content["categories"][1]["name"]
    assert findings() == [("train", "category.no_name", 1), ("val", "category.no_name", 1)]
    assert detection_set.write()[0]["categories"][1]["name"] == "category 2"


def test_a_category_without_a_name_takes_that_of_the_other_split(
    detection_set, val, findings, sentence
):
    val["categories"][1]["name"] = None
    assert findings() == [
        ("val", "category.no_name", 1),
        ("both", "category.name_from_other_split", 1),
    ]
    assert "(2: 'spoon')" in sentence("category.name_from_other_split")
    assert [entry["name"] for entry in detection_set.write()[1]["categories"]] == ["cup", "spoon"]


def test_names_that_are_numbers_are_matched_as_text(detection_set, train, val, findings, sentence):
    for key, name in enumerate((7, 8.5)):
        train["categories"][key]["name"] = name
        val["categories"][key]["name"] = str(name)
    renumber(val, {1: 2, 2: 1})
    assert findings()[0] == ("train", "category.number_as_name", 2)
    assert "2 (7, 8.5)" in sentence("category.number_as_name")
    assert "'7' from 2 to 1, '8.5' from 1 to 2" in sentence("category.renumbered")
    train, val, _ = detection_set.write()
    for content in (train, val):
        assert {entry["id"]: entry["name"] for entry in content["categories"]} == {1: "7", 2: "8.5"}


@pytest.mark.parametrize(
    ("ours", "theirs"), [("caf\u00e9", "cafe\u0301"), ("cup", " cup "), ("a\ud800", "a\ud800")]
)
def test_names_that_look_alike_are_alike(detection_set, train, val, findings, ours, theirs):
    train["categories"][0]["name"], val["categories"][0]["name"] = ours, theirs
    assert {code for _, code, _ in findings()} == {"category.untidy_name"}
    names = [content["categories"][0]["name"] for content in detection_set.write()[:2]]
    assert names[0] == names[1]
    assert names[0].encode()


def test_names_are_printed_on_any_terminal(train, val, detection_set):
    for content in (train, val):
        content["categories"].append({"id": 3, "name": "\ud800\x1b[2J\n" + "x" * 10000})
    printed = detection_set.check().describe("own")
    assert printed.encode() and "\x1b" not in printed
    assert max(map(len, printed.splitlines())) < 500


def test_many_categories_in_both_splits_take_no_time(train, val, findings):
    for content in (train, val):
        content["categories"] += [{"id": 1000 + n, "name": f"c{n}"} for n in range(30_000)]
    start = time.process_time()
    assert [code for _, code, _ in findings()] == ["category.id_gap", "category.unused"] * 2
    assert time.process_time() - start < 5


def test_the_same_names_under_other_ids_are_matched_by_name(detection_set, val, findings, sentence):
    before = [entry["category_id"] for entry in val["annotations"]]
    renumber(val, {1: 2, 2: 1})
    assert findings() == [("both", "category.renumbered", 2)]
    assert "'cup' from 2 to 1, 'spoon' from 1 to 2" in sentence("category.renumbered")
    written = detection_set.write()[1]
    assert [entry["category_id"] for entry in written["annotations"]] == before
    assert {entry["id"]: entry["name"] for entry in written["categories"]} == {1: "cup", 2: "spoon"}


def test_an_id_with_two_meanings_is_refused(val, findings, sentence):
    val["categories"][0]["name"] = "glass"
    assert ("both", "category.ids_differ", 1) in findings()
    assert "1 (1: 'cup' and 'glass')" in sentence("category.ids_differ")


@pytest.mark.parametrize(
    ("lacking", "code"), [("val", "category.train_only"), ("train", "category.val_only")]
)
def test_a_category_of_one_split_is_added_to_the_other(detection_set, findings, lacking, code):
    content = detection_set.contents[lacking]
    content["categories"].pop()
    content["annotations"] = [
        entry for entry in content["annotations"] if entry["category_id"] == 1
    ]
    assert ("both", code, 1) in findings()
    train, val, _ = detection_set.write()
    ids = [{entry["id"] for entry in content["categories"]} for content in (train, val)]
    assert ids == [{1, 2}, {1, 2}]


@pytest.mark.parametrize("key", ["neg_category_ids", "not_exhaustive_category_ids"])
def test_lvis_lists_follow_their_categories(detection_set, val, key):
    detection_set.as_lvis()
    renumber(val, {1: 2, 2: 1})
    val["images"][0][key] = [2]
    assert detection_set.write()[1]["images"][0][key] == [1]


def test_lvis_needs_its_keys_in_the_validation_split(detection_set, val):
    detection_set.as_lvis()
    val["images"][0]["neg_category_ids"] = None
    val["categories"][1]["frequency"] = "often"
    refused = detection_set.check().refused
    assert [(it.split, it.code, it.count) for it in refused] == [
        ("both", "lvis.missing_key", 1)
    ] * 2
    assert "`images`" in refused[0].sentence and "`neg_category_ids`: 1 (1)" in refused[0].sentence
    assert "`categories`" in refused[1].sentence and "`frequency`: 1 (2)" in refused[1].sentence
