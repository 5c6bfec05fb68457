"""The packages are in the order of the data flow: none imports a later one."""

import ast
import graphlib

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


def test_no_module_imports_itself_in_a_circle(repository):
    """Each module can be imported first: none waits for a module that waits for it.

    Importing `soco.a.b` runs `soco/a/__init__.py` first, except for a module inside `soco.a`.
    """
    names = {
        ".".join(path.relative_to(repository).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted((repository / "soco").rglob("*.py"))
    }
    assert len(names) > 200
    graph = {name: set(waited_for(name, path, names)) for name, path in names.items()}
    order = graphlib.TopologicalSorter(graph)
    order.prepare()  # raises CycleError, which names the circle


def waited_for(name, path, names):
    for node in ast.parse(path.read_text()).body:
        for module in imports_of(node, names):
            if module != name:
                yield module
            parent = module.rpartition(".")[0]
            while parent and not f"{name}.".startswith(f"{parent}."):
                yield parent
                parent = parent.rpartition(".")[0]


def imports_of(node, names):
    """Our modules that a statement imports, also inside `try` and `if`."""
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "soco":
        for alias in node.names:
            submodule = f"{node.module}.{alias.name}"
            yield submodule if submodule in names else node.module
    elif isinstance(node, ast.Import):
        yield from [alias.name for alias in node.names if alias.name in names]
    elif isinstance(node, ast.If | ast.Try | ast.With):
        for child in ast.iter_child_nodes(node):
            yield from imports_of(child, names)
