"""Refused requests: wrong key, path or content; the answer is JSON and never a 500."""

import pytest

LINK = "/api/user-api/payment/create-payment-link"
LIST = "/api/user-api/payment/list/payment-sent"
TOKEN = "/api/checkout/token/developer"
MAIL = b'"email": "a@b.example"'


@pytest.mark.parametrize(
    "keys",
    [
        {"X-Api-Key": "", "X-Api-Secret": ""},
        {"X-Api-Key": "wrong"},
        {"X-Api-Secret": "wrong"},
        {"X-Api-Secret": "schlüssel \udcff"},
    ],
)
async def test_wrong_keys_are_refused(serve, keys):
    async with serve() as account:
        answer = await account.ask("POST", LIST, headers=keys)
    assert answer.status == 401
    assert answer.json == {"success": False, "message": "Invalid API key or API secret"}


@pytest.mark.parametrize("path", [LINK, "/api/nothing", "/api/user-api/payment/get/x"])
async def test_keys_are_checked_first(serve, path):
    async with serve() as account:
        answer = await account.ask("DELETE", path, headers={"X-Api-Key": "wrong"})
    assert answer.status == 401


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/api/user-api/payment/get/"])
async def test_an_unknown_path_is_not_found(serve, path):
    async with serve() as account:
        answer = await account.ask("GET", path)
    assert (answer.status, answer.json) == (404, {"success": False, "message": "Not Found"})


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", LINK, "POST"),
        ("PUT", TOKEN, "POST"),
        ("HEAD", "/api/user-api/payment/get/x", "GET"),
        ("OPTIONS", LIST, "POST"),
    ],
)
async def test_the_answer_to_a_wrong_method_names_the_right_one(serve, method, path, allowed):
    async with serve() as account:
        answer = await account.ask(method, path)
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)
    assert answer.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"amount": NaN}',
        b"\xff",
        b"[" * 100_000,
        b'{"amount": 1e99999999999999999999}',
        b'{"amount": ' + b"9" * 5000 + b"}",
    ],
)
async def test_a_body_that_is_not_json_is_refused(serve, body):
    async with serve() as account:
        answer = await account.send(LINK, body)
    assert answer.status == 422
    assert [problem["type"] for problem in answer.json["detail"]] == ["json_invalid"]


@pytest.mark.parametrize("body", [b"[]", b"null", b'"amount"'])
async def test_a_body_that_is_not_an_object_is_refused(serve, body):
    async with serve() as account:
        answer = await account.send(LINK, body)
    assert answer.status == 422
    assert answer.json["detail"][0]["loc"] == ["body"]


async def test_a_body_of_another_type_is_refused(serve):
    async with serve() as account:
        answer = await account.ask("POST", LINK, data=b'{"amount": 1}')
    assert answer.status == 422


async def test_a_huge_body_is_refused(serve):
    async with serve() as account:
        answer = await account.send(LINK, b'{"amount": 1, "x": "' + b"a" * 2**17 + b'"}')
    assert (answer.status, answer.json["detail"][0]["type"]) == (422, "json_invalid")


async def test_a_body_whose_encoding_is_broken_is_refused(serve):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with serve() as account:
        answer = await account.ask("POST", LINK, data=b"no gzip at all", headers=headers)
    assert answer.status == 422


@pytest.mark.parametrize(
    ("path", "body", "field", "kind"),
    [
        (LINK, b"{}", "amount", "missing"),
        (LINK, b'{"amount": null}', "amount", "decimal_type"),
        (LINK, b'{"amount": "1.00"}', "amount", "decimal_type"),
        (LINK, b'{"amount": true}', "amount", "decimal_type"),
        (LINK, b'{"amount": 0}', "amount", "greater_than"),
        (LINK, b'{"amount": -1.5}', "amount", "greater_than"),
        (LINK, b'{"amount": 1.005}', "amount", "decimal_max_places"),
        (LINK, b'{"amount": 1e-7}', "amount", "decimal_max_places"),
        (LINK, b'{"amount": 1e999999999}', "amount", "finite_number"),
        (LINK, b'{"amount": 1, "description": 5}', "description", "string_type"),
        (
            LINK,
            b'{"amount": 1, "description": "%s"}' % (b"a" * 256),
            "description",
            "string_too_long",
        ),
        (LINK, b'{"amount": 1, "description": "\\ud800"}', "description", "string_unicode"),
        (
            LINK,
            b'{"amount": 1, "invoice_number": "%s"}' % (b"a" * 21),
            "invoice_number",
            "string_too_long",
        ),
        (LIST, b'{"page_no": 1}', "rows_per_page", "missing"),
        (LIST, b'{"page_no": 1, "rows_per_page": 30}', "rows_per_page", "enum"),
        (LIST, b'{"page_no": 1, "rows_per_page": "10"}', "rows_per_page", "int_type"),
        (LIST, b'{"rows_per_page": 10}', "page_no", "missing"),
        (LIST, b'{"page_no": 0, "rows_per_page": 10}', "page_no", "greater_than_equal"),
        (LIST, b'{"page_no": 1.5, "rows_per_page": 10}', "page_no", "int_from_float"),
        (LIST, b'{"page_no": true, "rows_per_page": 10}', "page_no", "int_type"),
        (TOKEN, b'{"amount": 100000.01, %s}' % MAIL, "amount", "less_than_equal"),
        (TOKEN, b'{"amount": 1, "email": "nobody"}', "email", "string_pattern_mismatch"),
        (TOKEN, b'{"amount": 1, "phone": "12ab5", %s}' % MAIL, "phone", "string_pattern_mismatch"),
        (
            TOKEN,
            b'{"amount": 1, "phone_country_code": "", %s}' % MAIL,
            "phone_country_code",
            "string_too_short",
        ),
        (TOKEN, b'{"amount": 1, "currency": "US", %s}' % MAIL, "currency", "string_too_short"),
        (TOKEN, b'{"amount": 1, "currency": null, %s}' % MAIL, "currency", "string_type"),
    ],
)
async def test_a_field_against_the_rules_is_named(serve, path, body, field, kind):
    async with serve() as account:
        answer = await account.send(path, body)
    assert answer.status == 422
    (problem,) = answer.json["detail"]
    assert (problem["loc"], problem["type"]) == (["body", field], kind)
    assert problem["msg"]


@pytest.mark.parametrize(
    "contact", [b"", b', "phone": "5551234567"', b', "phone_country_code": "+1"']
)
async def test_a_token_needs_an_email_or_a_complete_phone_number(serve, contact):
    async with serve() as account:
        answer = await account.send(TOKEN, b'{"amount": 1%s}' % contact)
    assert answer.status == 422
    assert answer.json["detail"][0]["type"] == "value_error"


async def test_every_problem_is_named_at_once(serve):
    async with serve() as account:
        answer = await account.send(LIST, {"page_no": 0, "rows_per_page": 7})
    assert [problem["loc"][-1] for problem in answer.json["detail"]] == ["rows_per_page", "page_no"]


async def test_a_refused_link_creates_no_payment(serve):
    async with serve() as account:
        await account.create_link({"amount": -1})
        assert account.emulator.history("received") == []
