"""The Kimi dialect as pure functions: messages to request JSON, reply JSON to messages.

Nothing here opens a socket, knows the model class or has heard of LangGraph.
"""
