"""Which addresses are on the public internet.

The table is the package's own: `ipaddress.is_global` differs between Python's patch releases and
calls some addresses public that lead elsewhere.
"""

from __future__ import annotations

import ipaddress

_NOT_PUBLIC_V4 = [
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's NAT; a cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host, public in form only
        "169.254.0.0/16",  # link-local; clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocols; a cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
]
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = [
    ipaddress.IPv6Network(block)
    for block in (
        "2001::/23",  # IETF protocols: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which leads to an IPv4 address
        "3fff::/20",  # documentation
    )
]
_IPV4_INSIDE = [ipaddress.IPv6Network(block) for block in ("::ffff:0:0/96", "64:ff9b::/96")]
"""IPv4 written as IPv6 (mapped), and as a NAT64 gateway translates it: the last 32 bits count."""


def is_public(text: str) -> bool:
    """Say whether an address, and the IPv4 address inside it, is on the public internet."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if not any(address in block for block in _IPV4_INSIDE):
            return address in _PUBLIC_V6 and not any(address in b for b in _NOT_PUBLIC_V6)
        address = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return not any(address in block for block in _NOT_PUBLIC_V4)
