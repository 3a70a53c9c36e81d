"""The documents tell the truth: their commands parse, the paths they name exist, their versions are the pinned ones."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from typer.main import get_command

from crop_reasoning.cli.main import app
from crop_reasoning.environment import TESTED
from crop_reasoning.training.recipe import find_recipes, load_recipe

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "crop_reasoning"
GUIDES = ("", "accelerate_configs", "data_builders", "tests")
DOCUMENTS = [*(ROOT / room / "README.md" for room in GUIDES), *sorted((ROOT / "docs").glob("*.md"))]
CODE = ("crop_reasoning", "data_builders", "tests", "benchmarks")
RECIPES = find_recipes(ROOT / "recipes")
SOURCES = sorted(path for room in (PACKAGE, ROOT / "data_builders") for path in room.rglob("*.py"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
INLINE = re.compile(r"`([^`\n]+)`")
NAME = "crop-reasoning"
TREE = re.compile(r"^( *)(\S+) {2,}\S", re.M)
PINS = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
PINNED = {canonicalize_name(name): version for name, version in PINS.items()}

everywhere = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def fenced(text: str, language: str | None = None) -> Iterator[str]:
    yield from (body for kind, body in FENCE.findall(text) if language is None or kind == language)


def whole_commands(text: str) -> list[str]:
    """The command lines of a document's fenced blocks, continued lines joined."""
    lines = [line for body in fenced(text) for line in body.replace("\\\n", " ").splitlines()]
    return [line.strip().removeprefix("$ ") for line in lines if line.strip().removeprefix("$ ").startswith(f"{NAME} ")]


def header_commands(text: str) -> list[str]:
    """The command lines in a recipe's header, which end with the line or at a semicolon."""
    header = [line for line in text.splitlines() if line.startswith("#")]
    return [found.strip() for line in header for found in re.findall(rf"{NAME} [^;#`]*", line)]


