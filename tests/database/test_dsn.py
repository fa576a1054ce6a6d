"""DSNs: what they become, that nothing gets lost, and that the password is never shown."""

from __future__ import annotations

import os
import string
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.database.dsn import Dsn, DsnError, Tls

SECRET = "s3cretWord"  # noqa: S105 - the password of every DSN below that must not show it


def encoded(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


named = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
printable = st.text(st.sampled_from(string.printable) | st.characters(exclude_categories=["Cs"]), min_size=1)


@given(user=printable, password=printable, host=printable, port=st.integers(1, 65535))
def test_percent_encoded_parts_are_decoded(user: str, password: str, host: str, port: int) -> None:
    dsn = Dsn.parse(f"oceanbase://{encoded(user)}:{encoded(password)}@{encoded(host)}:{port}/")
    assert (dsn.user, dsn.password, dsn.host, dsn.port) == (user, password, host, port)


@given(user=printable, password=printable | st.just(""), port=st.integers(1, 65535))
def test_the_text_for_another_process_is_parsed_to_the_same_dsn(user: str, password: str, port: int) -> None:
    dsn = Dsn("mysql", user, password, "db.example", port)
    assert Dsn.parse(dsn.text_with_password) == dsn


@given(password=printable | st.just(""), socket=printable, host=st.sampled_from(["", "h", "::1"]))
def test_the_text_for_another_process_keeps_the_unix_socket(password: str, socket: str, host: str) -> None:
    dsn = Dsn("oceanbase", "sys@t", password, host, 1, socket)
    again = Dsn.parse(dsn.text_with_password)
    assert (again.user, again.password, again.unix_socket) == ("sys@t", password, socket)


options: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    connect_timeout=st.none() | st.integers(1, 600_000).map(lambda thousandths: thousandths / 1000),
    tls=st.none()
    | st.builds(Tls, named | st.none(), named | st.none(), st.none(), st.sampled_from(["full", "ca", "none"]))
    | st.builds(Tls, st.none(), named, named),
)


@given(options=options)
def test_the_text_for_another_process_keeps_the_options(options: dict[str, Any]) -> None:
    dsn = Dsn("mysql", "u", "p", "h", 1, **options)
    assert Dsn.parse(dsn.text_with_password) == dsn


@given(host=printable)
def test_the_text_for_another_process_keeps_any_host(host: str) -> None:
    dsn = Dsn.parse(f"oceanbase://u:p@{encoded(host)}/")
    assert Dsn.parse(dsn.text_with_password) == dsn


@given(user=printable.filter(lambda text: SECRET not in text), password=st.text(st.sampled_from(string.printable)))
def test_the_password_is_in_no_printed_text(user: str, password: str) -> None:
    secret = SECRET + password
    dsn = Dsn("oceanbase", user, secret, "h", 1)
    for shown in (dsn.shown, str(dsn), repr(dsn), f"{dsn}"):
        assert SECRET not in shown
        assert quote(SECRET) not in shown


ZONES = [":%41", "::1%", "fe80::1%25", "fe80::1%25%", "fe80::1%eth0", "fe80::1%a/b@c:d"]


@pytest.mark.parametrize("host", ZONES)
def test_the_text_for_another_process_keeps_a_zone(host: str) -> None:
    dsn = Dsn("mysql", "u", "p", host, 1)
    assert Dsn.parse(dsn.text_with_password) == dsn


