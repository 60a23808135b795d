"""Run in a kernel before a lesson: from then on every way to another machine is closed, for all of Python's libraries.

Everything in the course has to run without a network; a lesson that tried to reach one would fail here.
"""

import socket

LOCAL = ("127.0.0.1", "::1", "localhost", None, "")


class NoNetwork(OSError):
    """Raised in place of a connection."""


def _refuse(place):
    raise NoNetwork(f"The lesson tried to reach {place!r}: lessons run offline.")


def close() -> None:
    """Close the ways: connecting, sending and looking names up. What stays on this machine goes on."""
    for name in ("connect", "connect_ex", "sendto"):
        usual = getattr(socket.socket, name)

        def guarded(self, *args, usual=usual):
            address = args[-1]
            if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOCAL:
                _refuse(address)
            return usual(self, *args)

        setattr(socket.socket, name, guarded)
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        usual = getattr(socket, name)

        def looked_up(host, *args, usual=usual, **kwargs):
            if (host.decode() if isinstance(host, bytes) else host) not in LOCAL:
                _refuse(host)
            return usual(host, *args, **kwargs)

        setattr(socket, name, looked_up)


close()
