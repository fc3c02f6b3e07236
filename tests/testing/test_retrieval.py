"""The embedding and ranking routes are as strict as NVIDIA's reference."""

import base64
import io

import pytest
from PIL import Image

from langchain_kimi.testing.retrieval import EMBEDDING, RANKING

from .client import request

pytestmark = pytest.mark.kimi(dialect="nvidia")


def picture(color="red", kind="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), color).save(buffer, kind)
    return f"data:image/{kind.lower()};base64," + base64.b64encode(buffer.getvalue()).decode()


def embed(server, inputs, **fields):
    body = {"model": EMBEDDING, "input": inputs, **fields}
    return request(server, "/v1/embeddings", body)


def vectors(answer):
    return [entry["embedding"] for entry in answer.json["data"]]


def near(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_texts_with_the_same_words_are_near(kimi_server):
    mill, flour, sea = vectors(embed(kimi_server, ["rye mill", "rye flour", "blue sea"]))
    assert len(mill) == 2048
    assert near(mill, flour) > near(mill, sea)
    assert near(mill, mill) == pytest.approx(1.0)


def test_a_picture_is_a_passage_and_nothing_else(kimi_server):
    red, again, blue = vectors(embed(kimi_server, [picture(), picture(), picture("blue")]))
    assert red == again != blue
    assert "passage only" in embed(kimi_server, picture(), input_type="query").error
    assert "PNG or JPEG" in embed(kimi_server, picture(kind="GIF")).error
    assert embed(kimi_server, [picture()] * 9).status == 413


@pytest.mark.parametrize(
    ("inputs", "modality", "status"),
    [
        (["a"], "text", 200),
        ([picture()], "image", 200),
        ([f"a {picture()}"], "text_image", 200),
        (["a", picture()], ["text", "image"], 200),
        (["a", picture()], "image", 400),
        ([picture()], "text", 400),
        (["a"], ["text", "text"], 400),
    ],
)
def test_the_modality_is_that_of_the_inputs(kimi_server, inputs, modality, status):
    assert embed(kimi_server, inputs, modality=modality).status == status


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"input": []}, "not empty"),
        ({"input": [""]}, "not empty"),
        ({"input": 1}, "list of strings"),
        ({"images": 1}, "Unsupported parameter(s): `images`"),
        ({"input_type": "document"}, "query or passage"),
        ({"truncate": "MIDDLE"}, "NONE, START or END"),
        ({"input": "word " * 10_241}, "10240 tokens"),
        ({"model": "nvidia/other"}, "not found"),
        ({"dimensions": 4096}, "from 1 to 2048"),
    ],
)
def test_what_is_wrong_is_said(kimi_server, fields, message):
    body = {"model": EMBEDDING, "input": "x", **fields}
    answer = request(kimi_server, "/v1/embeddings", body)
    assert answer.status in {400, 404}
    assert message in answer.error


def test_long_texts_pass_when_they_may_be_cut(kimi_server):
    assert embed(kimi_server, "word " * 10_241, truncate="END").status == 200


def test_vectors_come_packed_when_asked(kimi_server):
    packed = vectors(embed(kimi_server, "x", encoding_format="base64", dimensions=8))[0]
    assert len(base64.b64decode(packed)) == 32


def rank(server, path="/v1/ranking", **fields):
    body = {
        "model": RANKING,
        "query": {"text": "rye flour"},
        "passages": [{"text": "sea"}, {"text": "flour of rye", "image": picture()}],
    }
    return request(server, path, {**body, **fields})


@pytest.mark.parametrize("path", ["/v1/ranking", f"/v1/retrieval/{RANKING}/reranking"])
def test_passages_are_ranked_by_shared_words(kimi_server, path):
    answer = rank(kimi_server, path)
    assert [entry["index"] for entry in answer.json["rankings"]] == [1, 0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"query": "rye"}, "object with `text`"),
        ({"query": {"text": "rye", "image": picture()}}, "object with `text`"),
        ({"passages": []}, "1 to 512"),
        ({"passages": [{"text": "a", "image": "page.png"}]}, "data URL"),
        ({"passages": [{"text": ""}]}, "needs `text` or `image`"),
        ({"passages": ["a"]}, "an object"),
        ({"passages": [{"text": 1}]}, "a string"),
        ({"top_n": 3}, "`top_n`"),
    ],
)
def test_what_is_wrong_with_a_ranking_is_said(kimi_server, fields, message):
    answer = rank(kimi_server, **fields)
    assert answer.status == 400
    assert message in answer.error


@pytest.mark.kimi(dialect="moonshot")
def test_moonshot_has_no_such_routes(kimi_server):
    assert embed(kimi_server, "x").status == 404
