import re

import pytest
import yaml

from soco.config import ImagesConfig
from soco.data.sources.tree import IMAGE_SUFFIXES


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs" / "data.md").read_text()


def test_every_example_of_the_page_is_accepted(page):
    examples = [
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    ]
    accepted = [ImagesConfig.model_validate(example["images"]) for example in examples]
    assert [list(example) for example in examples] == [["images"]] * len(examples)
    assert {settings.layout for settings in accepted} == {
        "folder",
        "zip",
        "tar",
        "webdataset",
        "parquet",
    }


def test_the_page_names_every_key_and_suffix(page):
    for name in {*ImagesConfig.model_fields} - {"path"}:
        assert re.search(rf"\b{name}\b", page), name
    listed = re.search(r"file whose name ends with (.*?), in upper", " ".join(page.split()))
    assert tuple(re.findall(r"\.\w+", listed.group(1))) == IMAGE_SUFFIXES


def test_the_page_gives_the_default_limits(page):
    assert f"`images.max_megapixels`, by default {ImagesConfig(path='x').max_megapixels:g}" in page
    assert f"`watch: {ImagesConfig(path='x').watch}` (the default)" in page
