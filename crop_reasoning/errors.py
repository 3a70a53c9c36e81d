"""The errors a user can cause or cure.

Every message says what went wrong, where, what was got, what was expected and what to do. The command line prints
the message alone (no traceback) and leaves with the class's exit code.
"""

from __future__ import annotations

import signal

EXIT_OK, EXIT_RUN, EXIT_USAGE, EXIT_DATA, EXIT_ENVIRONMENT = 0, 1, 2, 3, 4


class CropReasoningError(Exception):
    """A failed run; the base of every error that reaches a user as one sentence."""

    exit_code = EXIT_RUN


class Interrupted(CropReasoningError):
    """Work that was told to stop; its sentence says what is kept and how to go on. The exit code is the shell's."""

    def __init__(self, text: str, number: int = signal.SIGINT) -> None:
        super().__init__(text)
        self.exit_code = 128 + number


class RecipeError(CropReasoningError):
    """A recipe or a command line that cannot be meant as written."""

    exit_code = EXIT_USAGE


class DataError(CropReasoningError):
    """An image, a box, a record or an annotation that cannot be used as it is."""

    exit_code = EXIT_DATA


class ModelError(DataError):
    """A model folder or an adapter that does not fit what is asked of it."""


class EnvironmentProblem(CropReasoningError):
    """A missing package, a full disk, a folder in use: the machine's state, not the user's data."""

    exit_code = EXIT_ENVIRONMENT