WELL = {
    "oceanbase://sys@h": Dsn("oceanbase", "sys", "", "h", 2881),
    "oceanbase://sys:@h": Dsn("oceanbase", "sys", "", "h", 2881),
    "oceanbase://sys:p@h/": Dsn("oceanbase", "sys", "p", "h", 2881),
    "mysql://root:p@h": Dsn("mysql", "root", "p", "h", 3306),
    "mysql://root:p@10.1.2.3:65535/": Dsn("mysql", "root", "p", "10.1.2.3", 65535),
    "oceanbase://sys@tenant#cluster:p@h:1/": Dsn("oceanbase", "sys@tenant#cluster", "p", "h", 1),
    "oceanbase://sys%40tenant%23cluster:p@h:1/": Dsn("oceanbase", "sys@tenant#cluster", "p", "h", 1),
    "oceanbase://sys:p@[::1]:2883/": Dsn("oceanbase", "sys", "p", "::1", 2883),
    "oceanbase://sys:p@[2001:db8::7]/": Dsn("oceanbase", "sys", "p", "2001:db8::7", 2881),
    "oceanbase://sys:p@/?unix_socket=%2Frun%2Fo.sock": Dsn("oceanbase", "sys", "p", "", 2881, "/run/o.sock"),
    "mysql://sys:p@h/?unix_socket=/run/o.sock": Dsn("mysql", "sys", "p", "h", 3306, "/run/o.sock"),
    "mysql://sys:p@h?unix_socket=/run/o.sock": Dsn("mysql", "sys", "p", "h", 3306, "/run/o.sock"),
    "  oceanbase://sys:p@h \n": Dsn("oceanbase", "sys", "p", "h", 2881),
    "oceanbase://sys:p@ss:w?rd/@h:5/": Dsn("oceanbase", "sys", "p@ss:w?rd/", "h", 5),
    "oceanbase://sys@tenant%23cluster:p@h:1/": Dsn("oceanbase", "sys@tenant#cluster", "p", "h", 1),
    "oceanbase://sys%40tenant#cluster:p@h:1/": Dsn("oceanbase", "sys@tenant#cluster", "p", "h", 1),
    "oceanbase://a%3Ab@tenant:p@h:1/": Dsn("oceanbase", "a:b@tenant", "p", "h", 1),
    "oceanbase://sys@tenant#cluster@h": Dsn("oceanbase", "sys@tenant#cluster", "", "h", 2881),
    "oceanbase://sys:p%23@[fe80::1%25eth0]:1/": Dsn("oceanbase", "sys", "p#", "fe80::1%eth0", 1),
    "oceanbase://sys:p@[fe80::1%eth0]:1/": Dsn("oceanbase", "sys", "p", "fe80::1%eth0", 1),
    "oceanbase://sys:p@[fe80::1%2]": Dsn("oceanbase", "sys", "p", "fe80::1%2", 2881),
    "oceanbase://sys:p@[fe80::1%br-0a]": Dsn("oceanbase", "sys", "p", "fe80::1%br-0a", 2881),
    "oceanbase://sys:p@[::ffff:10.0.0.1]": Dsn("oceanbase", "sys", "p", "::ffff:10.0.0.1", 2881),
    "mysql://u@h/?connect_timeout=2.5": Dsn("mysql", "u", "", "h", 3306, connect_timeout=2.5),
    "mysql://u@h/?ssl_ca=/a": Dsn("mysql", "u", "", "h", 3306, tls=Tls("/a", verify="full")),
    "mysql://u@h/?ssl_cert=/c": Dsn("mysql", "u", "", "h", 3306, tls=Tls(cert="/c", verify="full")),
    "mysql://u@h/?ssl_verify=none": Dsn("mysql", "u", "", "h", 3306, tls=Tls(verify="none")),
    "mysql://u@h/?ssl_ca=a+b%2Bc&ssl_cert=c&ssl_key=k&ssl_verify=ca": Dsn(
        "mysql", "u", "", "h", 3306, tls=Tls("a+b+c", "c", "k", "ca")
    ),
    "oceanbase://sys:a+b@h": Dsn("oceanbase", "sys", "a+b", "h", 2881),
}


@pytest.mark.parametrize(("text", "meant"), WELL.items(), ids=list(WELL))
def test_a_dsn_is_read_as_written(text: str, meant: Dsn) -> None:
    assert Dsn.parse(text) == meant


