"""What the straight lines of a frame are evidence of: triangle, horizontal, vertical, diagonal.

A line serves one element: the sides of a triangle are no diagonals, lines that meet in a vanishing point are not
upright, and the walls of a broad box, or of two mirrored halves, are its outline and not what carries the picture.
"""

from __future__ import annotations

from crop_reasoning.composition import directions, triangles
from crop_reasoning.composition.directions import Converging
from crop_reasoning.composition.elements import THRESHOLD
from crop_reasoning.composition.evidence import Evidence
from crop_reasoning.composition.lines import Stretch
from crop_reasoning.composition.primitives import Frame
from crop_reasoning.composition.symmetry import Mirror
from crop_reasoning.composition.triangles import Triangle


def line_evidence(
    shown: list[Stretch], closed: tuple[Triangle, ...], frame: Frame, mirrored: Mirror | None
) -> tuple[list[Evidence], float | None]:
    """Evidence from the stretches that a frame shows and the triangles of its photo, and the tilt of the level line."""
    seen: list[Evidence] = []
    meeting = directions.converging(shown, frame)
    bounding = directions.walls(shown, frame, _axis(mirrored, frame))
    strength, triangle = max(
        ((triangles.strength(each, frame), each) for each in closed), key=lambda pair: pair[0], default=(0.0, None)
    )
    if triangle and strength > 0:
        corners = tuple(frame.shares(*corner) for corner in triangle.corners)
        seen.append(Evidence("triangle", strength, "three straight edges close a triangle", polygon=corners))
        if strength >= THRESHOLD:  # its sides are its own, and lines beside them are its strokes' other edges
            shown = [each for each in shown if not triangles.belongs(each, triangle, frame)]
            bounding |= {each.index for each in shown if triangles.carries(each, triangle, frame)}
            if meeting and not directions.in_perspective(meeting, triangle, frame):
                meeting = directions.converging(shown, frame)
    slanted, longest = directions.slanted_strength(shown, frame)
    if meeting and meeting.strength < THRESHOLD and not (longest and longest.index in meeting.indices):
        meeting = None
    if meeting:  # an upright one among leading lines leads, like the others
        shown = [each for each in shown if each.index not in meeting.indices]
    level, tilt = _level(shown, frame)
    seen += [*level, *_upright([each for each in shown if each.index not in bounding], frame)]
    if meeting:
        seen.append(_leading(meeting, slanted, frame))
    elif longest:
        share = round(100 * longest.seen / frame.diagonal)
        words = f"a slanted line of {round(longest.tilt)} degrees over {share} % of the diagonal"
        seen.append(Evidence("diagonal", slanted, words, line=_shares(longest, frame)))
    return seen, tilt


def _level(shown: list[Stretch], frame: Frame) -> tuple[list[Evidence], float | None]:
    strength, longest = directions.level_strength(shown, frame)
    if longest is None:
        return [], None
    words = f"a level line over {round(100 * longest.seen / frame.width)} % of the width"
    tilt = round(longest.line.slope, 2) if strength >= THRESHOLD else None
    return [Evidence("horizontal", strength, words, line=_shares(longest, frame))], tilt


def _axis(mirrored: Mirror | None, frame: Frame) -> float | None:
    """The place, in px, of an upright mirror axis that was seen."""
    if mirrored is None or not mirrored.upright or mirrored.strength < THRESHOLD:
        return None
    return frame.x1 + mirrored.place * frame.width


def _upright(shown: list[Stretch], frame: Frame) -> list[Evidence]:
    strength, longest = directions.upright_strength(shown, frame)
    if longest is None:
        return []
    words = f"an upright line over {round(100 * longest.seen / frame.height)} % of the height"
    return [Evidence("vertical", strength, words, line=_shares(longest, frame))]


def _leading(meeting: Converging, alone: float, frame: Frame) -> Evidence:
    members = tuple(_shares(each, frame) for each in meeting.members)
    point = ((meeting.point[0] - frame.x1) / frame.width, (meeting.point[1] - frame.y1) / frame.height)
    words = f"{len(members)} lines lead to one point"
    strength = max(meeting.strength, alone)
    return Evidence("diagonal", strength, words, line=members[0], vanishing=point, leading=members)


def _shares(stretch: Stretch, frame: Frame) -> tuple[float, float, float, float]:
    return (*frame.shares(*stretch.start), *frame.shares(*stretch.end))
