"""Rationales by a teacher for a built data set: asked over HTTP, verified, and written like any other author's.

What was answered is in the journal before anything else happens with it. `teacher_batch` asks by files instead.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path

from PIL import Image

from crop_reasoning.authors.facts import known
from crop_reasoning.authors.teacher import PHOTO_ONLY, Assignment, Judged, Reply, Teacher, judge, key
from crop_reasoning.authors.teacher_evidence import draft, evidence_text
from crop_reasoning.authors.teacher_prompt import request_body
from crop_reasoning.composition.analysis import Measured, analyse_crop, measure
from crop_reasoning.composition.render import MODEL, render
from crop_reasoning.engines.openai import answer_text
from crop_reasoning.engines.patience import Ask, Filtered, Json, Patience, Unanswered, patient_ask
from crop_reasoning.errors import CropReasoningError, DataError, Interrupted
from crop_reasoning.geometry import WHOLE
from crop_reasoning.images import load_recorded
from crop_reasoning.log import progress, say
from crop_reasoning.records import CropRecord
from data_builders.teacher_journal import JOURNAL, Entry, Item, Journal, by_record, opened, wanted
from data_builders.teacher_lines import write_answers

PROJECTED_AFTER = 10
"""Photos after which the whole cost is foretold."""


class Lesson:
    """One record's photo, opened and measured only when something is to be asked or judged."""

    def __init__(self, folder: Path, record: CropRecord, teacher: Teacher) -> None:
        self._folder, self.record, self._teacher = folder, record, teacher

    @cached_property
    def _image(self) -> Image.Image:
        image = self.record.image
        return load_recorded(self._folder / image.path, image.wh, image.sha256)

    @cached_property
    def measured(self) -> Measured:
        return known(self.record, measure(self._image))

    @cached_property
    def _pictures(self) -> tuple[Image.Image, ...]:
        if self._teacher.prompt_id == PHOTO_ONLY:
            return (self._image,)
        return (self._image, render(self._image, analyse_crop(self.measured, WHOLE), MODEL))

    def request(self, item: Item, journal: Journal) -> tuple[Assignment, Json]:
        """What is asked next for an item, and the body of the request; earlier replies are told what was wrong."""
        unordered = sorted(item.targets, key=lambda box: box.xyxy)  # nothing that is sent hangs on which is preferred
        drawn = key(item.record, unordered, self._teacher)
        drafted = draft(item.record, item.targets, self.measured, int(drawn[:12], 16))
        boxes = tuple(proposal.box for proposal in drafted.proposals)
        assignment = Assignment(item.record, item.targets, boxes, item.pair)
        earlier = [
            (entry.reply, entry.judged)
            for entry in journal.replied(item)
            if entry.reply and entry.judged and entry.proposals == boxes
        ]
        evidence = evidence_text(drafted, self.measured, assignment.plan)
        manner = int(drawn[12:18], 16)
        return assignment, request_body(assignment, evidence, self._pictures, self._teacher, earlier, manner)

    def judge(self, item: Item, entry: Entry) -> Judged:
        """The verdict on a reply to an item."""
        assert entry.reply is not None
        return judge(entry.reply, Assignment(item.record, item.targets, entry.proposals, item.pair), self.measured)

    def judge_again(self, item: Item, journal: Journal) -> None:
        """Judge the replies that this version of the verifier has not seen."""
        for attempt, entry in enumerate(journal.entries(item)):
            if entry.reply and entry.judged is None:
                judged = self.judge(item, entry)
                journal.note(item, attempt, Entry(entry.proposals, entry.reply, judged))


def teach(
    folder: Path | str,
    teacher: Teacher,
    base_url: str,
    *,
    split: str | None = None,
    limit: int | None = None,
    concurrency: int = 8,
    patience: Patience | None = None,
) -> Json:
    """Ask for every answer that is missing, then write what was accepted and list what was not; the counts.

    What was answered stands in `teacher.journal`, whatever happens: a repeated call asks for the rest only.
    `Interrupted` on Ctrl-C; errors as of `engines.patience`, and one if nobody answers any more.
    """
    folder, trouble, stop = Path(folder), Counter[str](), threading.Event()
    ask = patient_ask(base_url, patience or Patience(), stop, trouble)
    with opened(folder) as journal:
        items = wanted(folder, teacher, split, limit)
        before = journal.tokens(items)
        unanswered = _ask_all(folder, items, teacher, journal, ask, concurrency, stop)
        found = write_answers(folder, items, teacher, journal, unanswered)
        now = journal.tokens(items)
    spent = {"prompt": now[0], "completion": now[1]}
    this_run = {"prompt": now[0] - before[0], "completion": now[1] - before[1]}
    return {**found, "asked_again": dict(trouble), "tokens": spent, "tokens_this_run": this_run}


