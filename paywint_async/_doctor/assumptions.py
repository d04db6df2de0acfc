"""The list of this SDK's assumptions about the Paywint API, for reports and documentation."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from paywint_async._doctor import connection, lists, records, refusals, webhook
from paywint_async._doctor.observations import Observations
from paywint_async._doctor.verdicts import Judgement

Judge = Callable[[Observations], Judgement]


@attrs.frozen(kw_only=True)
class Assumption:
    """A property of the API on which this SDK relies.

    Args:
        topic: its name, in reports and in the docs.
        assumed: the property.
        source: where it is published, or why it is assumed.
        observed_by: how an examination observes it.
        consequence: what happens if the assumption is wrong.
        remedy: what the owner of the account does then.
        judge: returns the judgement that follows from the observations.
        is_report_only: the SDK relies on nothing here: observations are reported, and contradict nothing.
        needs_delivery: judged only if a recorded webhook is given.
        is_fallback: judged only if no other assumption is contradicted, which would explain it.
    """

    topic: str
    assumed: str
    source: str
    observed_by: str
    consequence: str
    remedy: str
    judge: Judge
    is_report_only: bool = False
    needs_delivery: bool = False
    is_fallback: bool = False


_REPORT = "Open an issue of paywint-async with this report."

ASSUMPTIONS = (
    Assumption(
        topic="credentials",
        assumed="The key and the secret are accepted in the headers X-Api-Key and X-Api-Secret.",
        source="Published (authentication); that 401 and 403 mean a refusal is assumed.",
        observed_by="The status of the first page of received payments.",
        consequence="Every call fails with AuthenticationError or PermissionDeniedError.",
        remedy="Check PAYWINT_API_KEY and PAYWINT_API_SECRET, and that PAYWINT_ENVIRONMENT (sandbox, "
        "unless it is set) is the one they were made for.",
        judge=connection.judge_credentials,
    ),
    Assumption(
        topic="environment",
        assumed="The address is that of the environment, and the Paywint API answers there.",
        source="Published (base URLs).",
        observed_by="The base URL, and whether the first answer is a JSON object and no redirect.",
        consequence="Calls fail, or go to the sandbox instead of production.",
        remedy="Correct PAYWINT_ENVIRONMENT (sandbox or production) and PAYWINT_BASE_URL; leave the "
        "latter out unless you run an emulator.",
        judge=connection.judge_environment,
    ),
    Assumption(
        topic="proxy and TLS",
        assumed="The connection to the API is direct or through the configured proxy, encrypted with a "
        "valid certificate, and no intermediary responds instead of the API.",
        source="Published (HTTPS only); the rest is how networks should be.",
        observed_by="Errors of connecting, and the statuses 407 and 511, which only a proxy or a "
        "network's login page sends.",
        consequence="Calls fail, or an answer is not Paywint's.",
        remedy="Log in to the network, or correct HTTPS_PROXY and NO_PROXY. For a private "
        "certificate authority pass ssl_context=.",
        judge=connection.judge_proxy_and_tls,
    ),
    Assumption(
        topic="clock",
        assumed=f"This machine's clock and the server's differ by {connection.CLOCK_TOLERANCE:.0f} s "
        "at most.",
        source="Assumed: the age of webhooks and a Retry-After that is a date are measured by it.",
        observed_by="queryGeneratedTime (Unix seconds, published) or the Date header against this "
        "machine's clock, minus half the latency.",
        consequence="Webhooks are refused as too old or too new; waits may be too short or too long.",
        remedy="Set this machine's clock by NTP. If it is right, the server's is not: tell Paywint.",
        judge=connection.judge_clock,
    ),
    Assumption(
        topic="latency",
        assumed=f"An answer takes {connection.SLOW:.0f} s at most in the median.",
        source="Assumed: nothing is published. request_timeout is 30 s for each attempt.",
        observed_by="The time of each answer.",
        consequence="Calls time out when the API is busy, and a listing takes long.",
        remedy="Pass a longer request_timeout=, and a larger max_concurrency= for listings.",
        judge=connection.judge_latency,
    ),
    Assumption(
        topic="sent path",
        assumed="The list of sent payments is at /api/user-api/payment/list/payment-sent.",
        source="Assumed, by symmetry with the published path of received payments.",
        observed_by="The answer to its first page.",
        consequence="sent() and history() fail; received() does not.",
        remedy="Ask Paywint for the path, pass it as PaywintClient(sent_path=…), and open an issue.",
        judge=lists.judge_sent_path,
    ),
    Assumption(
        topic="page sizes",
        assumed="A page has 10, 20, 50 or 100 payments, as requested.",
        source="Published (List Received Payments).",
        observed_by="The first page of received payments in each size.",
        consequence="Listings raise IncompleteHistoryError, or an APIError where a size is refused.",
        remedy="Pass rows_per_page= with a size that is accepted, and open an issue.",
        judge=lists.judge_page_sizes,
    ),
    Assumption(
        topic="order",
        assumed="Both lists begin with the newest payment.",
        source="Assumed: no order is published.",
        observed_by="created_at along the pages that were read.",
        consequence="Oldest first: listings stay exact, in that order. Not by created_at: listings "
        "are exact as long as no payment moves, and a span of time is read by reading everything.",
        remedy="Where your program needs the newest first, sort by created_at. " + _REPORT,
        judge=lists.judge_order,
    ),
    Assumption(
        topic="totals",
        assumed="totalRecords counts the whole list, and the list ends on the page that follows "
        "from it.",
        source="Published (list envelope).",
        observed_by="The number of payments on the first page, the last one and the one after it.",
        consequence="Listings raise IncompleteHistoryError, since completeness cannot be proved.",
        remedy=_REPORT,
        judge=lists.judge_totals,
    ),
    Assumption(
        topic="null fields",
        assumed="payment_id, amount, status and created_at are never null; other fields may be.",
        source="The fields are published; which of them may be null is assumed.",
        observed_by="Each payment that was read.",
        consequence="Such a payment raises ResponseDecodeError.",
        remedy=_REPORT,
        judge=records.judge_null_fields,
    ),
    Assumption(
        topic="amounts",
        assumed="An amount is a JSON number in dollars, not negative.",
        source="Published (Payment).",
        observed_by="Each payment that was read.",
        consequence="Text raises ResponseDecodeError; a negative number is read as it is.",
        remedy=_REPORT,
        judge=records.judge_amounts,
    ),
    Assumption(
        topic="currency",
        assumed="Every payment is in USD.",
        source="Published (amounts are in US dollars).",
        observed_by="Each payment that was read.",
        consequence="Amounts are read as they are: to add up several currencies would be wrong.",
        remedy="Look at payment.currency before you add amounts up.",
        judge=records.judge_currency,
    ),
    Assumption(
        topic="times",
        assumed="created_at and payment_date are ISO 8601 with a zone.",
        source="Published (examples of Payment).",
        observed_by="Each payment that was read.",
        consequence="Such a payment raises ResponseDecodeError; no zone is guessed.",
        remedy=_REPORT,
        judge=records.judge_times,
    ),
    Assumption(
        topic="ids",
        assumed="payment_id, payer_id and payee_id are UUIDs.",
        source="Published (Payment).",
        observed_by="Each payment that was read.",
        consequence="Such a payment raises ResponseDecodeError.",
        remedy=_REPORT,
        judge=records.judge_ids,
    ),
    Assumption(
        topic="get payment",
        assumed="Get Payment returns the same payment as the list, with the same amount.",
        source="Published (both have the same Payment).",
        observed_by="The newest payment of each list, requested by its id.",
        consequence="Confirming a payment would compare amounts of different units.",
        remedy="Do not rely on the amount of get() until this is clear. " + _REPORT,
        judge=records.judge_get_payment,
    ),
    Assumption(
        topic="unknown fields",
        assumed="Nothing: fields that the SDK does not know are ignored.",
        source="Seen on Paywint's platform site: processing_fee, invoice_no and others.",
        observed_by="Each payment and envelope that was read.",
        consequence="None. client.request returns them.",
        remedy="None needed; an issue with this report lets the SDK learn them.",
        judge=records.tell_unknown_fields,
        is_report_only=True,
    ),
    Assumption(
        topic="unknown statuses",
        assumed="Nothing: a status that the SDK does not know is kept unchanged.",
        source="Nine statuses are published; Paywint's platform site has another, settling.",
        observed_by="Each payment that was read.",
        consequence="Such a payment does not count as final.",
        remedy="None needed; an issue with this report lets the SDK learn them.",
        judge=records.tell_unknown_statuses,
        is_report_only=True,
    ),
    Assumption(
        topic="unknown methods",
        assumed="Nothing: a method that the SDK does not know is kept unchanged.",
        source="No list of methods is published; six are in Paywint's examples.",
        observed_by="payment_method and receiving_method of each payment that was read.",
        consequence="None.",
        remedy="None needed; an issue with this report lets the SDK learn them.",
        judge=records.tell_unknown_methods,
        is_report_only=True,
    ),
    Assumption(
        topic="shape of a 404",
        assumed="An unknown payment is answered 404, with a message or detail in JSON.",
        source="Assumed: not published.",
        observed_by="Get Payment with a random id.",
        consequence="get() raises another APIError than NotFoundError, perhaps without a message.",
        remedy="Catch APIError and look at its status. " + _REPORT,
        judge=refusals.judge_404,
    ),
    Assumption(
        topic="shape of a 422",
        assumed="An invalid value is answered 422, with a message or a list of problems in JSON.",
        source="The status is published on Paywint's platform site; the body is assumed (FastAPI's, "
        "or the API's own).",
        observed_by="Get Payment with an id that is not a UUID; a page of 7 payments. Both only read.",
        consequence="Another APIError than UnprocessableRequestError, or one without problems.",
        remedy="Catch APIError and look at its status. " + _REPORT,
        judge=refusals.judge_422,
    ),
    Assumption(
        topic="rate-limit headers",
        assumed="Some 20 requests within seconds meet no limit, and no header announces one.",
        source="Assumed: no limit is published.",
        observed_by="429 among the statuses; the headers Retry-After, RateLimit… and X-RateLimit….",
        consequence="Nothing is lost: on a 429 all calls wait for Retry-After, then continue slower.",
        remedy="Pass rate_limit=RateLimit(requests, per_seconds), or SharedRateLimit for several "
        "processes.",
        judge=connection.judge_rate_limit,
    ),
    Assumption(
        topic="compression",
        assumed="A body is compressed only as the request allows.",
        source="HTTP (RFC 9110, Accept-Encoding).",
        observed_by="A page that is requested as gzip, and one that is requested uncompressed.",
        consequence="Answers are still read if the compression is gzip or deflate, but take longer than "
        "necessary.",
        remedy="None needed, unless calls fail. " + _REPORT,
        judge=connection.judge_compression,
    ),
    Assumption(
        topic="keep-alive",
        assumed="A connection serves more than one request.",
        source="HTTP/1.1 (RFC 9112); that no proxy prevents it is assumed.",
        observed_by="The Connection header of the answers.",
        consequence="Each request opens a connection: one or two more round trips for each page.",
        remedy="Look for a proxy that closes connections; a larger max_concurrency= hides the cost.",
        judge=connection.judge_keep_alive,
    ),
    Assumption(
        topic="webhook unit",
        assumed="The amount of a webhook is the payment's, in cents or in dollars; which of the two is "
        "not assumed.",
        source="Contested: Paywint's developer site says cents, its platform site says dollars of the "
        "same example.",
        observed_by="A recorded delivery (--webhook FILE) against Get Payment.",
        consequence="WebhookEvent.amount would be wrong, or None. What event.confirm() returns is right "
        "in any case.",
        remedy="Do not use the amount of webhooks, only that of event.confirm(). " + _REPORT,
        judge=webhook.judge_webhook_unit,
        needs_delivery=True,
    ),
    Assumption(
        topic="readability",
        assumed="The SDK can read every answer, in ways that no other topic covers.",
        source="The models follow the published fields.",
        observed_by="ResponseDecodeError on any answer, where nothing else is contradicted.",
        consequence="Calls that meet such an answer raise ResponseDecodeError.",
        remedy=_REPORT,
        judge=records.judge_readability,
        is_fallback=True,
    ),
)
