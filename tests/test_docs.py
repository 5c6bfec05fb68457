import re

import pytest


def test_every_link_to_a_file_leads_somewhere(repository):
    pages = [repository / "README.md", *sorted((repository / "docs").glob("*.md"))]
    links = [
        (page, link) for page in pages for link in re.findall(r"\]\(([^)#\s]+)", page.read_text())
    ]
    assert len(links) > 20
    missing = [
        (page.name, link)
        for page, link in links
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("folder", ["soco", "rules", "workflow_scripts", "tests", "benchmarks"])
def test_the_readme_names_every_folder(repository, folder):
    assert f"`{folder}/`" in (repository / "README.md").read_text()
    assert (repository / folder).is_dir()


def test_every_test_that_the_page_of_faults_names_is_there(repository):
    page = (repository / "docs" / "faults.md").read_text()
    tests = "\n".join(path.read_text() for path in (repository / "tests").rglob("test_*.py"))
    names = re.findall(r"`(test_[a-z0-9_]+)`", page)
    assert len(names) > 50
    assert [name for name in names if f"def {name}(" not in tests] == []
    assert [
        path for path in re.findall(r"`(tests/[\w/.]+)`", page) if not (repository / path).exists()
    ] == []