ILL = {
    "": "does not have the form",
    "sys": "does not have the form",
    f"sys:{SECRET}@h:1": "does not have the form",
    f"//sys:{SECRET}@h": "does not have the form",
    f"oceanbase:/sys:{SECRET}@h": "does not have the form",
    f"oceanbase://sys:{SECRET}@h:1:2": "does not have the form",
    f"oceanbase://sys:{SECRET}@[::1": "does not have the form",
    f"oceanbase://sys:{SECRET}@::1": "does not have the form",
    f"Oceanbase://sys:{SECRET}@h": "does not have the form",
    f"postgres://sys:{SECRET}@h": "scheme is 'postgres'; it must be one of oceanbase, mysql",
    "oceanbase://h:1/": "has no user",
    f"oceanbase://:{SECRET}@h": "has no user",
    f"oceanbase://sys:{SECRET}@": "has no host",
    f"oceanbase://sys:{SECRET}@:2881/": "has no host",
    f"oceanbase://sys:{SECRET}@h/database": "has a path",
    f"oceanbase://sys:{SECRET}@h:port": "port must be a number from 1 to 65535",
    f"oceanbase://sys:{SECRET}@h:0": "port must be a number from 1 to 65535",
    f"oceanbase://sys:{SECRET}@h:65536": "port must be a number from 1 to 65535",
    f"oceanbase://sys:{SECRET}@h:-1": "port must be a number from 1 to 65535",
    f"oceanbase://sys:{SECRET}@h:\u0663": "port must be a number from 1 to 65535",
    f"oceanbase://sys:{SECRET}@h:{'9' * 5000}": "port must be a number from 1 to 65535",
    f"oceanbase://sys:{SECRET}@h/?charset=utf8": "unknown option 'charset'; known names: connect_timeout,",
    f"oceanbase://sys:{SECRET}@h/?ssl-ca=/a": "unknown option 'ssl-ca'; did you mean 'ssl_ca'?",
    f"oceanbase://sys:{SECRET}@h/?ssl_verify=yes": "ssl_verify must be one of full, ca, none",
    f"oceanbase://sys:{SECRET}@h/?ssl_key=/a": "ssl_key without ssl_cert",
    f"oceanbase://sys:{SECRET}@h/?ssl_ca=/a@b": "an @ in its options; write it as %40",
    f"oceanbase://sys:{SECRET}@h/?ssl_ca=/a%00b": "option 'ssl_ca' has a zero byte in its value",
    f"oceanbase://sys:{SECRET}@h/?connect_timeout=0": "connect_timeout must be seconds above 0 and up to 600",
    f"oceanbase://sys:{SECRET}@h/?connect_timeout=-1": "connect_timeout must be seconds above 0 and up to 600",
    f"oceanbase://sys:{SECRET}@h/?connect_timeout=soon": "connect_timeout must be seconds above 0 and up to 600",
    f"oceanbase://sys:{SECRET}@h/?connect_timeout=nan": "connect_timeout must be seconds above 0 and up to 600",
    f"oceanbase://sys:{SECRET}@h/?connect_timeout=600.001": "connect_timeout must be seconds above 0 and up to 600",
    f"oceanbase://sys:{SECRET}@h/?connect_timeout={'9' * 5000}": "connect_timeout must be seconds above 0",
    f"oceanbase://sys:{SECRET}@h/?passfile=/a": "both a password and a passfile",
    f"oceanbase://sys:{SECRET}@[::1%]": "does not have the form",
    f"oceanbase://sys:{SECRET}\udcff@h": "bytes that are not UTF-8",
    f"oceanbase://sys:{SECRET}@h/?unix_socket=": "option 'unix_socket' must be given once, with a value",
    f"oceanbase://sys:{SECRET}@h/?unix_socket=/a&unix_socket=/b": "must be given once",
    f"oceanbase://sys:{SECRET}%E9@h": "a percent-encoded part that is not UTF-8",
    f"oceanbase://sys:{SECRET}@h/?ssl_ca=%E9": "a percent-encoded part that is not UTF-8",
    f"oceanbase://sys:{SECRET}": "has no user",
    f"oceanbase://sys:{SECRET}/": "has no user",
    f"oceanbase://sys:{SECRET}\n@h": "does not have the form",
}


@pytest.mark.parametrize(("text", "what"), ILL.items(), ids=[text[:60] for text in ILL])
def test_an_invalid_dsn_is_refused_without_showing_the_password(text: str, what: str) -> None:
    with pytest.raises(DsnError) as caught:
        Dsn.parse(text)
    assert what in str(caught.value)
    assert SECRET not in str(caught.value)


@given(text=st.text() | st.from_regex(r"oceanbase://[^\n]*", fullmatch=True))
def test_any_text_is_a_valid_dsn_or_is_refused(text: str) -> None:
    try:
        dsn = Dsn.parse(text)
    except DsnError:
        return
    assert dsn.user
    assert 0 < dsn.port <= 65535


ACCOUNTS = [("sys", "sys"), ("sys@tenant", "sys"), ("sys@tenant#cluster", "sys"), ("sys#cluster", "sys")]


@pytest.mark.parametrize(("user", "account"), ACCOUNTS)
def test_another_user_of_the_tenant_logs_in_with_the_tenant_behind_its_name(user: str, account: str) -> None:
    dsn = Dsn("oceanbase", user, "p", "h", 1)
    assert dsn.account == account
    assert dsn.login("KSC_1") == "KSC_1" + user.removeprefix(account)
    assert (dsn.account_in_statements, dsn.schema) == (account, account.upper())


@pytest.mark.parametrize("name", ["MixedCase", "a@b", "a#b", "o'x", "J\u00fcrgen"])
@pytest.mark.parametrize("tenant", ["", "@tenant", "@tenant#cluster"])
def test_the_name_of_a_quoted_user_has_no_quotes_and_may_have_an_at_sign(name: str, tenant: str) -> None:
    dsn = Dsn("oceanbase", f'"{name}"{tenant}', "p", "h", 1)
    assert (dsn.account, dsn.account_in_statements, dsn.schema) == (name, f'"{name}"', f'"{name}"')
    assert dsn.login("KSC_1") == f"KSC_1{tenant}"