def _ask_all(
    folder: Path,
    items: Sequence[Item],
    teacher: Teacher,
    journal: Journal,
    ask: Ask,
    concurrency: int,
    stop: threading.Event,
) -> dict[str, CropReasoningError]:
    """Work through the open items in threads, a record at a time; why items stay open, by key."""
    lessons = by_record([item for item in items if journal.is_open(item)])
    unanswered: dict[str, CropReasoningError] = {}

    def work(its_items: list[Item]) -> None:
        lesson = Lesson(folder, its_items[0].record, teacher)
        for place, item in enumerate(its_items):
            try:
                _ask_one(lesson, item, journal, ask, stop)
            except (Unanswered, DataError) as problem:  # it would befall the photo's other items, too
                unanswered.update({other.key: problem for other in its_items[place:]})
                return

    in_a_row, start = 0, journal.tokens(items)
    try:
        with closing(in_threads(lessons, work, concurrency, stop)) as finished:
            for done, its_items in enumerate(progress(finished, "photos asked about", len(lessons)), 1):
                problem = unanswered.get(its_items[-1].key)
                in_a_row = in_a_row + 1 if isinstance(problem, Unanswered) else 0
                if in_a_row > concurrency:
                    raise CropReasoningError(
                        f"{problem}; nobody answers any more, so the work stops; what was answered is kept in "
                        f"{folder / JOURNAL}: run the same command again"
                    )
                if done == PROJECTED_AFTER:
                    say(_projection(start, journal.tokens(items), done, len(lessons)))
    except KeyboardInterrupt:
        raise Interrupted(
            f"{folder}: stopped by hand; what was answered is kept in {JOURNAL}: run the same command again"
        ) from None
    return unanswered


def _ask_one(lesson: Lesson, item: Item, journal: Journal, ask: Ask, stop: threading.Event) -> None:
    lesson.judge_again(item, journal)
    while journal.is_open(item):
        if stop.is_set():
            raise Unanswered("stopped", "the work was stopped")
        assignment, body = lesson.request(item, journal)
        try:
            reply = reply_from(ask(body))
        except Filtered as problem:
            reply = Reply("", refusal=str(problem))
        entry = Entry(assignment.proposals, reply)
        attempt = len(journal.replied(item))
        journal.note(item, attempt, Entry(assignment.proposals, reply, lesson.judge(item, entry)))


def in_threads(
    jobs: Sequence[list[Item]], work: Callable[[list[Item]], None], threads: int, stop: threading.Event
) -> Generator[list[Item]]:
    """Do the jobs in at most `threads` threads and yield each when it is done; what `work` raises is raised here.

    Whatever ends it early, Ctrl-C for instance: no new job begins then, and those under way are awaited, for their
    answers are paid for; a second Ctrl-C gives them up.
    """
    waiting: queue.SimpleQueue[list[Item]] = queue.SimpleQueue()
    done: queue.SimpleQueue[list[Item] | BaseException] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)

    def run() -> None:
        while not stop.is_set():
            try:
                job = waiting.get_nowait()
                work(job)
                done.put(job)
            except queue.Empty:
                return
            except BaseException as problem:
                done.put(problem)
                return

    crew = [threading.Thread(target=run, daemon=True) for _ in range(min(threads, len(jobs)))]
    for thread in crew:
        thread.start()
    try:
        for _ in jobs:
            found = done.get()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        stop.set()
        if under_way := sum(thread.is_alive() for thread in crew):
            say(f"stopping: what is under way for {under_way} photos is awaited; Ctrl-C gives it up")
        for thread in crew:
            thread.join()


def reply_from(body: Json) -> Reply:
    """The reply in the body of a chat completion; parts that are missing count as empty."""
    choice = body["choices"][0]
    message = choice.get("message") or {}
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    usage = body.get("usage") or {}
    return Reply(
        text=answer_text(reasoning, message.get("content") or ""),
        finish_reason=choice.get("finish_reason") or "stop",
        refusal=message.get("refusal") or "",
        tokens=(usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0),
    )


def _projection(start: tuple[int, int], now: tuple[int, int], done: int, total: int) -> str:
    read, written = (after - before for before, after in zip(start, now, strict=True))
    return (
        f"after {done} of {total:,} photos: {read:,} tokens read and {written:,} written; "
        f"about {read * total // done:,} and {written * total // done:,} for all"
    )
