"""The fetch tool: what it reaches and what it shows."""

import http.server
import ssl
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import trustme

from langchain_kimi.tools import fetch_tool
from langchain_kimi.tools.hosts import AllowedHosts, is_public
from langchain_kimi.tools.page_text import page_text

PAGES: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/plain": (200, {"Content-Type": "text/plain"}, b"hello"),
    "/page?q=1": (
        200,
        {"Content-Type": "text/html; charset=latin-1"},
        b"<html><head><title>T</title><script>no()</script></head><body><p>caf\xe9</p></body>",
    ),
    "/json": (200, {"Content-Type": "application/json"}, b'{"a": 1}'),
    "/picture": (200, {"Content-Type": "image/png"}, b"\x89PNG"),
    "/gone": (410, {"Content-Type": "text/plain"}, b"gone"),
    "/long": (200, {"Content-Type": "text/plain"}, b"x" * 3_000_000),
    "/empty": (200, {"Content-Type": "text/plain"}, b""),
    "/packed": (200, {"Content-Type": "text/plain", "Content-Encoding": "gzip"}, b"\x1f\x8b"),
    "/odd": (200, {"Content-Type": "text/plain; charset=klingon"}, b"Qapla'"),
    "/hop": (302, {"Location": "/plain"}, b""),
    "/loop": (302, {"Location": "/loop"}, b""),
    "/away": (302, {"Location": "https://elsewhere.example/"}, b""),
    "/down": (302, {"Location": "file:///etc/passwd"}, b""),
    "/caf%C3%A9": (200, {"Content-Type": "text/plain"}, b"quoted"),
}


class Pages(http.server.BaseHTTPRequestHandler):
    seen: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.seen.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
        status, headers, body = PAGES.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    Pages.seen.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def site(server: http.server.ThreadingHTTPServer) -> str:
    return f"localhost:{server.server_port}"


@pytest.fixture
def use(site: str) -> Any:
    tool = fetch_tool(private_hosts=[site], allow_http=True)

    def use(url: str, **args: Any) -> Any:
        full = url if "://" in url else f"http://{site}{url}"
        return tool.invoke(
            {"name": "fetch_url", "args": {"url": full, **args}, "id": "1", "type": "tool_call"}
        )

    return use


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/plain", "hello"),
        ("/page?q=1", "T\ncafé"),
        ("/json", '{"a": 1}'),
        ("/hop", "hello"),
        ("/empty", "[empty page]"),
        ("/odd", "Qapla'"),
        ("/café", "quoted"),
        ("/plain#part", "hello"),
    ],
)
def test_text_is_returned(use, path: str, text: str) -> None:
    result = use(path)
    assert (result.status, result.content) == ("success", text)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("/picture", "is image/png, not text"),
        ("/gone", "answered 410 Gone"),
        ("/missing", "answered 404"),
        ("/packed", "was sent compressed"),
        ("/loop", "More than 5 redirects"),
        ("/away", "'elsewhere.example' is not on the list of allowed hosts: localhost:"),
        ("/down", "only https and http URLs"),
        ("ftp://localhost/x", "only https and http URLs"),
        ("http://user:pass@localhost/", "user name or password"),
        ("http://localhost/plain", "is not on the list"),
        ("http://127.0.0.1/plain", "is not on the list"),
        ("http://localhost:99999/", "is not a URL"),
        ("http://local host/", "white space"),
    ],
)
def test_refusals_give_the_reason(use, url: str, reason: str) -> None:
    result = use(url)
    assert result.status == "error"
    assert reason in result.content
    assert "pass@" not in result.content


def test_long_texts_come_in_parts(use) -> None:
    first = use("/long").content
    assert first.endswith("[1,980,047 more characters; go on with start=20000]")
    assert use("/long", start=1_999_990).content == (
        "x" * 10 + "\n[cut: the page is longer than 2,000,000 bytes]"
    )
    assert "ends before" in use("/long", start=9_000_000).content


