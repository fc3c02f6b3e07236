"""The report in a browser: what it shows, and that it loads nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image

from langchain_kimi.rag.answer import Answer, Citation, create_multimodal_rag
from langchain_kimi.testing import say
from tests.rag_answer.conftest import asked, number_of, plan

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


@pytest.fixture
def answer(library, kimi_server, llm) -> Answer:
    def draft(body):
        table = number_of(body, "report.pdf, page 3")
        talk = number_of(body, "talk.mp4, 00:02")
        return say(
            "Oats rose to 81 tonnes [1]. The millstone turns ninety times a minute [2]. "
            f'Wheat is blue [3].\n\nEvidence:\n[1] S{table} "Oats 77 81"\n'
            f'[2] S{talk} "turns ninety times a minute"\n[3] S{table} "wheat is blue"'
        )

    question = "Sales of oats <b>and</b> the speed of the millstone"
    kimi_server.respond_with(lambda b: plan(question) if len(b["messages"]) < 3 else draft(b))
    graph = create_multimodal_rag(library, llm, rounds=1)
    found: Answer = graph.invoke(asked(question))["answer"]
    return found


def test_the_report_holds_all_and_loads_nothing(answer, library) -> None:
    html = answer.to_html(library)
    assert "default-src 'none'" in html
    assert html.count("<figure") == 2
    assert html.count("data:image/jpeg") == 3
    assert "Oats | 77 | 81" in html
    assert "talk.mp4, 00:02" in html
    assert "[unverified]" in html
    assert "Quotes that were dropped" in html
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", html)
    assert "<b>and</b>" not in html


def test_markdown_is_shown_and_what_would_load_stays_text() -> None:
    text = (
        "## Sold\n\n- **oats** [1]\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n![x](http://a/b.png) "
        "[here](http://a) <http://a> <img src=x>\n\n[1]: http://a\n\n```[1]\n[7]\n```"
    )
    citation = Citation(number=1, id="x", file="a.pdf", sha256="0", page=1, quote="oats")
    page = Answer(question="?", text=text, status="answered", citations=(citation,)).to_html()

    assert "<h3>Sold</h3>" in page
    assert "<li><strong>oats</strong> <a href=" in page
    assert "<td>1</td>" in page
    assert "<pre><code>[7]\n</code></pre>" in page
    assert not re.search(r'(?:src|href)="(?!#)|<img|<http', page)


def test_sources_link_to_documents_from_where_the_page_lies(answer, library, tmp_path) -> None:
    html = answer.to_html(library, folder=tmp_path / "here")
    sources = {record.path: Path(record.source) for record in library.documents()}
    for citation in answer.citations:
        target = re.search(rf'href="([^"]*{re.escape(citation.file)})#', html)[1]
        assert (tmp_path / "here" / unquote(target)).resolve() == sources[citation.file].resolve()


def test_a_notebook_shows_it_with_thumbnails(answer) -> None:
    part = answer._repr_html_()
    assert part.count("data:image/jpeg") == 3
    assert "<html" not in part
    alone = Answer.model_validate(answer.model_dump())
    assert "data:image" not in alone._repr_html_()


@pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on the PATH (Debian: chromium)")
def test_it_is_shown_by_a_browser(answer, library, tmp_path) -> None:
    page, shot = tmp_path / "report.html", tmp_path / "shot.png"
    page.write_text(answer.to_html(library))
    base = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1000,2400",
    ]  # fmt: skip
    shown = [*base, f"--screenshot={shot}", page.as_uri()]
    subprocess.run(shown, check=True, capture_output=True, timeout=90)
    with Image.open(shot) as picture:
        colours = picture.convert("RGB").getcolors(picture.width * picture.height)
    reds = sum(n for n, (r, g, b) in colours if r > 190 and g < 90 and b < 70)
    assert reds > 300, "no outlined region is to be seen"
    read = [*base, "--dump-dom", page.as_uri()]
    done = subprocess.run(read, check=True, capture_output=True, timeout=90)
    assert b"Oats | 77 | 81" in done.stdout


def test_it_survives_json(answer) -> None:
    again = Answer.model_validate_json(json.dumps(answer.model_dump(mode="json")))
    assert again.citations == answer.citations
    assert again.citations[0].link == "report.pdf#page=3"
