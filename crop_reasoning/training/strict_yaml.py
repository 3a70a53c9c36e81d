"""YAML that remembers its lines, and errors that name them: all of them at once.

This module owns reading (`extends`, `--set`), locating and wording. It knows nothing of what a recipe means: the
schema is any pydantic model that forbids extra keys, and impossible combinations come as a function of the raw values.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from crop_reasoning.errors import RecipeError

Key = tuple[str | int, ...]
LONGEST_SHOWN = 80
"""So many characters of a wrong value are quoted."""
Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at one key; `what` already says what was got and what was expected."""

    key: Key
    what: str


Check = Callable[["Raw"], Iterable[Problem]]


class Unreadable:
    """Stands for a value that could not be read: a problem tells why, and nothing more is said of its key."""

    def __repr__(self) -> str:
        return "..."


class Raw:
    """Merged YAML values with the place each came from (`file:line`, or the `--set` that gave it)."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.where: dict[Key, str] = {}

    def get(self, dotted: str) -> Any:
        """The value at `optim.steps`, or None if it is not there."""
        value: Any = self.values
        for part in dotted.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def place(self, key: Key) -> str:
        """Where a key stands; for a key that is missing, where its section (or the file) begins."""
        while key not in self.where:
            key = key[:-1]
        return self.where[key]


_FOREIGN = "foreign"
"""The tag of nodes that stand for an alias or for a value with a tag of its own; their value names it."""


class _Loader(yaml.SafeLoader):
    """YAML with the scalars of YAML 1.2: `1e-4` is a number, `no` is a word, `1:30` is not ninety.

    Aliases and tags are marked as foreign: a recipe says its values plainly, and an alias can hold itself.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012  # type: ignore[var-annotated]

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        reader: Any = self  # its own methods carry no types
        event = reader.peek_event()
        if reader.check_event(yaml.AliasEvent):
            reader.get_event()
            return yaml.ScalarNode(_FOREIGN, f"the alias *{event.anchor}", event.start_mark, event.end_mark)
        node = super().compose_node(parent, index)
        if event.tag is not None:
            name = event.tag.replace("tag:yaml.org,2002:", "!!")
            return yaml.ScalarNode(_FOREIGN, f"the tag {name}", event.start_mark, event.end_mark)
        return node


_SCALARS = (
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("bool", r"^(?:true|false)$", list("tf")),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
)
for _name, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_pattern), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(str(node.value)))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(str(node.value)))


def load(path: Path | str, schema: type[Schema], overrides: Sequence[str] = (), checks: Sequence[Check] = ()) -> Schema:
    """Read a file with its `extends` and `--set` overrides and validate it; `RecipeError` lists everything wrong.

    `overrides` are `a.b=value` with the value in YAML; `checks` find combinations that no single key can show.
    """
    raw, problems = Raw(), list[Problem]()
    _read(Path(path), raw, problems, ())
    for override in overrides:
        _override(raw, override, problems)
    result: Schema | None = None
    try:
        result = schema.model_validate(raw.values)
    except ValidationError as refused:
        errors = [dict(error) for error in refused.errors() if not isinstance(error["input"], Unreadable)]
        problems += [_worded(error, raw, schema) for error in errors]
    problems += [problem for check in checks for problem in check(raw)]
    if problems or result is None:
        lines = [f"  {raw.place(p.key)}  {dotted(p.key)}: {p.what}" for p in problems]
        count = "1 error" if len(lines) == 1 else f"{len(lines)} errors"
        raise RecipeError("\n".join([f"{path}: {count}, nothing was started", *lines]))
    return result


def dotted(key: Key) -> str:
    """A key as people write it.

    >>> dotted(("dpo", "losses", 0))
    'dpo.losses[0]'
    """
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"


