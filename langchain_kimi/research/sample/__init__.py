"""A small set of documents to try research on, drawn here: a mill that does not exist.

Two reports as PDF, notes in Markdown, a chart and a scanned delivery note as pictures, a short
film with subtitles; about 1 MB, under the project's licence.
"""

from pathlib import Path

from langchain_kimi.research.sample.film import write_film
from langchain_kimi.research.sample.pictures import draw_chart, draw_scan
from langchain_kimi.research.sample.reports import NOTES, REPAIRS, REPORT
from langchain_kimi.research.sample.sheets import write_pdf

__all__ = ["QUESTION", "write_sample"]

QUESTION = (
    "How many tonnes of oats were sold in 2025? What did the repair of the water wheel cost? "
    "Who delivered the oak for the new paddles? Which quarter used the most electricity? "
    "Why did the electric motor run? How many visitors came to the open days? "
    "When does the tour show the grain store?"
)


def write_sample(folder: Path) -> Path:
    """Write the documents into a folder; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_pdf(folder / "annual-report-2025.pdf", REPORT)
    write_pdf(folder / "repairs-2025.pdf", REPAIRS)
    (folder / "energy-notes.md").write_text(NOTES, "utf-8")
    draw_chart().save(folder / "electricity-2025.png")
    draw_scan().save(folder / "delivery-note-scan.jpg", quality=80)
    write_film(folder / "tour.mp4")
    return folder