SHOWN = {
    "oceanbase://sys@t#c:p@h": "oceanbase://sys%40t%23c@h:2881/",
    "oceanbase://sys:p@[::1]:1": "oceanbase://sys@[::1]:1/",
    "mysql://u:p@h:3307/": "mysql://u@h:3307/",
    "mysql://u:p@[fe80::1%eth0]:1": "mysql://u@[fe80::1%25eth0]:1/",
    "mysql://u:p@h?ssl_verify=ca&connect_timeout=3.0&ssl_ca=/a": (
        "mysql://u@h:3306/?connect_timeout=3&ssl_ca=%2Fa&ssl_verify=ca"
    ),
}


@pytest.mark.parametrize(("text", "shown"), SHOWN.items())
def test_a_dsn_is_shown_in_full_but_for_the_password(text: str, shown: str) -> None:
    assert Dsn.parse(text).shown == shown


def test_a_unix_socket_is_shown() -> None:
    shown = Dsn.parse("mysql://u:p@h/?unix_socket=/a b").shown
    assert shown.startswith("mysql://u@h")
    assert shown.endswith("/?unix_socket=%2Fa%20b")


def password_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "pass word"
    path.touch(0o600)
    path.write_bytes(content)
    path.chmod(mode)
    return path


FILES = {
    SECRET: SECRET,
    f"{SECRET}\n": SECRET,
    f"{SECRET}\r\nmore\n": SECRET,
    " p:@/# \n": " p:@/# ",
    "\u00e4": "\u00e4",
    f"\ufeff{SECRET}\n": SECRET,
}


@pytest.mark.parametrize(("content", "password"), FILES.items(), ids=[repr(content) for content in FILES])
def test_the_password_is_the_first_line_of_a_passfile(tmp_path: Path, content: str, password: str) -> None:
    path = password_file(tmp_path, content.encode())
    dsn = Dsn.parse(f"mysql://u@h/?passfile={encoded(str(path))}")
    assert dsn.password == password


def test_a_password_from_a_file_is_in_no_text_of_the_dsn(tmp_path: Path) -> None:
    path = password_file(tmp_path, SECRET.encode())
    dsn = Dsn.parse(f"mysql://u@h/?passfile={encoded(str(path))}")
    for text in (dsn.text_with_password, dsn.text_with_placeholder, dsn.shown, repr(dsn)):
        assert SECRET not in text
    assert dsn.text_with_placeholder == dsn.text_with_password == dsn.shown
    assert Dsn.parse(dsn.text_with_password) == dsn


BAD_FILES = {
    "empty": (b"", 0o600, "has an empty first line"),
    "an empty first line": (f"\n{SECRET}".encode(), 0o600, "has an empty first line"),
    "not text": (b"\xff" + SECRET.encode(), 0o600, "is not text in UTF-8"),
    "the group reads it": (SECRET.encode(), 0o640, "can be read or changed by other users; run chmod 600 on it"),
    "others read it": (SECRET.encode(), 0o604, "can be read or changed by other users; run chmod 600 on it"),
    "others write it": (SECRET.encode(), 0o602, "can be read or changed by other users; run chmod 600 on it"),
}


@pytest.mark.parametrize(("content", "mode", "what"), BAD_FILES.values(), ids=list(BAD_FILES))
def test_an_invalid_passfile_is_refused(tmp_path: Path, content: bytes, mode: int, what: str) -> None:
    path = password_file(tmp_path, content, mode)
    with pytest.raises(DsnError) as caught:
        Dsn.parse(f"mysql://u@h/?passfile={encoded(str(path))}")
    assert what in str(caught.value)
    assert str(path) in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_passfile_that_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path, what in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory"), (pipe, "not a regular file")):
        with pytest.raises(DsnError, match=what):
            Dsn.parse(f"mysql://u@h/?passfile={encoded(str(path))}")


TEMPLATES = {"mysql://u:p@h:1/": "mysql://u:PASSWORD@h:1/", "mysql://u@h:1/": "mysql://u@h:1/"}


@pytest.mark.parametrize(("text", "template"), TEMPLATES.items())
def test_the_template_has_a_word_in_place_of_the_password(text: str, template: str) -> None:
    assert Dsn.parse(text).text_with_placeholder == template
