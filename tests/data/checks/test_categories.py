import time

import pytest


def refuse(findings, half, text):
    return any(
        kind == "refused" and where == half and text in sentence
        for kind, where, _, sentence in findings()
    )


def renumber(content, mapping):
    for category in content["categories"]:
        category["id"] = mapping[category["id"]]
    for entry in content["annotations"]:
        entry["category_id"] = mapping[entry["category_id"]]


def test_gaps_are_noted_and_harmless(detection_set, train, val, findings):
    for half in (train, val):
        renumber(half, {1: 2, 2: 6})
    told = (
        "Gaps between category ids, each told by the id before it: 1 (2); no harm: the 2 categories"
        " become"
    )
    assert [(kind, sentence[: len(told)]) for kind, _, _, sentence in findings()] == [
        ("noted", told)
    ] * 2
    assert not any(half["mended"] for half in detection_set.write()[2]["halves"].values())


def test_ids_up_to_2_53_are_taken(train, val, findings):
    for half in (train, val):
        renumber(half, {1: 5, 2: 2**53})
    assert [kind for kind, *_ in findings()] == ["noted", "noted"]


def test_ids_that_the_evaluator_would_round_are_refused(train, findings):
    renumber(train, {1: 5, 2: 2**53 + 1})
    assert refuse(
        findings, "train", "Category ids that are no whole numbers up to 2^53: 1 (9007199254740993)"
    )


def test_an_id_of_two_names_is_refused(train, findings):
    train["categories"].append({"id": 2, "name": "fork"})
    assert refuse(findings, "train", "Category ids that two names share: 1 (2)")


def test_a_category_listed_twice_is_listed_once(detection_set, train, findings):
    train["categories"].append({"id": 2, "name": "spoon"})
    assert findings()[0][:3] == ("mended", "train", 1)
    assert len(detection_set.write()[0]["categories"]) == 2


def test_a_name_of_two_ids_is_noted(train, val, findings):
    for half in (train, val):
        half["categories"].append({"id": 3, "name": "cup"})
    shared = [
        found for found in findings() if "Names that several categories bear: 1 (cup)" in found[3]
    ]
    assert [found[0] for found in shared] == ["noted", "noted"]


def test_a_category_without_objects_is_noted(train, val, findings):
    for half in (train, val):
        half["categories"].append({"id": 3, "name": "fork"})
    assert [sentence for *_, sentence in findings()] == [
        "Categories without an object: 1 (fork); the detector cannot learn them.",
        "Categories without an object: 1 (fork); they have no AP.",
    ]


def test_ids_that_are_no_numbers_are_refused(train, findings):
    train["categories"][0]["id"] = "cup"
    assert refuse(findings, "train", "Category ids that are no whole numbers up to 2^53: 1 ('cup')")


def test_ids_written_as_text_become_numbers(detection_set, train, findings):
    renumber(train, {1: "1", 2: "2"})
    assert [(kind, count) for kind, _, count, _ in findings()] == [("mended", 2), ("mended", 12)]
    assert {entry["category_id"] for entry in detection_set.write()[0]["annotations"]} == {1, 2}


def test_a_category_without_a_name_is_called_by_its_id(detection_set, train, val, findings):
    for half in (train, val):
        del half["categories"][1]["name"]
    assert findings()[0][3] == "Categories without a `name`: 1 (2); called by their id."
    assert detection_set.write()[0]["categories"][1]["name"] == "category 2"


def test_a_category_without_a_name_takes_that_of_the_other_half(detection_set, val, findings):
    val["categories"][1]["name"] = None
    assert [(kind, sentence) for kind, _, _, sentence in findings()] == [
        ("mended", "Categories without a `name`: 1 (2); called by their id."),
        (
            "mended",
            (
                "Categories without a `name` in one half: 1 (2: 'spoon'); given that of the other"
                " half."
            ),
        ),
    ]
    assert [entry["name"] for entry in detection_set.write()[1]["categories"]] == ["cup", "spoon"]


