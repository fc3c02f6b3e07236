"""Checks of requests: what each kind of server refuses, as strictly as it does.

Where the real server's words are known they are used; other texts are our own.
"""
