"""Controls of the webhooks of the emulated account, for demos and tests."""

from paywint_async.emulator._webhooks import Delivery, WebhookFaults, Webhooks


class WebhookControls:
    """The destination of webhooks, their faults, and the result of each delivery."""

    _webhooks: Webhooks

    @property
    def webhook_url(self) -> str | None:
        """The URL to which each change is sent; None: nowhere. Can be set while it runs.

        Raises:
            ValueError: When it is set: it is not http(s) on loopback.
        """
        return self._webhooks.url

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        """Send changes to this URL from now on."""
        self._webhooks.url = url

    @property
    def webhook_secret(self) -> str | None:
        """The secret that signs webhooks; None: they are not signed. Can be set while it runs."""
        return self._webhooks.secret

    @webhook_secret.setter
    def webhook_secret(self, secret: str | None) -> None:
        """Sign with this one from now on."""
        self._webhooks.secret = secret

    @property
    def webhook_faults(self) -> WebhookFaults:
        """The faults of webhooks. Can be set while it runs."""
        return self._webhooks.faults

    @webhook_faults.setter
    def webhook_faults(self, faults: WebhookFaults) -> None:
        """Apply these faults from now on."""
        self._webhooks.faults = faults

    @property
    def deliveries(self) -> list[Delivery]:
        """The latest 100,000 webhooks, oldest first, each with its result."""
        return list(self._webhooks.deliveries)

    async def delivered(self) -> None:
        """Wait until no webhook is being sent or waits for its next attempt."""
        await self._webhooks.settled()

    async def resend(self, delivery: Delivery | str) -> Delivery:
        """Send a delivery again with the same id, whatever its outcome was.

        Args:
            delivery: One of `deliveries`, or its id; of several with the same id the latest.

        Raises:
            LookupError: No such delivery.
            RuntimeError: The emulator is not running.
        """
        return await self._webhooks.resend(delivery)
