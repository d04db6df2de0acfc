"""200 accounts of mixed size on four workers, one of which is killed: `nox -s accounts`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random

import psutil
import pytest
from many_accounts import served

from paywint_async import AccountReport, ExportSummary, export_accounts

ACCOUNTS = int(os.environ.get("PAYWINT_ACCOUNTS", "200"))
# from, to, weight
RANGES = ((0, 100, 50), (100, 1_000, 38), (1_000, 3_000, 10), (6_000, 9_000, 2))


def sizes() -> list[int]:
    random = Random(7)
    weights = [weight for _, _, weight in RANGES]
    return [
        random.randint(least, most)
        for least, most, _ in random.choices(RANGES, weights, k=ACCOUNTS)
    ]


class KillOne:
    """Kills a worker once a third of the accounts are complete."""

    def __init__(self) -> None:
        self.complete = 0
        self.killed = 0

    def __call__(self, report: AccountReport) -> None:
        self.complete += report.status == "complete"
        if self.complete > ACCOUNTS / 3 and not self.killed:
            children = psutil.Process().children(recursive=True)
            workers = [each for each in children if "spawn_main" in " ".join(each.cmdline())]
            workers[0].send_signal(signal.SIGKILL)
            self.killed = workers[0].pid


@pytest.mark.real_time
async def test_two_hundred_accounts_are_complete_even_if_a_worker_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(sizes()) as bank:
        accounts = bank.accounts(monkeypatch.setenv)

        async def export() -> ExportSummary:
            kill = KillOne()
            summary = await export_accounts(
                accounts, tmp_path, cluster=4, on_progress=kill, split_above=4_000
            )
            print(summary, "killed", kill.killed, max(report.attempts for report in summary))
            assert kill.killed
            return summary

        def check(summary: ExportSummary) -> None:
            assert summary.is_complete
            for number, (account, report) in enumerate(zip(accounts, summary, strict=True)):
                assert bank.holds_exactly(number, tmp_path / f"{account.name}.jsonl"), account
                expected = len(bank.ids(number, "sent")) + len(bank.ids(number, "received"))
                assert report.payments == expected, account

        first = await export()
        check(first)
        assert first.new == first.payments == 2 * sum(sizes())
        for number in range(0, ACCOUNTS, 3):
            bank.arrive(number, 1 + number, "received")
        second = await export()
        check(second)
        assert second.new == sum(1 + number for number in range(0, ACCOUNTS, 3))
    assert not list(tmp_path.glob("*.ranges"))
