"""A bound on how much text is matched word by word while a report is written."""

import msgspec


class Effort(msgspec.Struct):
    """What is left of it, in pairs of characters: matching is quadratic at worst.

    The default takes about a third of a second. Past it texts are shown unmatched; the page's
    script matches those of the case that is open by itself.
    """

    left: int = 24_000_000

    def allows(self, before: str, after: str) -> bool:
        """Whether these two may be matched, which is then paid for."""
        pairs = len(before) * len(after)
        if pairs > self.left:
            return False
        self.left -= pairs
        return True
