"""Files that come with the project but are no code: recipes and accelerate configs."""

from __future__ import annotations

from pathlib import Path

from crop_reasoning.errors import RecipeError


def find_asset(name: str) -> Path:
    """`name` as a path from here, else beside the package (a clone), else inside it (a wheel)."""
    package = Path(__file__).resolve().parent
    for root in (Path(), package.parent, package / "assets"):
        if (root / name).is_file():
            return root / name
    raise RecipeError(f"{name}: not found here nor beside the package; run from a clone of the project")
