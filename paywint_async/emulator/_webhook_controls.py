"""The methods with which demos and tests control the webhooks of the emulated account."""

from paywint_async.emulator._webhooks import Delivery, WebhookFaults, Webhooks


class WebhookControls:
    """The receiver of webhooks, their faults, and the deliveries."""

    _webhooks: Webhooks

    @property
    def webhook_url(self) -> str | None:
        """The URL that receives webhooks; None: no webhooks. Can be set while it runs.

        Raises:
            ValueError: It is set to a URL that is not http(s) on loopback.
        """
        return self._webhooks.url

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        """Send webhooks there from now on."""
        self._webhooks.url = url

    @property
    def webhook_secret(self) -> str | None:
        """The secret with which webhooks are signed; None: unsigned. Can be set while it runs."""
        return self._webhooks.secret

    @webhook_secret.setter
    def webhook_secret(self, secret: str | None) -> None:
        """Sign with this secret from now on."""
        self._webhooks.secret = secret

    @property
    def webhook_faults(self) -> WebhookFaults:
        """The faults of the deliveries. Can be set while it runs."""
        return self._webhooks.faults

    @webhook_faults.setter
    def webhook_faults(self, faults: WebhookFaults) -> None:
        """Use these faults from now on."""
        self._webhooks.faults = faults

    @property
    def deliveries(self) -> list[Delivery]:
        """The latest 100,000 deliveries, oldest first, each with its outcome."""
        return list(self._webhooks.deliveries)

    async def delivered(self) -> None:
        """Wait until no delivery is in progress or waiting for its next attempt."""
        await self._webhooks.settled()

    async def resend(self, delivery: Delivery | str) -> Delivery:
        """Deliver a webhook again, with the same id, whatever its outcome was.

        Args:
            delivery: One of `deliveries`, or an id: if several have it, the latest.

        Raises:
            LookupError: No such delivery.
            RuntimeError: The emulator is not running.
        """
        return await self._webhooks.resend(delivery)