def test_nothing_of_the_caller_is_sent(use, monkeypatch, tmp_path, site: str) -> None:
    (tmp_path / ".netrc").write_text("machine localhost login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    use("/plain")
    (request,) = Pages.seen
    assert request["host"] == site
    assert not {"authorization", "cookie"} & set(request)


def test_a_host_with_a_private_address_is_refused(monkeypatch, site: str) -> None:
    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(2, 1, 6, "", (address, port)) for address in ("93.184.216.34", "127.0.0.1")]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    result = fetch_tool(["docs.example.org"]).invoke(
        {"name": "fetch_url", "args": {"url": "https://docs.example.org/"}, "id": "1",
         "type": "tool_call"}
    )  # fmt: skip
    assert result.content == "The host 'docs.example.org' has a private address and is not fetched."


def test_http_is_refused_by_default(site: str) -> None:
    tool = fetch_tool(private_hosts=[site])
    assert "only https URLs" in tool.invoke({"url": f"http://{site}/plain"})


def test_tls_is_verified_against_the_name(server, monkeypatch, tmp_path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    url = f"https://localhost:{server.server_port}/plain"
    tool = fetch_tool(private_hosts=[f"localhost:{server.server_port}"])
    assert "CERTIFICATE_VERIFY_FAILED" in tool.invoke({"url": url})
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert tool.invoke({"url": url}) == "hello"
    by_number = fetch_tool(private_hosts=[f"127.0.0.1:{server.server_port}"])
    assert "mismatch" in by_number.invoke({"url": url.replace("localhost", "127.0.0.1")})


@pytest.mark.parametrize(
    ("entries", "url", "allowed"),
    [
        (["example.org"], "https://example.org/", True),
        (["example.org"], "https://EXAMPLE.org./", True),
        (["example.org"], "https://example.org:443/", True),
        (["example.org"], "https://example.org:8443/", False),
        (["example.org:8443"], "https://example.org:8443/", True),
        (["example.org:8443"], "https://example.org/", False),
        (["example.org"], "https://a.example.org/", False),
        (["*.example.org"], "https://a.b.example.org/", True),
        (["*.example.org"], "https://example.org/", False),
        (["*.example.org"], "https://badexample.org/", False),
        (["example.org"], "https://example.org.evil.test/", False),
        (["example.org"], "https://evil.test/example.org", False),
        (["example.org"], "https://evil.test\\@example.org/", False),
        (["xn--bcher-kva.example"], "https://bücher.example/", True),
        (["[2606:4700::1111]"], "https://[2606:4700::1111]/", True),
    ],
)
def test_the_list(monkeypatch, entries: list[str], url: str, allowed: bool) -> None:
    public = [(2, 1, 6, "", ("93.184.216.34", 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: public)
    hosts = AllowedHosts(entries)
    if allowed:
        assert hosts.check(url).addresses == ("93.184.216.34",)
    else:
        with pytest.raises(Exception, match=r"not on the list|user name"):
            hosts.check(url)


@pytest.mark.parametrize(
    "entry", ["", "https://a.org", "a.org/x", "me@a.org", "*", "a.*.org", "a:b", "a:"]
)
def test_an_entry_must_be_a_host(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a host"):
        fetch_tool([entry])


def test_a_list_must_not_be_empty() -> None:
    with pytest.raises(ValueError, match="No hosts are allowed"):
        fetch_tool()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_page_text_keeps_the_words() -> None:
    html = """<!doctype html><title>Head</title><style>p{}</style>
    <h1>One &amp; two</h1><p>A <b>bold</b>
    word.</p><ul><li>x</li><li>y</ul><table><tr><td>1<td>2</table>
    <script>let a = "<p>";</script>end"""
    assert page_text(html) == "Head\nOne & two\nA bold word.\nx\ny\n1\t2\nend"
