"""What LangGraph Server needs to be deployed: who may do what, health, figures and traces.

Everything is off unless the environment asks for it; see `docs/deploy.md`.
"""
