"""Tests of the transport, against bytes on loopback sockets."""
