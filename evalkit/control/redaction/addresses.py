"""IP addresses, told from version numbers and times of day."""

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from evalkit.control.redaction.finding import Finding

_IPV4 = re.compile(r"\d(?<![\w.\-]\d)\d{0,2}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_VERSION = re.compile(r"(?i)(?:\bv|version|ver\.?|firmware|release|build|revision)[\s\"':=]{0,4}$")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
# Cheap signs of an IPv6 address: a gap, or three groups in a row.
_IPV6_GROUPS = re.compile(r":[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:")


def find_ips(text: str, lead: str) -> Iterator[Finding]:
    """Addresses of machines elsewhere; `lead` is what stands before the text."""
    for match in _IPV4.finditer(text):
        before = lead + text[max(0, match.start() - 16) : match.start()]
        if _VERSION.search(before):
            continue
        try:
            address = IPv4Address(match[0])
        except AddressValueError:
            continue
        if not (address.is_loopback or address.is_unspecified or match[0] == "255.255.255.255"):
            yield Finding(match.start(), match.end(), "IP", match[0])
    if "::" in text or _IPV6_GROUPS.search(text):
        yield from _find_ipv6(text)


def _find_ipv6(text: str) -> Iterator[Finding]:
    for match in _IPV6.finditer(text):
        groups = match[0].split(":")
        # a::b is code; an address has a digit and a group that is no abbreviation
        if not any(len(group) >= 3 for group in groups) or not re.search(r"\d", match[0]):
            continue
        try:
            six = IPv6Address(match[0])
        except AddressValueError:
            continue
        if not (six.is_loopback or six.is_unspecified):
            yield Finding(match.start(), match.end(), "IP", six.compressed)
