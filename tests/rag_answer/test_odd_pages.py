"""Pages that are turned, cut, enormous or tiny: found, shown, cited and enlarged like others."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from langchain_kimi.rag import Box, Corpus, IngestOptions
from langchain_kimi.rag.answer import create_multimodal_rag, rag_tools
from langchain_kimi.rag.pictures import picture_of
from langchain_kimi.testing import say
from tests.rag.pdf_writer import PdfFile
from tests.rag_answer.conftest import asked, number_of, pictures, plan

TURNS = (0, 90, 180, 270)
POSTER = 14_400.0
QUOTES = {
    **{f"odd.pdf, page {n}": f"zebra {turn} eats" for n, turn in enumerate(TURNS, start=1)},
    "odd.pdf, page 5": "poster of elephants",
    "cut.pdf, page 1": "giraffe is tall",
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    folder: Path = tmp_path_factory.mktemp("odd")
    file = PdfFile(title="Odd pages")
    for turn in TURNS:
        file.page(rotate=turn).text(72, 100, f"The zebra {turn} eats grass", 14)
    file.page(width=POSTER, height=POSTER).text(7_000, 7_000, "The poster of elephants", 60)
    file.page(width=3.0, height=3.0).text(0, 0, "tiny", 1)
    (folder / "odd.pdf").write_bytes(file.to_bytes())
    cut = PdfFile(title="Cut")
    cut.page().text(200, 400, "The giraffe is tall", 12)
    media, crop = b"/MediaBox [0 0 612 792]", b"/CropBox [150 200 550 600] /MediaBox [0 0 612 792]"
    (folder / "cut.pdf").write_bytes(cut.to_bytes().replace(media, crop))
    corpus = Corpus(tmp_path_factory.mktemp("index"), ocr="none")
    corpus.ingest(folder, options=IngestOptions(workers=0))
    yield corpus
    corpus.close()


def test_their_quotes_are_boxed_where_they_are_shown(odd, kimi_server, llm) -> None:
    def draft(body):
        assert pictures(body) >= len(QUOTES) + 1
        cited = [
            f'[{n}] S{number_of(body, place)} "{quote}"'
            for n, (place, quote) in enumerate(QUOTES.items(), start=1)
        ]
        said = " ".join(f"It is {n} [{n}]." for n in range(1, len(QUOTES) + 1))
        return say(said + "\n\nEvidence:\n" + "\n".join(cited))

    kimi_server.respond_with(
        lambda b: plan("zebra giraffe") if len(b["messages"]) < 3 else draft(b)
    )
    answer = create_multimodal_rag(odd, llm).invoke(asked("zebra giraffe"))["answer"]
    assert answer.dropped == ()
    assert [one.quote for one in answer.citations] == list(QUOTES.values())
    assert answer.to_html(odd).count("data:image/jpeg") == 2 * len(QUOTES)
    for citation in answer.citations:
        (found,) = [one for one in odd.search(citation.quote, k=1) if one.page == citation.page]
        box = Box(*citation.box)
        inked, around = (
            picture_of(found, dpi=72, box=one).convert("L").histogram()
            for one in (box, box.grown(1.5))
        )
        assert sum(inked[:128]) > 20, "nothing is written where the quote is said to stand"
        assert citation.page_size == found.page_size
        assert sum(around) > sum(inked)


def test_a_part_of_a_poster_is_drawn_as_sharp_as_a_part_of_a_page(odd) -> None:
    (found,) = odd.search("poster of elephants", k=1)
    box = Box(7_000, 6_990, 7_720, 7_090)
    assert picture_of(found, dpi=144, box=box).size == (1_440, 200)
    tools = {tool.name: tool for tool in rag_tools(odd)}
    edges = {"left": 7_000 / POSTER, "top": 6_990 / POSTER, "right": 0.53, "bottom": 0.4925}
    page_id = f"{found.document.id}:{found.page}"
    _, block = tools["look_at"].invoke({"page_id": page_id, **edges})
    with Image.open(io.BytesIO(base64.b64decode(block["base64"]))) as seen:
        assert seen.width > 1_400
        tones = seen.convert("L").histogram()
    # an upscaled picture is all grey transitions; letters that are drawn are black and white
    assert sum(tones[:64]) > 4 * sum(tones[64:192])


def test_a_region_smaller_than_a_pixel_has_a_picture(odd) -> None:
    (found,) = odd.search("zebra 90", k=1)
    for box in (Box(10, 10, 10.001, 10.001), Box(791.9, 0, 792, 0.1)):
        assert min(picture_of(found, dpi=72, box=box).size) >= 1
    with pytest.raises(ValueError, match="lies outside the page"):
        picture_of(found, box=Box(900, 900, 950, 950))
