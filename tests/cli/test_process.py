"""The command as a process: signals, closed and full streams, a terminal, a missing extra."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from support.growing_files import size_of

pytestmark = pytest.mark.slow

Command = Callable[..., Any]

SIGNALS = pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)


def ids_in(text: str) -> list[str]:
    return [json.loads(line)["payment_id"] for line in text.split("\n")[:-1]]


@SIGNALS
@pytest.mark.parametrize("direction", ["sent", "both"])
def test_a_signal_saves_the_checkpoint_and_the_same_command_continues(
    tmp_path: Path,
    serve: Command,
    use: Command,
    start: Command,
    end: Command,
    wait_until: Command,
    paywint: Command,
    number: signal.Signals,
    code: int,
    word: str,
    direction: str,
) -> None:
    account = serve(payments=1200, latency=0.05)
    use(account.environment)
    output = tmp_path / "payments.jsonl"
    export = ["export", "--output", output, "--checkpoint", tmp_path / "cp"]
    export += ["--rows-per-page", 20, "--concurrency", 2, "--direction", direction]

    process = start(*export)
    wait_until(process, lambda: size_of(output) > 50_000)
    process.send_signal(number)
    outcome = end(process)

    done = len(ids_in(output.read_text("utf-8")))
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err == (
        f"paywint: {word}; {done:,} payments are done; run the same command again to continue\n"
    )
    assert json.loads((tmp_path / "cp").read_bytes())["size"] == output.stat().st_size
    assert 0 < done < 1200
    assert paywint(*export[:-4], "--direction", direction).code == 0
    ids = ids_in(output.read_text("utf-8"))
    wanted = account.ids("sent") + (account.ids("received") if direction == "both" else [])
    assert sorted(ids) == sorted(wanted)


def test_without_a_checkpoint_a_signal_leaves_the_existing_file(
    tmp_path: Path, start: Command, end: Command, wait_until: Command
) -> None:
    output = tmp_path / "payments.csv"
    output.write_bytes(b"last month")
    part = tmp_path / "payments.csv.part"
    export = ["export", "--emulator", 2000, "--emulator-latency", 0.1, "--output", output]

    process = start(*export, "--concurrency", 1)
    wait_until(process, lambda: size_of(part) > 20_000)
    process.send_signal(signal.SIGINT)
    outcome = end(process)

    assert outcome.code == 130
    assert f"they are in {part}; with --checkpoint it could be continued" in outcome.err
    assert output.read_bytes() == b"last month"


def test_a_signal_before_the_first_payment(
    tmp_path: Path, use: Command, start: Command, end: Command
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody_answers:
        url = f"http://127.0.0.1:{nobody_answers.getsockname()[1]}"
        use({"PAYWINT_API_KEY": "key", "PAYWINT_API_SECRET": "secret", "PAYWINT_BASE_URL": url})
        process = start("export", "--output", tmp_path / "out")
        connection, _ = nobody_answers.accept()
        process.send_signal(signal.SIGINT)
        outcome = end(process)
        connection.close()

    assert (outcome.code, outcome.err) == (130, "paywint: interrupted\n")
    assert os.listdir(tmp_path) == []


def test_a_signal_ends_an_export_even_if_nobody_reads_the_pipe(start: Command) -> None:
    process = start("export", "--emulator", 5000)
    assert ids_in(process.stdout.readline())

    process.send_signal(signal.SIGINT)

    assert process.wait(timeout=30) == 130
    assert process.stderr.read().endswith(
        " payments are done; with --checkpoint it could be continued\n"
    )


def test_a_second_signal_ends_it_at_once() -> None:
    program = (
        "import asyncio\n"
        "from paywint_async._cli.run import run\n"
        "async def stubborn():\n"
        "    print('ready', flush=True)\n"
        "    try:\n"
        "        await asyncio.Event().wait()\n"
        "    except asyncio.CancelledError:\n"
        "        print('cancelled', flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "run(stubborn())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for said in ("ready\n", "cancelled\n"):
        assert process.stdout.readline() == said
        process.send_signal(signal.SIGINT)

    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (-signal.SIGINT, "")


def test_a_signal_during_the_import() -> None:
    program = (
        "import os, signal, sys\n"
        # Background jobs of a shell, and the processes that they start, ignore SIGINT.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from paywint_async._cli import main\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'paywint_async._cli.app':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "sys.exit(main(['export', '--emulator', '10']))\n"
    )

    finished = run_python(program)

    assert (finished.returncode, finished.stdout, finished.stderr) == (130, "", "")


def run_python(program: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=False,
        timeout=60,
        text=True,
        **{"capture_output": True, **options},
    )


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("cyclopts", "the command needs an extra: pip install 'paywint-async[cli]'"),
        ("rich", "the command needs an extra: pip install 'paywint-async[cli]'"),
    ],
)
def test_a_missing_extra_is_reported_in_one_line(module: str, line: str) -> None:
    finished = run_python(
        f"import sys; sys.modules[{module!r}] = None\n"
        "from paywint_async._cli import main\n"
        "sys.exit(main(['export']))\n"
    )

    assert (finished.returncode, finished.stdout, finished.stderr) == (2, "", f"paywint: {line}\n")


def test_another_missing_module_is_not_mistaken_for_an_extra() -> None:
    finished = run_python(
        "import sys; sys.modules['paywint_async._cli.progress'] = None\n"
        "from paywint_async._cli import main\n"
        "main(['export'])\n"
    )

    assert finished.returncode == 1
    assert "ModuleNotFoundError: import of paywint_async._cli.progress halted" in finished.stderr


@pytest.mark.parametrize("command", ["export", "payment list sent"])
def test_head_ends_the_command_without_a_traceback(
    serve: Command, use: Command, command: str
) -> None:
    use(serve(payments=3000).environment)
    script = (
        f"'{sys.executable}' -W error -m paywint_async {command} | head -1; echo ${{PIPESTATUS[@]}}"
    )

    finished = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )

    payment, codes = finished.stdout.split("\n")[:-1]
    assert len(ids_in(payment + "\n")) == 1
    assert codes == "141 0"
    assert finished.stderr == "paywint: cannot write stdout: its reader has gone away\n"


@pytest.mark.parametrize(
    ("redirection", "arguments", "code", "line"),
    [
        (">&-", "export --emulator 9", 1, "paywint: cannot write stdout: it is closed\n"),
        (
            ">/dev/full",
            "export --emulator 9",
            1,
            "paywint: cannot write stdout: No space left on device\n",
        ),
        (">/dev/full", "--help", 1, "paywint: cannot write stdout: No space left on device\n"),
        (">&-", "--version", 1, "paywint: cannot write stdout: it is closed\n"),
        (
            "| true; exit ${PIPESTATUS[0]}",
            "--help",
            141,
            "paywint: cannot write stdout: its reader has gone away\n",
        ),
        (">/dev/null 2>&-", "export --emulator 9", 0, ""),
        (">/dev/null 2>/dev/full", "export --emulator 9", 0, ""),
        (">/dev/null 2>/dev/full", "export --nope", 2, ""),
        ("2>&1 | true; exit ${PIPESTATUS[0]}", "export --emulator 3000", 141, ""),
    ],
)
def test_closed_or_full_streams(redirection: str, arguments: str, code: int, line: str) -> None:
    script = f"'{sys.executable}' -W error -m paywint_async {arguments} {redirection}"

    finished = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60
    )

    assert (finished.returncode, finished.stderr) == (code, line)


def on_terminal(command: str, **options: Any) -> tuple[int, str]:
    """Runs a command with a terminal as stderr; its exit code, and what the terminal shows."""
    terminal, end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        ["bash", "-c", f"'{sys.executable}' -W error -m paywint_async {command}"],
        stderr=end,
        env=environment,
        **{"stdout": subprocess.DEVNULL, **options},
    )
    os.close(end)
    shown = b""
    try:
        while data := os.read(terminal, 65536):
            shown += data
    except OSError:  # that is how the other end of a terminal is closed
        os.close(terminal)
    return process.wait(timeout=30), shown.decode()


def test_a_terminal_shows_payments_rate_and_time_left(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"

    code, shown = on_terminal(
        f"export --emulator 1000 --emulator-latency 0.1 --concurrency 2 --output {output}"
    )

    assert code == 0
    assert "0 payments" in shown
    assert "of 1,000 payments" in shown
    assert "/s" in shown
    assert "0:00:0" in shown
    assert shown.rstrip().split("\n")[-1].endswith("/s)")


def test_no_progress_bar_is_shown_if_results_go_to_the_terminal() -> None:
    terminal, end = pty.openpty()
    with os.fdopen(end, "wb", 0) as stdout:
        process = subprocess.Popen(
            [sys.executable, "-m", "paywint_async", "export", "--emulator", "3"],
            stdout=stdout,
            stderr=stdout,
        )
    shown = b""
    try:
        while data := os.read(terminal, 65536):
            shown += data
    except OSError:  # that is how the other end of a terminal is closed
        os.close(terminal)

    assert process.wait(timeout=30) == 0
    lines = shown.decode().replace("\r\n", "\n").split("\n")[:-1]
    assert len([line for line in lines if line.startswith('{"payment_id":')]) == 3
    assert lines[3].startswith("paywint: exported 3 received payments to stdout")
    assert "\x1b" not in shown.decode()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_the_emulator_prints_environment_variables_and_serves_until_a_signal(
    start: Command, end: Command, paywint: Command, use: Command, number: int, code: int
) -> None:
    process = start("emulator", "--payments", 7)
    variables = {}
    for _ in range(4):
        name, _, value = process.stdout.readline().removeprefix("export ").strip().partition("=")
        variables[name] = value

    use(variables)
    listed = paywint("payment", "list", "sent")
    process.send_signal(number)
    outcome = end(process)

    assert sorted(variables) == [
        "PAYWINT_API_KEY",
        "PAYWINT_API_SECRET",
        "PAYWINT_BASE_URL",
        "PAYWINT_ENVIRONMENT",
    ]
    assert len(ids_in(listed.out)) == 7
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.startswith("paywint: serving 7 payments in each direction at http://127.0.")


def test_the_emulator_keeps_its_state_and_refuses_other_settings(
    tmp_path: Path, start: Command, end: Command, paywint: Command, use: Command
) -> None:
    state = ("--state", tmp_path / "state.db")
    for has_restarted in (False, True):
        hooks = ("--webhook-url", "http://127.0.0.1:1/hook", "--redirect-url", "http://shop/back")
        process = start("emulator", "--payments", 0, *state, *hooks)
        lines = [process.stdout.readline() for _ in range(4)]
        use(dict(line.removeprefix("export ").strip().split("=", 1) for line in lines))
        if has_restarted:
            assert len(ids_in(paywint("payment", "list", "received").out)) == 1
        else:
            paywint("link", "create", "5")
        process.send_signal(signal.SIGTERM)
        assert end(process).code == 0

    outcome = paywint("emulator", "--payments", 1, *state)

    assert (outcome.code, outcome.out) == (1, "")
    assert "is of an emulator with payments=0, not 1" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_port_in_use(serve: Command, paywint: Command) -> None:
    url = serve(payments=1).environment["PAYWINT_BASE_URL"]

    outcome = paywint("emulator", "--port", url.rpartition(":")[2])

    assert (outcome.code, outcome.out) == (1, "")
    assert "address already in use" in outcome.err
    assert outcome.err.count("\n") == 1


def test_two_exports_cannot_share_a_checkpoint(
    tmp_path: Path, start: Command, end: Command, wait_until: Command, paywint: Command
) -> None:
    export = ["export", "--emulator", 3000, "--emulator-latency", 0.1, "--concurrency", 1]
    export += ["--checkpoint", tmp_path / "cp"]
    first = start(*export, "--output", tmp_path / "a")
    wait_until(first, lambda: size_of(tmp_path / "a") > 0)

    second = paywint(*export, "--output", tmp_path / "b")

    assert (second.code, second.out) == (1, "")
    assert second.err == f"paywint: {tmp_path}/cp is being written by another export\n"


def test_help_and_version(paywint: Command) -> None:
    for arguments in (["--help"], ["export", "--help"], []):
        outcome = paywint(*arguments)
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.startswith("Usage: paywint ")
    assert paywint("--version").out.strip() in (version("paywint-async"), "not installed")
