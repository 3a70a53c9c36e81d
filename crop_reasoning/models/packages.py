"""The packages that models need and that a plain installation leaves out: asked for before anything imports them."""

from __future__ import annotations

import importlib.util

from crop_reasoning.errors import EnvironmentProblem

LOADING = ("torch", "transformers", "peft", "safetensors")
TRAINING = (*LOADING, "trl", "accelerate", "datasets")
INSTALL = 'pip install -c constraints.txt -e ".[{extra}]"'


def require_packages(packages: tuple[str, ...], what: str, extra: str = "train") -> None:
    """`EnvironmentProblem` that names the missing packages of `what` and the command that installs them.

    >>> require_packages(("json",), "reading")
    """
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise EnvironmentProblem(
            f"{what} needs {', '.join(missing)}, not installed here; in the project's folder run: "
            f"{INSTALL.format(extra=extra)}"
        )
