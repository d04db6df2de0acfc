"""Invalid submissions of the pages' forms are answered with 4xx and a message, and change nothing."""

import gzip

import pytest

FORM = "application/x-www-form-urlencoded"
PART = b'--x\r\nContent-Disposition: form-data; name="action"\r\n'


async def forms_of(account):
    """Return the addresses of all forms, and the state that they could change."""
    answer = await account.create_link({"amount": 5})
    payment_id = answer.json["data"]["payment_id"]
    return payment_id, [
        f"/pay/{payment_id}",
        f"/console/payments/{payment_id}",
        "/console/settings",
    ]


async def send(account, path, kind, body, **headers):
    headers |= {"Content-Type": kind} if kind else {}
    return await account.ask("POST", path, data=body, headers=headers, allow_redirects=False)


def state_of(account, payment_id):
    emulator = account.emulator
    return (
        emulator.timeline(payment_id),
        emulator._clock.added_us,
        emulator.webhook_url,
        emulator.webhook_faults,
        vars(emulator._fault_settings),
    )


@pytest.mark.parametrize(
    ("kind", "body", "status", "message"),
    [
        (FORM, b"action=pay&status=opened&drop=1&x=\xff", 400, "UTF-8"),
        (FORM, b"action=pay&status=opened&drop=1&x=%ff", 400, "UTF-8"),
        (FORM, b"action=pay&status=opened&drop=1&garbage", 400, "no form"),
        (FORM, b'{"action": "pay"}', 400, "no form"),
        (FORM, b"&".join(b"a%d=1" % n for n in range(1000)), 400, "too many fields"),
        (FORM, b"action=" + b"x" * 70_000, 413, "size"),
        (f"{FORM}; charset=klingon", b"action=pay&status=opened", 415, "UTF-8"),
        (f"{FORM}; charset=base64", b"action=pay&status=opened", 415, "UTF-8"),
        (f"{FORM}; charset=utf-16", b"action=pay&status=opened", 415, "UTF-8"),
        ("multipart/form-data", b"xx", 415, FORM),
        ("multipart/form-data; boundary=x", b"xx", 415, FORM),
        ("multipart/form-data; boundary=x", PART + b"\r\npay", 415, FORM),
        ("multipart/form-data; boundary=x", PART + b"\r\npay\r\n--x--\r\n", 415, FORM),
        ("application/json", b'{"action": "pay", "status": "opened"}', 415, FORM),
        ("text/plain", b"action=pay&status=opened", 415, FORM),
        ("nonsense", b"action=pay&status=opened", 415, FORM),
    ],
)
async def test_an_invalid_form_is_refused_with_a_message(
    serve, caplog, kind, body, status, message
):
    async with serve() as account:
        payment_id, paths = await forms_of(account)
        before = state_of(account, payment_id)
        answers = [await send(account, path, kind, body) for path in paths]
        assert state_of(account, payment_id) == before
    assert [answer.status for answer in answers] == [status] * 3
    for answer in answers:
        assert message in answer.body.decode()
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_body_that_cannot_be_decompressed_is_refused_with_a_message(serve):
    headers = {"Content-Encoding": "gzip"}
    async with serve() as account:
        _payment_id, paths = await forms_of(account)
        for path in paths:
            answer = await send(account, path, FORM, b"action=pay", **headers)
            assert (answer.status, b"cannot be read" in answer.body) == (400, True)
            answer = await send(account, path, FORM, gzip.compress(b"x" * 10_000_000), **headers)
            assert answer.status == 413


@pytest.mark.parametrize("kind", [FORM, f"{FORM}; charset=UTF-8", f'{FORM}; charset="utf8"'])
async def test_a_form_is_read_as_a_browser_sends_it(serve, kind):
    async with serve() as account:
        payment_id, (path, *_others) = await forms_of(account)
        answer = await send(account, path, kind, b"action=decline&x=%C3%BC+&y=")
        assert (answer.status, account.emulator.payment(payment_id).status) == (303, "rejected")
