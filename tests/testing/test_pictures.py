"""Pictures in requests: read, checked, counted."""

import pytest

from langchain_kimi.testing.images import picture_format, picture_size
from langchain_kimi.testing.tokens import picture_tokens

from .client import DIALECTS, chat
from .pictures import data_url, gif, jpeg, picture_message, png, webp

FORMATS = {"png": png, "gif": gif, "jpeg": jpeg, "webp": webp}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_and_sizes_are_read_from_the_bytes(name):
    data = FORMATS[name](640, 480)

    assert picture_format(data) == name
    assert picture_size({"url": data_url(data, "image/whatever")}) == (640, 480)


@pytest.mark.parametrize(
    ("size", "tokens"),
    [((640, 480), 414), ((28, 28), 1), ((1, 1), 1), ((29, 28), 2), ((1792, 1792), 4096)],
)
def test_the_cost_of_a_size(size, tokens):
    assert picture_tokens(*size) == tokens


def test_huge_pictures_are_scaled_down():
    assert picture_tokens(10_000, 10_000) <= 4225


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_picture_is_counted_in_the_usage(kimi_server_factory, dialect):
    server = kimi_server_factory(dialect)
    plain = {"role": "user", "content": "What is this?"}
    pictured = picture_message(data_url(png(640, 480)))

    without = chat(server, messages=[plain]).json["usage"]["prompt_tokens"]
    counted = chat(server, messages=[pictured]).json["usage"]["prompt_tokens"]

    assert counted - without == 414


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "url", ["data:image/png;base64,@@@", data_url(b"no picture at all"), "data:image/png,abc"]
)
def test_what_is_no_picture_is_refused(kimi_server_factory, dialect, url):
    answer = chat(kimi_server_factory(dialect), messages=[picture_message(url)])

    assert answer.status == 400


@pytest.mark.parametrize("dialect", ["vllm", "sglang"])
def test_video_makes_self_hosted_servers_fail(kimi_server_factory, dialect):
    part = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}

    answer = chat(kimi_server_factory(dialect), messages=[{"role": "user", "content": [part]}])

    assert answer.status == 500


def test_file_urls_make_vllm_fail(kimi_server):
    answer = chat(kimi_server, messages=[picture_message("file:///etc/hosts")])

    assert answer.status == 500
