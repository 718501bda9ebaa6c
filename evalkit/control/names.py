"""Names of tools as policies compare them."""


def folded(name: str) -> str:
    """Without the white space around it and in one case: `Send_Email ` is `send_email`."""
    return name.strip().casefold()