def verb_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words begin with, and the words that are left to it."""
    command: Any = get_command(app)
    rest = list(words[1:])
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        verb = rest.pop(0)
        assert verb in command.commands, (
            f"{shlex.join(words)}: there is no {verb!r} among {', '.join(command.commands)}"
        )
        command = command.commands[verb]
    return command, rest


def check_whole(line: str) -> None:
    """A command as it would be typed: verb, options, and what they take."""
    words = shlex.split(line, comments=True)
    command, rest = verb_of(words)
    if "--help" in rest or "--version" in rest:
        return
    assert not hasattr(command, "commands"), f"{line}: which verb of {command.name}?"
    command.make_context(command.name, rest)  # raises what the command line would say


def check_mention(line: str) -> None:
    """A command in running text may leave arguments out, but what it names exists."""
    command, rest = verb_of(shlex.split(re.sub(r"[…\[\]]|\{[^}]*\}", "X", line)))
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--version"}
    for word in rest:
        option = word.partition("=")[0]
        assert not option.startswith("-") or option in known, f"{line}: there is no {option}"


@everywhere
def test_every_command_in_a_document_parses(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for line in whole_commands(text):
        check_whole(line)
    for words in INLINE.findall(FENCE.sub("", text)):
        if words.startswith(f"{NAME} "):
            check_mention(words)


def test_a_renamed_option_or_verb_in_a_document_would_be_found() -> None:
    for line, said in (
        ("trian x", "trian"),
        ("crop a.jpg --ratio 4:5", "--ratio"),
        ("data build", "Missing parameter"),
    ):
        with pytest.raises(Exception, match=said):
            check_whole(f"{NAME} {line}")
    with pytest.raises(AssertionError, match="--ratio"):
        check_mention("crop-reasoning crop … --ratio 4:5")


def test_the_readmes_commands_work_in_their_order() -> None:
    """What a command reads was written by one before it: data sets, models, runs and reports."""
    made: set[str] = set()
    for line in whole_commands((ROOT / "README.md").read_text(encoding="utf-8")):
        words = shlex.split(line, comments=True)[1:]
        options = dict(itertools.pairwise(words))
        if words[:2] == ["data", "build"] or words[0] == "quickstart":
            made.add(options["--out"])
        elif words[0] == "data":
            assert words[3 if words[1] == "export" else 2] in made, line
        elif words[0] == "train":
            recipe = load_recipe(ROOT / words[1])
            needed = [recipe.data.folder, recipe.model.base.removesuffix("/model"), recipe.model.adapter or ""]
            assert {name for name in needed if name not in ("", "nano")} <= made, line
            if "--dry-run" not in words:
                made.add(recipe.output)
        else:
            read = [options.get(option) for option in ("--run", "--data", "--predictions", "--against")]
            for name in filter(None, read):
                assert name in made, line
            if words[0] == "evaluate":
                made.add(f"{options['--run']}/eval/{Path(options['--data']).name}-test/report.json")
            elif words[0] == "predict":
                made.add(options["--out"])


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_recipes_header_says_how_to_run_it(recipe: Path) -> None:
    text = recipe.read_text(encoding="utf-8")
    commands = header_commands(text)
    for line in commands:
        check_whole(line)
    assert f"{NAME} train {recipe.relative_to(ROOT)}" in commands
    for named in re.findall(r"recipes/[\w/.-]+\.yaml", text):
        assert (ROOT / named).is_file(), f"{recipe}: names {named}, which does not exist"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_message_names_only_commands_that_exist(source: Path) -> None:
    text = re.sub(r'"\s*\n\s*f?"', "", source.read_text(encoding="utf-8"))  # texts that span lines
    for line in re.findall(rf"`({NAME} [^`]*)`", text):
        check_mention(line)
    for line in re.findall(rf"Example: ({NAME} .*)$", text, re.M):
        check_whole(line)


@everywhere
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    missing = [path for path in named_paths(text) if not any(ROOT.glob(path)) and not any(PACKAGE.glob(path))]
    missing += [name for name in bare_files(text) if not any(any((ROOT / room).rglob(name)) for room in CODE)]
    assert not missing, f"{document}: names {', '.join(missing)}"


@everywhere
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", document.read_text(encoding="utf-8"))):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), f"{document}: links to {target}"
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.M) if anchor else []
        anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert not anchor or anchor in anchors, f"{document}: links to {target}, whose headings are {anchors}"


def named_paths(text: str) -> set[str]:
    """Words of code that begin with a room of the tree and go on inside it; NAME stands for one to be chosen."""
    rooms = {path.name for path in [*ROOT.iterdir(), *PACKAGE.iterdir()] if path.is_dir()} - {"data", "runs"}
    code = [*INLINE.findall(FENCE.sub("", text)), *fenced(text)]
    words = re.findall(r"(?<![\w/.~-])\.?[\w-]+(?:/[\w.*-]+)+/?", "\n".join(code))
    return {word for word in words if word.partition("/")[0] in rooms and "NAME" not in word}


def bare_files(text: str) -> set[str]:
    """Python files that are named without their folder."""
    return {word for word in INLINE.findall(FENCE.sub("", text)) if re.fullmatch(r"\w+\.py", word)}


def test_the_file_tree_lists_what_is_there_and_nothing_else() -> None:
    (tree,) = (body for body in fenced((ROOT / "README.md").read_text(encoding="utf-8")) if "pyproject.toml  " in body)
    rows = [(len(indent), name) for indent, name in TREE.findall(tree)]
    assert {name.rstrip("/") for indent, name in rows if indent == 0} == tracked(0)
    inside = {name.rstrip("/") for indent, name in rows if indent == 2}
    assert inside == tracked(1, "crop_reasoning/")
    for indent, name in rows:
        path = (PACKAGE if indent else ROOT) / name
        assert path.is_dir() == name.endswith("/"), f"{name}: a folder ends with a slash, a file does not"


def tracked(level: int, under: str = "") -> set[str]:
    """Names at a level of the tree, of files that are tracked or about to be."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git clone, so nothing says what belongs to the tree")
    present = [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]
    return {name.split("/")[level] for name in present if name.startswith(under)}


@everywhere
def test_every_make_target_that_a_document_names_exists(document: Path) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    text = document.read_text(encoding="utf-8")
    code = [*INLINE.findall(FENCE.sub("", text)), *(line for body in fenced(text) for line in body.splitlines())]
    named = {word for line in code for word in re.findall(r"^make ([\w-]+)", line)}
    assert named <= set(targets)


def test_the_recipe_in_the_readme_is_one(tmp_path: Path) -> None:
    (text,) = fenced((ROOT / "README.md").read_text(encoding="utf-8"), "yaml")
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    assert load_recipe(path).method == "sft"


def test_python_in_the_documents_is_python() -> None:
    for document in DOCUMENTS:
        for body in fenced(document.read_text(encoding="utf-8"), "python"):
            compile(body, str(document), "exec")


def test_the_versions_that_doctor_expects_are_the_pinned_ones() -> None:
    assert {name: PINNED[name] for name in TESTED} == TESTED


def test_every_requirement_of_every_extra_has_a_tested_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for requirement in map(
        Requirement, [*project["dependencies"], *(one for extra in extras.values() for one in extra)]
    ):
        name = canonicalize_name(requirement.name)
        assert name in PINNED, f"constraints.txt does not pin {name}"
        assert Version(PINNED[name]) in requirement.specifier, f"{requirement}: constraints.txt has {PINNED[name]}"
    for extra in set(
        re.findall(r'\.\[([\w,]+)\]"', (ROOT / "README.md").read_text() + (ROOT / "Makefile").read_text())
    ):
        assert set(extra.split(",")) <= extras.keys()
