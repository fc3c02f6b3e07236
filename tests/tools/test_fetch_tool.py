"""The fetch tool: what it reaches and what it shows."""

import http.server
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, ClassVar

import pytest
import trustme

from langchain_kimi.tools import connection, fetch, fetch_tool
from langchain_kimi.tools.addresses import is_public
from langchain_kimi.tools.hosts import AllowedHosts
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
    "/idna": (200, {"Content-Type": "text/plain; charset=idna"}, b"a..b"),
    "/punycode": (200, {"Content-Type": "text/plain; charset=punycode"}, b"abc-9" * 9),
    "/base64": (200, {"Content-Type": "text/plain; charset=base64"}, b"%%%"),
    "/undefined": (200, {"Content-Type": 'text/plain; charset="undefined"'}, b"no"),
    "/nul": (200, {"Content-Type": "text/plain; charset*=a%00b''x; charset=\"\x01\""}, b"nul"),
    "/iso99": (200, {"Content-Type": "text/plain; charset=iso-8859-99"}, b"iso"),
    "/koi8": (200, {"Content-Type": "text/plain;charset='KOI8-R'"}, b"\xcd\xc9\xd2"),
    "/typeless": (200, {}, b"plain"),
    "/short": (200, {"Content-Type": "text/plain", "Content-Length": "99"}, b"cut off"),
    "/nowhere": (302, {"Location": "http://[oops"}, b""),
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
        ("/idna", "a..b"),
        ("/punycode", "abc-9" * 9),
        ("/base64", "%%%"),
        ("/undefined", "no"),
        ("/nul", "nul"),
        ("/iso99", "iso"),
        ("/koi8", "мир"),
        ("/typeless", "plain"),
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
        ("/short", "could not be fetched: IncompleteRead"),
        ("/nowhere", "leads to 'http://[oops', which is not a URL"),
        ("/" + "x" * 5_000, "The URL is longer than 4,000 characters"),
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


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch) -> None:
    answers = [["93.184.216.34", "2606:4700::1111"], ["127.0.0.1"], ["127.0.0.1"]]
    connected: list[str] = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", (address, port)) for address in answers.pop(0)]

    def connect(address: tuple[str, int], timeout: float) -> Any:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    monkeypatch.setattr("socket.create_connection", connect)
    result = fetch_tool(["rebound.example"]).invoke({"url": "https://rebound.example/"})
    assert "could not be fetched: ConnectionRefusedError" in result
    assert connected == ["93.184.216.34", "2606:4700::1111"]
    assert "private address" in fetch_tool(["rebound.example"]).invoke(
        {"url": "https://rebound.example/"}
    )


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_server_that_trickles_is_cut_off(monkeypatch, head: bytes) -> None:
    """Every byte comes well before a timeout for each read would end; only a total one does."""
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 0.5)
    is_over = threading.Event()

    class Trickle(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(head)
            with suppress(OSError):
                while not is_over.wait(0.02):
                    self.request.sendall(b"x")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Trickle) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        site = f"127.0.0.1:{server.server_address[1]}"
        tool = fetch_tool(private_hosts=[site], allow_http=True)
        try:
            assert "TimeoutError" in tool.invoke({"url": f"http://{site}/"})
        finally:
            is_over.set()
            server.shutdown()
            thread.join()


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 0.2)
    is_over = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: is_over.wait(60) and [])
    answer = fetch_tool(["slow.example"]).invoke({"url": "https://slow.example/"})
    is_over.set()
    assert answer == ("The host 'slow.example' could not be resolved: no answer within 0 seconds.")


def test_the_deadline_holds_over_redirects() -> None:
    with pytest.raises(TimeoutError, match="no end within 0 seconds"):
        connection.Deadline(0).left()


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
        assert hosts.check(url, seconds=5).addresses == ("93.184.216.34",)
    else:
        with pytest.raises(Exception, match=r"not on the list|user name"):
            hosts.check(url, seconds=5)


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
        ("1.1.1.1", True),
        ("192.0.1.1", True),
        ("100.63.255.255", True),
        ("100.128.0.1", True),
        ("198.17.255.255", True),
        ("198.20.0.0", True),
        ("172.15.0.1", True),
        ("172.32.0.1", True),
        ("223.255.255.255", True),
        ("2a00:1450:4001:82b::200e", True),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::5db8:d822", True),
        ("2001:200::1", True),
        ("2003::1", True),
        ("0.0.0.0", False),
        ("0.1.2.3", False),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("100.100.100.200", False),
        ("127.0.0.1", False),
        ("127.255.255.254", False),
        ("168.63.129.16", False),
        ("169.254.169.254", False),
        ("172.16.0.1", False),
        ("172.31.255.255", False),
        ("192.0.0.1", False),
        ("192.0.0.9", False),
        ("192.0.0.10", False),
        ("192.0.0.192", False),
        ("192.0.2.1", False),
        ("192.88.99.1", False),
        ("192.168.1.1", False),
        ("198.18.0.1", False),
        ("198.19.255.255", False),
        ("198.51.100.1", False),
        ("203.0.113.1", False),
        ("224.0.0.1", False),
        ("239.255.255.255", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::7f00:1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("fd00::1", False),
        ("fd00:ec2::254", False),
        ("ff02::1", False),
        ("ff0e::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::5db8:d822", False),
        ("2002:7f00:1::", False),
        ("2002:5db8:d822::", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
        ("2001:2::1", False),
        ("2001:10::1", False),
        ("2001:20::1", False),
        ("2001:db8::1", False),
        ("3fff::1", False),
        ("100::1", False),
        ("5f00::1", False),
        ("4000::1", False),
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


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a <b title='x > y'>b</b> c", "a b c"),
        ('<p title="it\'s">x</p>', "x"),
        ("<a href=it's>x</a>", "x"),
        ("1 < 2 && 3 > 2", "1 < 2 && 3 > 2"),
        ("x<!-- <p>no</p> -->y<!>z", "xyz"),
        ("<SCRIPT>no</Script >yes", "yes"),
        ("<script>'</scripted>'</script>yes", "yes"),
        ("<style>never closed", ""),
        ("<svg><text>no</text></svg>yes<svg/>too", "yestoo"),
        ("</svg></p>yes", "yes"),
        ("<p", ""),
        ("<", "<"),
        ("&eacute;&#233;&#xe9;&nope;", "ééé&nope;"),
        ("&#" + "9" * 5_000 + ";", "&#" + "9" * 5_000 + ";"),
        ("<ul><li>a</li>\n<li>b</li></ul>", "a\nb"),
    ],
)
def test_page_text_reads_as_a_browser_does(page: str, text: str) -> None:
    assert page_text(page) == text


@pytest.mark.parametrize(
    "unit", ["<", "<a", "<!--", "<![CDATA[", "<?", "&#", "<a b='", '<a b="', "<a =", " <b>", "\t"]
)
def test_no_page_takes_quadratic_time(unit: str) -> None:
    assert len(page_text(unit * 400_000)) <= len(unit) * 400_000
