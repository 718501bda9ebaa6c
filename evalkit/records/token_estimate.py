"""About how many tokens a text has, where no tokeniser is at hand and the answer may be rough."""

# English has about 4.2 bytes of UTF-8 a token, source code and most other languages near 3: so the
# estimate is rather too high than too low. What must never be exceeded is bounded by bytes instead.
BYTES_PER_TOKEN = 3


def estimate_tokens(text: str) -> int:
    """Tokens of a text, estimated: its bytes in UTF-8 by `BYTES_PER_TOKEN`, rounded up."""
    return -(-byte_size(text) // BYTES_PER_TOKEN)


def byte_size(text: str) -> int:
    """How many bytes the text has in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
