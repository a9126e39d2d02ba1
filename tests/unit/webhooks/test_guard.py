"""Where webhooks may be sent: every hostile form of an address is refused, by its text or by where it leads."""

import re
from ipaddress import ip_address

import pytest

from ekiden.webhooks.guard import PUBLIC, Allowed, Forbidden, check, is_public

NOBODY = Allowed()
HOSTILE = [
    # loopback and its spellings
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1.",
    "https://127.0.0.1./",
    "https://127.000.000.001/",
    "https://0/",
    "https://0.0.0.0/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:53aa:64c::1]/",
    "https://[fe80::1%25eth0]/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://me.localhost/",
    "https://localhost.localdomain.local/",
    # private networks and what answers there
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://2852039166/",
    "https://[fd00:ec2::254]/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://metadata/",
    "https://mongodb:27017/",
    "https://kubernetes.default.svc.cluster.local/",
    "https://printer.home.arpa/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    # numbers of the public Internet have no name either
    "https://8.8.8.8/",
    # one host for the eye and another for the machine
    "https://example.com@127.0.0.1/",
    "https://user:password@example.com/",
    "https://@example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://127.0.0.1\\@example.com/",
    "https://example.com#@127.0.0.1/",
    "https://example.com?@127.0.0.1/",
    "https://example.com%2f@127.0.0.1/",
    "https://127.0.0.1%00.example.com/",
    "https://127%2e0%2e0%2e1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://ｌｏｃａｌｈｏｓｔ/",
    "https://exam\u00adple.com/",
    "https://exаmple.com/",
    "https://example.com\u2024internal/",
    # other protocols, and things in between
    "http://example.com/",
    "HTTPS://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com:70/",
    "data:text/plain,hello",
    "//example.com/",
    "https:example.com/",
    "https:///example.com/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://example.com:/",
    "https://example.com:443:80/",
    "https://.example.com/",
    "https://example..com/",
    "https://-example.com/",
    "https://exa_mple.com/",
    "https://example.com/ HTTP/1.1\r\nHost: localhost",
    "https://example.com/\n",
    "https://example.com/\t",
    " https://example.com/",
    "https://exam ple.com/",
    "",
    f"https://example.com/{'x' * 2000}",
]


@pytest.mark.parametrize("url", HOSTILE, ids=ascii)
def test_a_hostile_address_is_refused_by_its_text(url: str) -> None:
    with pytest.raises(Forbidden):
        check(url, NOBODY)


def test_there_are_forty_hostile_forms_and_more() -> None:
    assert len(set(HOSTILE)) >= 40


def test_the_schema_lets_nothing_through_that_the_gateway_would_refuse_for_its_form() -> None:
    inside = ("localhost", "local", "internal", "arpa")
    passed = [url for url in HOSTILE if len(url) <= 2000 and re.search(PUBLIC.replace("$", r"\Z"), url)]
    assert [url for url in passed if not any(f".{name}/" in url for name in inside)] == []


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://example.com/hook", "example.com"),
        ("https://Example.COM", "example.com"),
        ("https://example.com:8443/a/b?c=d#e", "example.com"),
        ("https://xn--eckwd4c7c.xn--zckzah/", "xn--eckwd4c7c.xn--zckzah"),
        ("https://local.example.com/", "local.example.com"),
    ],
)
def test_an_address_of_the_internet_is_taken(url: str, host: str) -> None:
    assert check(url, NOBODY) == host


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255"),
        *("192.168.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255", "169.254.169.254", "169.254.0.1"),
        *("192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
        *("239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808"),
        *("64:ff9b:1::1", "100::1", "2001::1", "2001:0:53aa:64c::1", "2001:2::1", "2001:10::1", "2001:db8::1"),
        *("2002:7f00:1::", "2002:c0a8:101::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1"),
        *("fec0::1", "ff02::1"),
    ],
)
def test_an_address_that_is_not_public_is_none_to_send_to(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize(
    "text", ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]
)
def test_an_address_of_the_internet_is_public(text: str) -> None:
    assert is_public(ip_address(text))


# ── what the operator allows ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9000/hook"),
        ("10.0.0.0/8", "http://10.1.2.3/"),
        ("receiver", "http://receiver:8080/hook"),
        ("localhost", "http://localhost/"),
        (" Receiver.Internal , ::1 ", "https://receiver.internal/"),
    ],
)
def test_an_address_that_the_operator_allows_is_taken_over_http_too(allowed: str, url: str) -> None:
    check(url, Allowed.read(allowed))


@pytest.mark.parametrize("url", ["http://127.0.0.2/", "http://example.com/", "http://a.receiver/", "http://127.1/"])
def test_what_is_allowed_opens_nothing_else(url: str) -> None:
    with pytest.raises(Forbidden):
        check(url, Allowed.read("127.0.0.1,receiver"))


@pytest.mark.parametrize("text", ["10.0.0.1/8", "999.1.1.1", "a b", "http://receiver", "*.example.com"])
def test_what_cannot_be_allowed_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no host name, address or network"):
        Allowed.read(f"127.0.0.1,{text}")


def test_a_network_is_allowed_wherever_a_name_leads_into_it() -> None:
    allowed = Allowed.read("10.1.0.0/16,::1")
    assert allowed.has_address(ip_address("10.1.2.3"))
    assert allowed.has_address(ip_address("::1"))
    assert not allowed.has_address(ip_address("10.2.0.1"))