def test_names_that_are_numbers_are_matched_as_text(detection_set, train, val, findings):
    for key, name in enumerate((7, 8.5)):
        train["categories"][key]["name"] = name
        val["categories"][key]["name"] = str(name)
    renumber(val, {1: 2, 2: 1})
    assert findings()[0] == (
        "mended",
        "train",
        2,
        "Category names that are numbers: 2 (7, 8.5); read as text.",
    )
    assert "'7' from 2 to 1, '8.5' from 1 to 2" in findings()[1][3]
    train, val, _ = detection_set.write()
    for content in (train, val):
        assert {entry["id"]: entry["name"] for entry in content["categories"]} == {1: "7", 2: "8.5"}


@pytest.mark.parametrize(
    ("ours", "theirs"), [("caf\u00e9", "cafe\u0301"), ("cup", " cup "), ("a\ud800", "a\ud800")]
)
def test_names_that_look_alike_are_alike(detection_set, train, val, findings, ours, theirs):
    train["categories"][0]["name"], val["categories"][0]["name"] = ours, theirs
    what = "Category names with spaces around them, decomposed letters or lone surrogates"
    assert {(kind, sentence[: len(what)]) for kind, _, _, sentence in findings()} == {
        ("mended", what)
    }
    names = [content["categories"][0]["name"] for content in detection_set.write()[:2]]
    assert names[0] == names[1]
    assert names[0].encode()


def test_names_are_told_on_any_terminal(train, val, detection_set):
    for half in (train, val):
        half["categories"].append({"id": 3, "name": "\ud800\x1b[2J\n" + "x" * 10000})
    told = detection_set.check().describe("own")
    assert told.encode() and "\x1b" not in told
    assert max(map(len, told.splitlines())) < 500


def test_many_categories_in_both_halves_take_no_time(train, val, findings):
    for half in (train, val):
        half["categories"] += [{"id": 1000 + n, "name": f"c{n}"} for n in range(30_000)]
    start = time.process_time()
    assert [kind for kind, *_ in findings()] == ["noted"] * 4
    assert time.process_time() - start < 5


def test_the_same_names_under_other_ids_are_matched_by_name(detection_set, val, findings):
    before = [entry["category_id"] for entry in val["annotations"]]
    renumber(val, {1: 2, 2: 1})
    assert findings()[0][:3] == ("mended", "both", 2)
    assert "'cup' from 2 to 1, 'spoon' from 1 to 2" in findings()[0][3]
    written = detection_set.write()[1]
    assert [entry["category_id"] for entry in written["annotations"]] == before
    assert {entry["id"]: entry["name"] for entry in written["categories"]} == {1: "cup", 2: "spoon"}


def test_an_id_that_means_two_things_is_refused(val, findings):
    val["categories"][0]["name"] = "glass"
    assert refuse(
        findings, "both", "mean different things in the two halves: 1 (1: 'cup' and 'glass')"
    )


@pytest.mark.parametrize(("lacking", "half"), [("val", "training"), ("train", "validation")])
def test_a_category_of_one_half_is_added_to_the_other(detection_set, findings, lacking, half):
    content = detection_set.contents[lacking]
    content["categories"].pop()
    content["annotations"] = [
        entry for entry in content["annotations"] if entry["category_id"] == 1
    ]
    assert ("mended", "both", 1) in [found[:3] for found in findings()]
    assert any(
        f"Categories that only the {half} half lists" in sentence for *_, sentence in findings()
    )
    train, val, _ = detection_set.write()
    assert (
        {entry["id"] for entry in train["categories"]}
        == {entry["id"] for entry in val["categories"]}
        == {1, 2}
    )


@pytest.mark.parametrize("key", ["neg_category_ids", "not_exhaustive_category_ids"])
def test_lvis_lists_follow_their_categories(detection_set, val, key):
    detection_set.as_lvis()
    renumber(val, {1: 2, 2: 1})
    val["images"][0][key] = [2]
    assert detection_set.write()[1]["images"][0][key] == [1]


def test_lvis_needs_its_keys_in_the_validation_half(detection_set, val, findings):
    detection_set.as_lvis()
    val["images"][0]["neg_category_ids"] = None
    val["categories"][1]["frequency"] = "often"
    assert refuse(findings, "both", "`categories` without `frequency`: 1 (2)")
    assert refuse(findings, "both", "`images` without `neg_category_ids`: 1 (1)")
