"""DSNs: what they become, that nothing gets lost, and that the password is never shown."""

from __future__ import annotations

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.database.dsn import Dsn, DsnError

SECRET = "s3cretWord"  # noqa: S105 - the password of every DSN below that must not show it


def encoded(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


printable = st.text(st.sampled_from(string.printable) | st.characters(exclude_categories=["Cs"]), min_size=1)


@given(user=printable, password=printable, host=printable, port=st.integers(1, 65535))
def test_percent_encoded_parts_come_out_as_they_went_in(user: str, password: str, host: str, port: int) -> None:
    dsn = Dsn.parse(f"oceanbase://{encoded(user)}:{encoded(password)}@{encoded(host)}:{port}/")
    assert (dsn.user, dsn.password, dsn.host, dsn.port) == (user, password, host, port)


@given(user=printable, password=printable | st.just(""), port=st.integers(1, 65535))
def test_the_text_for_another_process_says_the_same_again(user: str, password: str, port: int) -> None:
    dsn = Dsn("mysql", user, password, "db.example", port)
    assert Dsn.parse(dsn.text) == dsn


@given(password=printable | st.just(""), socket=printable, host=st.sampled_from(["", "h", "::1"]))
def test_the_text_for_another_process_leads_to_the_same_unix_socket(password: str, socket: str, host: str) -> None:
    dsn = Dsn("oceanbase", "sys@t", password, host, 1, socket)
    again = Dsn.parse(dsn.text)
    assert (again.user, again.password, again.unix_socket) == ("sys@t", password, socket)


@given(host=printable)
def test_the_text_for_another_process_keeps_any_host(host: str) -> None:
    dsn = Dsn.parse(f"oceanbase://u:p@{encoded(host)}/")
    assert Dsn.parse(dsn.text) == dsn


@given(user=printable.filter(lambda text: SECRET not in text), password=st.text(st.sampled_from(string.printable)))
def test_the_password_is_in_nothing_that_is_printed(user: str, password: str) -> None:
    secret = SECRET + password
    dsn = Dsn("oceanbase", user, secret, "h", 1)
    for shown in (dsn.shown, str(dsn), repr(dsn), f"{dsn}"):
        assert SECRET not in shown
        assert quote(SECRET) not in shown


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
    "oceanbase://sys:a+b@h": Dsn("oceanbase", "sys", "a+b", "h", 2881),
}


@pytest.mark.parametrize(("text", "meant"), WELL.items(), ids=list(WELL))
def test_a_dsn_is_read_as_written(text: str, meant: Dsn) -> None:
    assert Dsn.parse(text) == meant


ILL = {
    "": "has not the shape",
    "sys": "has not the shape",
    f"sys:{SECRET}@h:1": "has not the shape",
    f"//sys:{SECRET}@h": "has not the shape",
    f"oceanbase:/sys:{SECRET}@h": "has not the shape",
    f"oceanbase://sys:{SECRET}@h:1:2": "has not the shape",
    f"oceanbase://sys:{SECRET}@[::1": "has not the shape",
    f"oceanbase://sys:{SECRET}@::1": "has not the shape",
    f"Oceanbase://sys:{SECRET}@h": "has not the shape",
    f"postgres://sys:{SECRET}@h": "scheme is 'postgres'; it must be one of oceanbase, mysql",
    "oceanbase://h:1/": "names no user",
    f"oceanbase://:{SECRET}@h": "names no user",
    f"oceanbase://sys:{SECRET}@": "names no host",
    f"oceanbase://sys:{SECRET}@:2881/": "names no host",
    f"oceanbase://sys:{SECRET}@h/database": "names a path",
    f"oceanbase://sys:{SECRET}@h:port": "port must be a number from 1 to 65535",
    f"oceanbase://sys:{SECRET}@h:0": "port must be a number from 1 to 65535",
    f"oceanbase://sys:{SECRET}@h:65536": "port must be a number from 1 to 65535",
    f"oceanbase://sys:{SECRET}@h:-1": "port must be a number from 1 to 65535",
    f"oceanbase://sys:{SECRET}@h:\u0663": "port must be a number from 1 to 65535",
    f"oceanbase://sys:{SECRET}@h:{'9' * 5000}": "port must be a number from 1 to 65535",
    f"oceanbase://sys:{SECRET}@h/?charset=utf8": "unknown option 'charset'; known: unix_socket",
    f"oceanbase://sys:{SECRET}@h/?unix_socket=": "option 'unix_socket' must be given once, with a value",
    f"oceanbase://sys:{SECRET}@h/?unix_socket=/a&unix_socket=/b": "must be given once",
    f"oceanbase://sys:{SECRET}": "names no user",
    f"oceanbase://sys:{SECRET}/": "names no user",
    f"oceanbase://sys:{SECRET}\n@h": "has not the shape",
}


@pytest.mark.parametrize(("text", "what"), ILL.items(), ids=[text[:60] for text in ILL])
def test_what_is_no_dsn_is_refused_without_showing_the_password(text: str, what: str) -> None:
    with pytest.raises(DsnError) as caught:
        Dsn.parse(text)
    assert what in str(caught.value)
    assert SECRET not in str(caught.value)


@given(text=st.text() | st.from_regex(r"oceanbase://[^\n]*", fullmatch=True))
def test_any_text_is_a_dsn_or_is_refused_as_one(text: str) -> None:
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


SHOWN = {
    "oceanbase://sys@t#c:p@h": "oceanbase://sys%40t%23c@h:2881/",
    "oceanbase://sys:p@[::1]:1": "oceanbase://sys@[::1]:1/",
    "mysql://u:p@h:3307/": "mysql://u@h:3307/",
}


@pytest.mark.parametrize(("text", "shown"), SHOWN.items())
def test_a_dsn_is_shown_in_full_but_for_the_password(text: str, shown: str) -> None:
    assert Dsn.parse(text).shown == shown


def test_a_unix_socket_is_shown() -> None:
    shown = Dsn.parse("mysql://u:p@h/?unix_socket=/a b").shown
    assert shown.startswith("mysql://u@h")
    assert shown.endswith("/?unix_socket=%2Fa%20b")
