"""The error tree; every error pickles with all its attributes."""

from __future__ import annotations

import copy
import pickle
import re
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from package_sources import FILES, PACKAGE

import paywint_async
import paywint_async.webhooks
from paywint_async import _errors

ID = UUID("d4211545-cfc9-4aa0-8fcc-e4c2639e8052")
MOMENT = datetime(2025, 6, 16, tzinfo=UTC)
TREE = {
    _errors.PaywintError: Exception,
    _errors.ConfigurationError: _errors.PaywintError,
    _errors.InvalidRequestError: _errors.PaywintError,
    _errors.TransportError: _errors.PaywintError,
    _errors.RequestTimeoutError: _errors.TransportError,
    _errors.APIError: _errors.PaywintError,
    _errors.AuthenticationError: _errors.APIError,
    _errors.PermissionDeniedError: _errors.APIError,
    _errors.NotFoundError: _errors.APIError,
    _errors.UnprocessableRequestError: _errors.APIError,
    _errors.RateLimitedError: _errors.APIError,
    _errors.ServerError: _errors.APIError,
    _errors.UnexpectedRedirectError: _errors.APIError,
    _errors.ClientClosedError: _errors.PaywintError,
    _errors.WaitTimeoutError: _errors.PaywintError,
    _errors.ResponseDecodeError: _errors.PaywintError,
    _errors.PrecisionError: _errors.PaywintError,
    _errors.WebhookError: _errors.PaywintError,
    _errors.WebhookSignatureError: _errors.WebhookError,
    _errors.WebhookTimestampError: _errors.WebhookError,
    _errors.WebhookDecodeError: _errors.WebhookError,
    _errors.OutcomeUnknownError: _errors.PaywintError,
    _errors.IncompleteHistoryError: _errors.PaywintError,
}
EXAMPLES = [
    _errors.PaywintError("anything"),
    _errors.ConfigurationError("api_key is missing"),
    _errors.InvalidRequestError("amount", "must be above zero"),
    _errors.TransportError("lost"),
    _errors.TransportError("refused", sent=False),
    _errors.RequestTimeoutError("slow", sent=False),
    _errors.APIError(400, "malformed", "body"),
    _errors.AuthenticationError(401, "who?", "body"),
    _errors.PermissionDeniedError(403, "no", "body"),
    _errors.NotFoundError(404, "where?", "body"),
    _errors.UnprocessableRequestError(422, "no", "body", problems={"amount": "too much"}),
    _errors.RateLimitedError(
        429, "later", "body", retry_after=1.5, headers={"x-a": "1"}, request_id="r-1"
    ),
    _errors.ServerError(503, "down", "body"),
    _errors.UnexpectedRedirectError(302, "elsewhere"),
    _errors.ClientClosedError("closed"),
    _errors.WaitTimeoutError("still pending", payment_id=ID, payment={"status": "pending"}),
    _errors.ResponseDecodeError("Expected `decimal`", "$.records[3].amount"),
    _errors.OutcomeUnknownError(
        "create_link",
        _errors.RequestTimeoutError("slow"),
        asked={"amount": Decimal(5), "description": "June", "invoice_number": "INV-1"},
        started_at=MOMENT,
        ended_at=MOMENT,
    ),
    _errors.IncompleteHistoryError(
        "gone", delivered=5, missing=3, ranks=(9, 7), checkpoint={"version": 1}
    ),
    _errors.PrecisionError("too long"),
    _errors.WebhookError("refused"),
    _errors.WebhookSignatureError("no signature of this secret"),
    _errors.WebhookTimestampError("too old", sent_at=MOMENT, tolerance=300.0),
    _errors.WebhookDecodeError("expected whole cents", "$.data.amount"),
]
# Whether the same call may succeed when it is made again later.
TRANSIENT = {
    _errors.TransportError,
    _errors.RequestTimeoutError,
    _errors.RateLimitedError,
    _errors.ServerError,
    _errors.WaitTimeoutError,
}
EXAMPLE = {type(error): error for error in EXAMPLES}  # the last one of each class
OF_THE_API = [error for error in EXAMPLES if isinstance(error, _errors.APIError)]
each_example = pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)


def visible(error: object) -> object:
    """Everything that an error carries, in a form that can be compared."""
    if not isinstance(error, BaseException):
        return error
    carried = {name: visible(value) for name, value in vars(error).items()}
    return type(error), str(error), repr(error), [visible(arg) for arg in error.args], carried


def test_the_tree_is_the_documented_one():
    assert {kind: kind.__bases__[0] for kind in TREE} == TREE


def test_the_tree_has_every_error():
    defined = {item for item in vars(_errors).values() if isinstance(item, type)}
    kinds = {kind for kind in defined if issubclass(kind, Exception)}
    assert kinds == set(TREE) == {_errors.PaywintError, *map(type, EXAMPLES)}


