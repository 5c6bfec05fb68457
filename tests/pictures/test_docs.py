import re

import pytest
import yaml

from soco.config import PicturesConfig
from soco.pictures.sources.names import PICTURE_SUFFIXES


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs" / "data.md").read_text()


def test_every_example_of_the_page_is_accepted(page):
    examples = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    accepted = [PicturesConfig.model_validate(example["pictures"]) for example in examples]
    assert [list(example) for example in examples] == [["pictures"]] * len(examples)
    assert {settings.layout for settings in accepted} == {"folder", "zip", "tar", "webdataset", "parquet"}


def test_the_page_names_every_key_and_suffix(page):
    for name in {*PicturesConfig.model_fields} - {"path"}:
        assert re.search(rf"\b{name}\b", page), name
    told = re.search(r"A picture is what ends in (.*?), in any", page, re.DOTALL).group(1)
    assert tuple(re.findall(r"\.\w+", told)) == PICTURE_SUFFIXES


def test_the_page_gives_the_default_limits(page):
    assert f"`pictures.max_megapixels`, by default {PicturesConfig(path='x').max_megapixels:g}" in page
    assert f"`watch: {PicturesConfig(path='x').watch}` (the default)" in page
