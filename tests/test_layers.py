"""The packages are in the order of the data flow: none imports a later one."""

import ast

LAYERS = ("config", "data", "proposals", "pretrain", "transfer", "report", "provenance", "demo")


def imported(path):
    """The first two parts of every import of ours in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "soco":
            yield from (
                [node.module]
                if node.module != "soco"
                else [f"soco.{alias.name}" for alias in node.names]
            )
        elif isinstance(node, ast.Import):
            yield from [alias.name for alias in node.names if alias.name.split(".")[0] == "soco"]


def test_no_package_imports_a_later_one(repository):
    backward = []
    for place, layer in enumerate(LAYERS):
        files = sorted((repository / "soco" / layer).rglob("*.py"))
        assert files, layer
        later = {f"soco.{name}" for name in LAYERS[place + 1 :]}
        backward += [
            f"{path.relative_to(repository)}: {module}"
            for path in files
            for module in imported(path)
            if ".".join(module.split(".")[:2]) in later
        ]
    assert backward == []


def test_the_folders_are_these_layers(repository):
    folders = {path.parent.name for path in (repository / "soco").glob("*/__init__.py")}
    assert folders == set(LAYERS)


def test_the_tests_mirror_the_packages(repository):
    folders = {path.name for path in (repository / "tests").iterdir() if path.is_dir()}
    assert set(LAYERS) <= folders
