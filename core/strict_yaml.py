"""YAML read as data, each value with its line: no tags, no anchors' aliases, no key twice, nothing huge.

A YAML text can name Python classes to be made, and can grow a thousandfold through aliases. Here it is read
event by event, without PyYAML's constructors of objects. What is refused spoils only the value that holds it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import yaml

from core.errors import BusError
from core.jobs import Json

MAX_BYTES = 1 << 18
MAX_DEPTH = 20
MAX_VALUES = 10_000

_PREFIX = "tag:yaml.org,2002:"
#: What plain scalars may stand for; a date is none of JSON's values.
_SCALARS = {_PREFIX + name for name in ("str", "int", "float", "bool", "null")}


class BadYaml(BusError):
    """The text, or one value in it, is not YAML of the kind that is read here."""

    code = "bad_yaml"

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        #: Where, counted from 1.
        self.line = line


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the line on which it, or its key, stands."""

    line: int
    value: str | int | float | bool | list[Node] | dict[str, Node] | None
    #: Why it cannot be used, in a sentence; empty when it can.
    flaw: str = ""

    def plain(self) -> Json:
        """Return the value without lines. Raises BadYaml when it, or a value inside, cannot be used."""
        if self.flaw:
            raise BadYaml(self.line, self.flaw)
        if isinstance(self.value, dict):
            return {name: node.plain() for name, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def parse(data: bytes) -> Node:
    """Return the one document of a text. Raises BadYaml when it is none, or too large."""
    if len(data) > MAX_BYTES:
        raise BadYaml(1, f"The file is longer than {MAX_BYTES:,} bytes.")
    try:
        return _Reader(data.decode("utf-8-sig")).document()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadYaml(line, f"The file is not UTF-8: byte {error.start} does not fit.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(filter(None, (error.context, error.problem)))
        raise BadYaml(mark.line + 1 if mark else 1, f"The file is not YAML: {said}.") from None
    except yaml.YAMLError as error:
        raise BadYaml(1, f"The file is not YAML: {str(error).partition(chr(10))[0]}.") from None


class _Reader:
    """Compose nodes from events, as many as are allowed."""

    def __init__(self, text: str) -> None:
        self._loader: Any = yaml.SafeLoader(text)  # Its types do not tell what it reads.
        self._left = MAX_VALUES

    def document(self) -> Node:
        self._loader.get_event()
        if self._loader.check_event(yaml.StreamEndEvent):
            raise BadYaml(1, "The file is empty.")
        self._loader.get_event()
        root = self._node(depth=0)
        self._loader.get_event()
        if not self._loader.check_event(yaml.StreamEndEvent):
            raise BadYaml(self._loader.peek_event().start_mark.line + 1, "The file holds a second document.")
        return root

    def _node(self, *, depth: int, line: int = 0) -> Node:
        event = self._loader.get_event()
        line = line or event.start_mark.line + 1
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise BadYaml(
                line, f"The file holds more than {MAX_VALUES:,} values, or {MAX_DEPTH} levels of them."
            )
        if isinstance(event, yaml.AliasEvent):
            return Node(
                line, None, f"*{event.anchor} is an alias, and those are not read: write the value out."
            )
        flaw = ""
        if event.tag is not None:
            tag = event.tag.replace(_PREFIX, "!!")
            flaw = f"It bears the tag {tag!r}, and tags are not read: leave it out."
        if isinstance(event, yaml.ScalarEvent):
            return Node(line, None, flaw) if flaw else self._scalar(event, line)
        items = self._mapping(depth) if isinstance(event, yaml.MappingStartEvent) else self._sequence(depth)
        self._loader.get_event()
        return Node(line, items, flaw)

    def _sequence(self, depth: int) -> list[Node]:
        items: list[Node] = []
        while not self._loader.check_event(yaml.SequenceEndEvent):
            items.append(self._node(depth=depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, Node]:
        items: dict[str, Node] = {}
        while not self._loader.check_event(yaml.MappingEndEvent):
            key = self._node(depth=depth + 1)
            node = self._node(depth=depth + 1, line=key.line)
            if not isinstance(key.value, str):
                flaw = key.flaw or "The key is no text: put it into quotes."
                items[f"(line {key.line})"] = Node(key.line, None, flaw)
            elif key.value in items:
                items[key.value] = Node(key.line, None, f"The key {key.value!r} stands twice.")
            else:
                items[key.value] = node
        return items

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> Node:
        tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag not in _SCALARS:
            return Node(
                line, None, f"{event.value[:60]!r} is no text, number, yes or no: put it into quotes."
            )
        try:
            value = self._loader.construct_object(yaml.ScalarNode(tag, event.value))
        except (ValueError, KeyError):
            return Node(line, None, f"{event.value[:60]!r} cannot be read: put it into quotes.")
        if isinstance(value, float) and not math.isfinite(value):
            return Node(line, None, f"{event.value!r} is no number of JSON's.")
        return Node(line, value)
