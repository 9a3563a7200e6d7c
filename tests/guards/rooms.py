"""The graph of rooms, computed from the imports: at every level of the package, what knows what.

A room is an entry of a folder: a folder of modules, or one module. It stands one floor above the highest room that it
imports. `python -m tests.guards.rooms` prints the top level, floor by floor.
"""

from __future__ import annotations

import ast
import graphlib
import itertools
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "edgekit"
FACE = ("edgekit", "edgekit.__main__")
"""The two ways in: they hand on, and are no rooms."""


def module_name(path: Path) -> str:
    """Return the dotted name of a file of the package."""
    parts = ["edgekit", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> set[str]:
    """Return every module imported anywhere in the tree, functions and TYPE_CHECKING blocks included."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import of {node.module}"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULES = {module_name(path): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
IMPORTS = {name: imports(tree) for name, tree in MODULES.items()}

Arrows = dict[str, dict[str, list[str]]]
"""From each room to those it imports, with the module that does."""


def arrows(folder: str) -> Arrows:
    """Return the arrows between the entries of a folder, by dotted name."""
    depth = folder.count(".") + 1
    inside = [name for name in MODULES if name.startswith(f"{folder}.") and name not in FACE]
    rooms = {name.split(".")[depth] for name in inside}
    found: Arrows = {room: {} for room in sorted(rooms)}
    for name in inside:
        room = name.split(".")[depth]
        for target in IMPORTS[name]:
            parts = target.split(".")
            if target.startswith(f"{folder}.") and parts[depth] in rooms - {room}:
                found[room].setdefault(parts[depth], []).append(f"{name} imports {target}")
    return found


def folders() -> Iterator[str]:
    """Yield every folder of modules."""
    for path in sorted(PACKAGE.rglob("__init__.py")):
        yield module_name(path)


def circle(graph: Arrows) -> list[str]:
    """Return the imports that make a circle, or nothing."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        rooms = error.args[1]
        return [graph[b][a][0] for a, b in itertools.pairwise(rooms)]
    return []


def floors(graph: Arrows) -> dict[str, int]:
    """Return the floor of every room of a graph without circles, from 1."""
    found: dict[str, int] = {}
    for room in graphlib.TopologicalSorter(graph).static_order():
        found[room] = 1 + max((found[below] for below in graph[room]), default=0)
    return found


def drawn() -> str:
    """Return the top level as text, a line a floor."""
    graph = arrows("edgekit")
    by_room = floors(graph)
    total = max(by_room.values())
    lines = [f"{len(graph)} rooms, {total} floors, {sum(map(len, graph.values()))} arrows"]
    for floor in range(total, 0, -1):
        lines.append(f"{floor:2d}  {'  '.join(sorted(room for room, at in by_room.items() if at == floor))}")
    return "\n".join(lines)


def described() -> str:
    """Return the top level as a table in Markdown: every room with its floor and what its docstring says first."""
    by_room = floors(arrows("edgekit"))
    lines = ["| floor | room | |", "|---:|---|---|"]
    for room in sorted(by_room, key=lambda room: (-by_room[room], room)):
        about = (ast.get_docstring(MODULES[f"edgekit.{room}"]) or "").partition("\n")[0]
        lines.append(f"| {by_room[room]} | `{room}` | {about} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(drawn())
