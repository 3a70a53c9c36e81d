"""Chat messages to a crop request: one photo in the first user turn, then words and answers in turn.

This module owns what a conversation may look like. It takes images from data URLs only: it opens no file and no
address, whatever a message says.
"""

from __future__ import annotations

import base64
import binascii

from crop_reasoning.errors import DataError
from crop_reasoning.serving.answer import CropRequest, Turn
from crop_reasoning.serving.present import shown_in
from crop_reasoning.serving.schema import ChatMessage, ChatRequest, ImagePart, TextPart

NO_PHOTO = "no photo: expected an image_url part with a data URL (data:image/jpeg;base64,...) in the first user message"


def read_chat(chat: ChatRequest, id: str = "crop") -> tuple[bytes, CropRequest]:
    """The photo's bytes and what is asked about it; `DataError` says which message is not as expected.

    Texts of a system or developer message go to the model before the conversation.
    """
    dialog = [message for message in chat.messages if message.role in ("user", "assistant")]
    system = "\n".join(_text(message) for message in chat.messages if message.role in ("system", "developer"))
    for number, message in enumerate(dialog):
        expected = "assistant" if number % 2 else "user"
        if message.role != expected:
            raise DataError(f"message {number + 1} of the dialog is from {message.role}, expected from {expected}")
        if number and _images(message):
            raise DataError(f"message {number + 1} holds a photo: a conversation is about the photo of its first turn")
    if len(dialog) % 2 == 0:
        raise DataError("the last message must be from the user" if dialog else NO_PHOTO)
    images = _images(dialog[0])
    if len(images) != 1:
        raise DataError(f"{len(images)} photos in the first user message, expected one" if images else NO_PHOTO)
    history = tuple(
        Turn(_text(said), shown_in(_text(answered)) or _text(answered))
        for said, answered in zip(dialog[::2], dialog[1::2], strict=False)
    )
    request = CropRequest(
        words=_text(dialog[-1]),
        history=history,
        system=system,
        max_new_tokens=chat.token_limit,
        temperature=chat.temperature or 0.0,
        id=id,
    )
    return photo_bytes(images[0].image_url.url), request


def photo_bytes(url: str) -> bytes:
    """The bytes of a base64 data URL; `DataError` for every other kind of address, none of which is opened.

    >>> photo_bytes("data:image/png;base64,QUI=")
    b'AB'
    """
    scheme, _, rest = url.partition(":")
    if scheme.lower() != "data":
        raise DataError(
            f"the photo's address begins with {scheme[:12]!r}: this server opens neither web addresses nor files; "
            "send the photo itself as a data URL (data:image/jpeg;base64,...)"
        )
    head, comma, body = rest.partition(",")
    if not comma or not head.lower().startswith("image/") or not head.lower().endswith(";base64"):
        raise DataError("the data URL does not begin with data:image/...;base64, - encode the photo so")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as problem:
        raise DataError(f"the data URL is not valid base64 ({problem}); encode the photo's bytes anew") from None


def _text(message: ChatMessage) -> str:
    if isinstance(message.content, str) or message.content is None:
        return (message.content or "").strip()
    return "\n".join(part.text for part in message.content if isinstance(part, TextPart)).strip()


def _images(message: ChatMessage) -> list[ImagePart]:
    return (
        [part for part in message.content if isinstance(part, ImagePart)] if isinstance(message.content, list) else []
    )
