"""Run the command line as `python -m langchain_kimi.cli`."""

from langchain_kimi.cli.app import app

app(prog_name="langchain-kimi")