@pytest.mark.parametrize("name", [kind.__name__ for kind in TREE])
def test_each_is_used_outside_its_module(name):
    apart = {PACKAGE / "__init__.py", PACKAGE / "_errors.py"}
    texts = [path.read_text("utf-8") for path in FILES if path not in apart]
    assert any(re.search(rf"\b{name}\b", text) for text in texts)


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_each_is_public(kind):
    homes = [paywint_async, paywint_async.webhooks]
    assert kind in [getattr(home, kind.__name__, None) for home in homes]


def test_the_tree_is_shown_in_the_module_docstring():
    assert [kind.__name__ for kind in TREE if kind.__name__ not in (_errors.__doc__ or "")] == []


@pytest.mark.parametrize("kind", [_errors.RequestTimeoutError, _errors.WaitTimeoutError])
def test_timeouts_are_also_builtin_timeout_errors(kind):
    assert issubclass(kind, TimeoutError)


@each_example
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_pickles_with_all_it_carries(error, protocol):
    assert visible(pickle.loads(pickle.dumps(error, protocol))) == visible(error)


@each_example
def test_every_error_copies(error):
    assert visible(copy.copy(error)) == visible(error)


@each_example
def test_notes_survive_pickling(error):
    noted = copy.copy(error)
    noted.add_note("seen by the nightly job")
    assert pickle.loads(pickle.dumps(noted)).__notes__ == ["seen by the nightly job"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (EXAMPLE[_errors.InvalidRequestError], "amount: must be above zero"),
        (EXAMPLE[_errors.APIError], "the API answered 400: malformed"),
        (
            EXAMPLE[_errors.ResponseDecodeError],
            "the API's answer cannot be read: Expected `decimal` @ $.records[3].amount",
        ),
        (
            EXAMPLE[_errors.OutcomeUnknownError],
            "create_link may or may not have happened (slow); look for it before repeating it",
        ),
    ],
)
def test_the_message_says_what_failed(error, message):
    assert str(error) == message


def test_a_transport_error_counts_as_sent_unless_it_is_certain_that_it_was_not():
    assert _errors.TransportError("lost").sent is True


def test_an_unknown_outcome_has_the_arguments_of_the_call():
    error = EXAMPLE[_errors.OutcomeUnknownError]
    assert (error.amount, error.description, error.invoice_number) == (Decimal(5), "June", "INV-1")


def test_an_unknown_outcome_of_another_operation_has_no_amount():
    error = _errors.OutcomeUnknownError(
        "create_checkout_token",
        _errors.TransportError("lost"),
        asked={"email": "a@example.com"},
        started_at=MOMENT,
        ended_at=MOMENT,
    )
    assert (error.asked, error.amount) == ({"email": "a@example.com"}, None)


def test_an_unknown_outcome_copies_the_arguments():
    asked = {"amount": Decimal(5)}
    error = _errors.OutcomeUnknownError(
        "create_link",
        _errors.TransportError("lost"),
        asked=asked,
        started_at=MOMENT,
        ended_at=MOMENT,
    )
    asked.clear()
    assert error.asked == {"amount": Decimal(5)}


def test_an_incomplete_history_may_have_no_checkpoint():
    assert _errors.IncompleteHistoryError("gone").checkpoint is None


def test_a_422_may_name_no_field():
    assert _errors.UnprocessableRequestError(422, "no").problems == {}


@each_example
def test_every_error_knows_whether_it_is_transient(error):
    assert error.is_transient is (type(error) in TRANSIENT)


@pytest.mark.parametrize(
    ("is_transient", "statuses"),
    [
        (True, [408, 425, 429, 500, 502, 503, 504, 507, 522, 599]),
        (False, [200, 302, 400, 401, 403, 404, 409, 422, 501, 505]),
    ],
)
def test_an_error_of_the_api_is_transient_by_its_status(is_transient, statuses):
    found = {status: _errors.APIError(status, "no").is_transient for status in statuses}
    assert found == dict.fromkeys(statuses, is_transient)


def test_a_certificate_that_is_not_trusted_is_not_transient():
    assert _errors.TransportError("TLS", sent=False, is_transient=False).is_transient is False


@pytest.mark.parametrize("error", OF_THE_API, ids=lambda error: type(error).__name__)
def test_an_error_of_the_api_may_name_the_request(error):
    extra = {"headers": {"x-request-id": "r-1"}, "request_id": "r-1"}
    named = type(error)(error.status, "no", **extra)
    assert (named.headers, named.request_id) == ({"x-request-id": "r-1"}, "r-1")
    assert str(named) == f"the API answered {error.status}: no (request id r-1)"


def test_a_call_that_was_held_back_says_that_nothing_was_sent():
    error = _errors.RateLimitedError(429, "no turn in time", is_local=True)
    assert str(error) == "not sent, held back by this client: no turn in time"
    assert (error.is_local, error.attempts, error.status) == (True, 0, 429)


def test_an_unknown_outcome_has_the_request_id_of_its_reason():
    reason = _errors.ServerError(503, "down", request_id="r-1")
    reason.attempts = 2
    error = _errors.OutcomeUnknownError(
        "create_link", reason, asked={}, started_at=MOMENT, ended_at=MOMENT
    )
    assert (error.request_id, error.attempts) == ("r-1", 2)
