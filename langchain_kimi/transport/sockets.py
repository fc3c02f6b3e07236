"""Options of the sockets that wait for a thinking model."""

from __future__ import annotations

import socket

KEEP_SECONDS = 60.0
"""How long an idle connection is kept. Load balancers drop idle ones without a word, few sooner."""


def socket_options() -> list[tuple[int, int, int]]:
    """Return the options: no delay, and TCP keep-alive probes after a minute of silence.

    A model may think for many minutes before its first byte. Firewalls and load balancers forget
    a connection that is silent for so long (five minutes are common), and neither side is told.
    The probes keep it known, and tell within four minutes when the other side is gone.
    """
    probes = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 6}
    return [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        *(
            (socket.IPPROTO_TCP, getattr(socket, name), value)
            for name, value in probes.items()
            if hasattr(socket, name)  # macOS calls the first what others call the second
        ),
    ]
