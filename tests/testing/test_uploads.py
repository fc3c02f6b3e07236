"""Moonshot's files and NVIDIA's assets."""

import pytest

from .client import chat, request
from .pictures import data_url, picture_message, png

FORM = (
    b"--b\r\n"
    b'Content-Disposition: form-data; name="purpose"\r\n\r\nimage\r\n'
    b"--b\r\n"
    b'Content-Disposition: form-data; name="file"; filename="a.png"\r\n'
    b"Content-Type: image/png\r\n\r\n" + png(64, 64) + b"\r\n--b--\r\n"
)
ANNOUNCED = {"contentType": "image/png", "description": "a chart"}
SIGNED = {"Content-Type": "image/png", "x-amz-meta-nvcf-asset-description": "a chart"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.kimi(dialect="moonshot")
def test_an_uploaded_file_may_be_named(kimi_server):
    uploaded = request(kimi_server, "/v1/files", FORM, **MULTIPART).json

    answer = chat(kimi_server, messages=[picture_message(f"ms://{uploaded['id']}")])

    assert uploaded["filename"] == "a.png"
    assert uploaded["purpose"] == "image"
    assert uploaded["bytes"] == len(png(64, 64))
    assert answer.status == 200
    assert request(kimi_server, "/v1/files").json["data"] == [uploaded]
    assert request(kimi_server, f"/v1/files/{uploaded['id']}").json == uploaded


@pytest.mark.kimi(dialect="moonshot")
def test_a_deleted_file_is_gone(kimi_server):
    uploaded = request(kimi_server, "/v1/files", FORM, **MULTIPART).json
    path = f"/v1/files/{uploaded['id']}"

    deleted = request(kimi_server, path, method="DELETE").json

    assert deleted["deleted"] is True
    assert request(kimi_server, path).status == 404
    answer = chat(kimi_server, messages=[picture_message(f"ms://{uploaded['id']}")])
    assert answer.status == 400


@pytest.mark.kimi(dialect="moonshot")
def test_an_unknown_purpose_is_refused(kimi_server):
    answer = request(kimi_server, "/v1/files", FORM.replace(b"\nimage", b"\nfun"), **MULTIPART)

    assert answer.status == 400
    assert "purpose" in answer.error


@pytest.mark.kimi(dialect="moonshot")
def test_public_urls_are_refused_by_moonshot(kimi_server):
    answer = chat(kimi_server, messages=[picture_message("https://example.com/a.png")])

    assert answer.status == 400
    assert "unsupported image url" in answer.error


@pytest.mark.kimi(dialect="nvidia")
def test_an_asset_counts_once_its_bytes_are_there(kimi_server):
    asset = request(kimi_server, "/v2/nvcf/assets", ANNOUNCED).json
    message = picture_message(f"data:image/png;asset_id,{asset['assetId']}")

    announced = chat(kimi_server, messages=[message])
    path = asset["uploadUrl"].removeprefix(kimi_server.base_url.removesuffix("/v1"))
    request(kimi_server, path, png(64, 64), method="PUT", **SIGNED)

    assert announced.status == 400
    assert "not found" in announced.error
    assert chat(kimi_server, messages=[message]).status == 200


@pytest.mark.kimi(dialect="nvidia")
def test_inline_pictures_need_no_asset(kimi_server):
    assert chat(kimi_server, messages=[picture_message(data_url(png(64, 64)))]).status == 200


@pytest.mark.kimi(dialect="nvidia", api_key="nvapi-k")
def test_the_signed_address_takes_no_key(kimi_server):
    key = {"Authorization": "Bearer nvapi-k"}
    assert request(kimi_server, "/v2/nvcf/assets", ANNOUNCED).status == 401
    asset = request(kimi_server, "/v2/nvcf/assets", ANNOUNCED, **key).json
    path = asset["uploadUrl"].removeprefix(kimi_server.base_url.removesuffix("/v1"))

    def put(**headers):
        return request(kimi_server, path, png(64, 64), method="PUT", **headers)

    assert put(**SIGNED, **key).status == 400
    assert put(**{**SIGNED, "Content-Type": "image/jpeg"}).status == 403
    assert put(**{"Content-Type": "image/png"}).status == 403
    assert put(**SIGNED).status == 200


@pytest.mark.kimi(dialect="nvidia", api_key="nvapi-k")
def test_everything_else_takes_the_key(kimi_server):
    for path in ("/v1/models", "/v1/chat/completions", "/v2/nvcf/assets", "/nowhere"):
        assert request(kimi_server, path).status == 401