def got(value: Any) -> str:
    """A value as it was read, with its kind; a long one is cut.

    >>> got("1k"), got(None), got(3)
    ("got '1k' (text)", 'got nothing', 'got 3')
    """
    if value is None:
        return "got nothing"
    if isinstance(value, (dict, list)):
        return "got a section" if isinstance(value, dict) else f"got the list {_short(repr(value))}"
    return f"got {_short(repr(value))} (text)" if isinstance(value, str) else f"got {_short(str(value).lower())}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _read(path: Path, raw: Raw, problems: list[Problem], readers: tuple[Path, ...]) -> None:
    """Add a file on top of what `raw` holds, after the file that it extends."""
    if path.resolve() in readers:
        raise RecipeError(f"{path}: extends itself, by way of {' -> '.join(str(reader) for reader in readers)}")
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as problem:
        by = f" (extended by {readers[-1]})" if readers else ""
        raise RecipeError(f"{path}{by}: cannot be read ({problem.strerror}); check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as problem:
        raise RecipeError(f"{path}: not YAML: {' '.join(str(problem).split())}") from None
    raw.where[()] = f"{path}:1"
    if not isinstance(root, yaml.MappingNode):
        raise RecipeError(f"{path}: expected `key: value` lines; see `crop-reasoning recipe show --help`")
    own = Raw()
    own.values = _build(root, (), str(path), own, problems)
    parent = own.values.pop("extends", None)
    if isinstance(parent, str):
        _read(path.parent / parent, raw, problems, (*readers, path.resolve()))
        raw.where[()] = f"{path}:1"
    elif parent is not None and not isinstance(parent, Unreadable):
        problems.append(Problem(("extends",), f"{got(parent)}, expected the path of another recipe"))
    raw.where |= own.where
    _merge(raw.values, own.values)


def _build(node: yaml.Node, key: Key, name: str, raw: Raw, problems: list[Problem]) -> Any:
    """The Python value of a node; fills `raw.where` for every key under it."""
    raw.where[key] = f"{name}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _FOREIGN:
                problems.append(Problem(key, f"line {line} has a key that is no plain word; write `key: value`"))
                continue
            inner = (*key, str(key_node.value))
            if inner[-1] in values:
                problems.append(Problem(inner, f"stands twice (again in line {line}); keep one"))
            values[str(key_node.value)] = _build(value_node, inner, name, raw, problems)
            raw.where[inner] = f"{name}:{line}"
        return values
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*key, index), name, raw, problems) for index, item in enumerate(node.value)]
    return _scalar(node, key, problems)


def _scalar(node: yaml.Node, key: Key, problems: list[Problem]) -> Any:
    """The text, number, truth value or nothing that a node says, or `Unreadable` and a problem."""
    if node.tag == _FOREIGN:
        problems.append(Problem(key, f"got {node.value}, expected a plain value: write it out"))
        return Unreadable()
    loader = _Loader("")
    try:
        return loader.construct_object(node)
    except ValueError:  # Python reads whole numbers of so many digits at most
        problems.append(Problem(key, f"got a number of {len(node.value)} digits, expected one of at most 4300"))
        return Unreadable()
    finally:
        loader.dispose()


def _merge(target: dict[str, Any], extra: dict[str, Any]) -> None:
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value


def _override(raw: Raw, text: str, problems: list[Problem]) -> None:
    name, equals, value = text.partition("=")
    key: Key = tuple(name.strip().split("."))
    if not equals or not all(key):
        raise RecipeError(f"--set {text}: expected key=value, for instance --set optim.steps=100")
    try:
        node = yaml.compose(value, Loader=_Loader) or yaml.ScalarNode("tag:yaml.org,2002:null", "")
    except (yaml.YAMLError, RecursionError):
        raise RecipeError(
            f"--set {text}: the value is not YAML; quote it, for instance --set 'output: runs/x'"
        ) from None
    own = Raw()
    tree = _build(node, key, "", own, problems)
    raw.where |= dict.fromkeys(own.where, f"--set {text}")
    for end in range(1, len(key)):
        raw.where.setdefault(key[:end], f"--set {text}")
    for part in reversed(key):
        tree = {part: tree}
    _merge(raw.values, tree)


_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "model_type": "a section (indented keys)",
    "string_too_short": "text that is not empty",
    "too_short": "a list that is not empty",
}
_LIMITS = {"greater_than": ">", "greater_than_equal": ">=", "less_than": "<", "less_than_equal": "<="}


def _worded(error: dict[str, Any], raw: Raw, schema: type[BaseModel]) -> Problem:
    """A pydantic error as got / expected / do."""
    key, kind, context = tuple(error["loc"]), error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return Problem(key, f"unknown key; {_suggestion(key, schema)}")
    if kind == "missing":
        return Problem(key, "is missing; add it")
    value = error["input"]
    if kind == "literal_error":
        options = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        near = difflib.get_close_matches(str(value), options, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return Problem(key, f"{got(value)}, expected one of {', '.join(options)}{hint}")
    limit = next((f"{sign} {next(iter(context.values()))}" for name, sign in _LIMITS.items() if name == kind), None)
    expected = f"a number {limit}" if limit else _EXPECTED.get(kind, error["msg"])
    return Problem(key, f"{got(value)}, expected {expected}")


def _suggestion(key: Key, schema: type[BaseModel]) -> str:
    """What an unknown key was probably meant to be: a sibling of a like name, else the same name elsewhere."""
    names = list(_names(schema))
    section, wrong = key[:-1], str(key[-1])
    siblings = [name[-1] for name in names if name[:-1] == section]
    near = difflib.get_close_matches(wrong, siblings, 1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    elsewhere = {name[-1]: name for name in names}
    near = difflib.get_close_matches(wrong, list(elsewhere), 1, cutoff=0.75)
    if near:
        return f"did you mean {'.'.join(elsewhere[near[0]])}?"
    return f"expected one of {', '.join(siblings)}"


def _names(schema: type[BaseModel], section: tuple[str, ...] = ()) -> Iterable[tuple[str, ...]]:
    for name, field in schema.model_fields.items():
        yield (*section, name)
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _names(part, (*section, name))
