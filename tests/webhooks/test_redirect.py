"""The redirect after paying: any URL is parsed, and nothing in it is trusted."""

from __future__ import annotations

import copy
import pickle
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import paywint_async
from paywint_async import InvalidRequestError, NotFoundError, PaymentStatus, PaywintClient
from paywint_async.emulator import Emulator
from paywint_async.webhooks import Redirect, parse_redirect

ID = "d4211545-cfc9-4aa0-8fcc-e4c2639e8052"
OTHER = "0c9de6d0-5a2b-4a8e-8f5d-6b4f0a7d9e11"
QUERY = f"id={ID}&status=success"


class TestARedirect:
    @pytest.mark.parametrize(
        "address",
        [
            QUERY,
            f"?{QUERY}",
            f"/back?{QUERY}",
            f"https://shop.example/back?{QUERY}",
            f"https://shop.example?{QUERY}",
            f"https://shop.example/a=b/back?{QUERY}#top?id={OTHER}",
            f"shop.example/back?{QUERY}",
            f"http://[::1?{QUERY}",
            f"order=7&{QUERY}",
            f"{QUERY}&next=/orders?id={OTHER}",
            f"status=success&id={ID.upper()}",
            f"status=success&id=7&id={ID}",
            f"status=success&id={ID}&id={ID}",
            QUERY.encode(),
            f"status=success&id={ID.replace('-', '%2D')}",
        ],
    )
    def test_is_read_from_a_url_a_path_or_a_query(self, address):
        redirect = parse_redirect(address)
        assert (redirect.payment_id, redirect.status) == (UUID(ID), PaymentStatus.SUCCESS)

    def test_has_everything_of_the_query(self):
        redirect = parse_redirect("/back?a=1&a=2&b=&c=%C3%A9+x&d=%ff&status=processing")
        assert redirect.params == {
            "a": "2",
            "b": "",
            "c": "é x",
            "d": "\ufffd",
            "status": "processing",
        }

    @pytest.mark.parametrize(
        "status", ["success", "failed", "rejected", "processing", "<b>", "x" * 999]
    )
    def test_keeps_any_status_unchanged(self, status):
        assert parse_redirect(f"?status={status}").status == status

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "?",
            "/",
            "https://shop.example/back",
            "?id=",
            "?id=pay_93fdc2",
            f"?id={ID}0",
            "?status=",
            f"?id={ID}&id={OTHER}",
            f"?ID={ID}",
            f"https://shop.example/{ID}",
            "&&==;",
            "%",
            "\x00",
        ],
    )
    def test_that_names_no_payment_or_several_has_none(self, address):
        assert parse_redirect(address).payment_id is None

    def test_is_a_value(self):
        redirect = parse_redirect(QUERY)
        assert len({redirect, pickle.loads(pickle.dumps(redirect)), copy.deepcopy(redirect)}) == 1
        with pytest.raises(TypeError):
            redirect.params["id"] = OTHER

    @given(st.text(max_size=200) | st.binary(max_size=200))
    def test_is_parsed_from_any_url(self, address):
        redirect = parse_redirect(address)
        assert isinstance(redirect, Redirect)
        assert "".join([*redirect.params, *redirect.params.values()]).encode() is not None

    def test_is_read_up_to_8_kib(self):
        assert parse_redirect(QUERY + "&" * (8192 - len(QUERY))).payment_id == UUID(ID)
        for address in (QUERY + "&" * (8193 - len(QUERY)), "é" * 4097, b"x" * 8193):
            with pytest.raises(InvalidRequestError, match=r"url_or_query: has 8,19\d bytes"):
                parse_redirect(address)

    @pytest.mark.parametrize("address", [None, 5, ["id"], {"id": ID}])
    def test_from_a_value_that_is_not_text_is_an_error(self, address):
        with pytest.raises(InvalidRequestError, match="url_or_query"):
            parse_redirect(address)

    def test_is_exported_by_the_package_and_its_webhooks(self):
        assert (paywint_async.parse_redirect, paywint_async.Redirect) == (parse_redirect, Redirect)


async def test_confirming_uses_only_get_payment():
    async with Emulator() as emulator:
        keys = emulator.api_key, emulator.api_secret
        async with PaywintClient(*keys, base_url=emulator.url) as client:
            link = await client.payments.create_link(5)
            redirect = parse_redirect(f"?id={link.payment_id}&status=success")
            payment = await redirect.confirm(client)
            assert (payment.payment_id, payment.status) == (link.payment_id, "pending")
            with pytest.raises(NotFoundError):
                await parse_redirect(QUERY).confirm(client)
            asked = len(emulator.requests)
            with pytest.raises(InvalidRequestError, match="payment_id"):
                await parse_redirect("?status=success").confirm(client)
            assert len(emulator.requests) == asked
