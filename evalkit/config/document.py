"""A parsed file that remembers where each of its values stands."""

from collections.abc import Callable, Sequence
from typing import Any

PathPart = str | int
Place = tuple[int, int]

# Deep enough for anything written by hand; keeps every later walk within Python's stack.
MAX_DEPTH = 60


class Node:
    """A value with its place (line and column from 1) and the nodes inside it.

    `keys` holds the place of each key of a mapping. `size` counts the values inside, with those
    behind aliases counted at every use. `block` marks a text that starts on the next line.
    """

    __slots__ = ("block", "children", "column", "keys", "line", "size", "value")

    def __init__(self, value: Any, line: int, column: int) -> None:
        """A node without children."""
        self.value = value
        self.line = line
        self.column = column
        self.children: dict[PathPart, Node] = {}
        self.keys: dict[PathPart, Place] = {}
        self.size = 1
        self.block = False

    def add(self, key: PathPart, child: "Node", place: Place | None = None) -> None:
        """Put a child under a key or an index."""
        self.children[key] = child
        self.size += child.size
        if place is not None:
            self.keys[key] = place


class Document:
    """The plain data of a file (`data`), and the place of everything in it.

    `file` is how problems name the file. The tree of places is built when it is first asked for.
    """

    def __init__(self, file: str, data: Any, root: Callable[[], Node]) -> None:
        """`root` gives the tree that `data` was read from."""
        self.file = file
        self.data = data
        self._build = root
        self._root: Node | None = None

    @property
    def root(self) -> Node:
        """The tree of places."""
        if self._root is None:
            self._root = self._build()
        return self._root

    def part(self, key: PathPart) -> "Document":
        """What stands at a key or index, as a document of its own with the places of this one."""
        return Document(self.file, self.data[key], lambda: self.root.children[key])

    def position(self, path: Sequence[PathPart], *, key: bool = False) -> Place:
        """Line and column of the value at `path`, or of its key.

        Where the path leads out of the document, the place of the last part that is there.
        """
        node = self.root
        place = (node.line, node.column)
        for part in path:
            child = node.children.get(part)
            if child is None:
                break
            place = node.keys.get(part, (child.line, child.column))
            node = child
        else:
            if not key or not path:
                return node.line, node.column
        return place

    def text_line(self, path: Sequence[PathPart], line: int) -> int:
        """The line of the file that holds line `line` of the text at `path`, both from 1."""
        node = self.root
        for part in path:
            child = node.children.get(part)
            if child is None:
                return node.line
            node = child
        return node.line + line - (0 if node.block else 1)
