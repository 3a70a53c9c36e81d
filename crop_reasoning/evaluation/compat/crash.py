"""How a reference evaluator ends where it does not answer."""

from __future__ import annotations


class ReferenceCrash(Exception):
    """The reference raises here; `kind` is the name of the exception a user of it would see."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(f"{kind}: {why}")
        self.kind = kind
