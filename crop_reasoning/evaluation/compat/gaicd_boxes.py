"""What the coordinate-mode evaluators of GAICD are given for one image."""

from __future__ import annotations

from dataclasses import dataclass

Four = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """One image of `w` x `h` px: rated candidates with their MOS, predicted boxes with their scores, any order."""

    w: int
    h: int
    candidates: tuple[Four, ...]
    mos: tuple[float, ...]
    predictions: tuple[Four, ...]
    scores: tuple[float, ...]

    @property
    def ranked(self) -> tuple[Four, ...]:
        """The predictions, best score first, ties as they stand."""
        order = sorted(range(len(self.predictions)), key=lambda place: -self.scores[place])
        return tuple(self.predictions[place] for place in order)

    @property
    def best_first(self) -> list[int]:
        """Places of the candidates, best MOS first, ties as they stand."""
        return sorted(range(len(self.mos)), key=lambda place: -self.mos[place])
