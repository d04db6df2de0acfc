"""The programs of docs/frameworks run as they stand, under the real servers: `nox -s frameworks`."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
import pytest
from celery.contrib.testing.worker import start_worker
from emulator_thread import environment_of_an_account
from nbclient import NotebookClient

import paywint_async

PAGES = Path(__file__).resolve().parents[2] / "docs" / "frameworks"
FENCED = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PATIENCE = 30  # seconds for a server to start

# What the server of each page answers with for a payment: its amount as text, or as a JSON number.
SERVERS = ["fastapi", "starlette", "aiohttp-web", "django", "litestar", "gunicorn"]
CREATING = [page for page in SERVERS if page != "gunicorn"]


@pytest.fixture
def account() -> Iterator[dict[str, str]]:
    with environment_of_an_account(payments=120) as environment:
        yield environment


@pytest.fixture
def environment(account: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The account is also that of this process, for what runs in it."""
    for name, value in account.items():
        monkeypatch.setenv(name, value)
    package = str(Path(paywint_async.__file__).parents[1])
    # The programs are in the working directory, which a safe path leaves out.
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    return inherited | account | {"PYTHONPATH": package}


def blocks(page: str, language: str) -> list[str]:
    found = FENCED.findall((PAGES / f"{page}.md").read_text("utf-8"))
    return [code for written_in, code in found if written_in == language]


def write_programs(page: str, folder: Path) -> list[Path]:
    """Each Python block in the file that its first line names."""
    written = []
    for code in blocks(page, "python"):
        name = re.match(r"# (\w+\.py)\n", code)
        assert name, code
        (folder / name[1]).write_text(code, "utf-8")
        written.append(folder / name[1])
    return written


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unused_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def served(page: str, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The URL of the page's program, started by the page's own command on another port."""
    write_programs(page, folder)
    port = unused_port()
    (command,) = blocks(page, "bash")
    assert "8000" in command
    words = shlex.split(command.replace("8000", str(port)))
    if words[0] != "python":
        words[0] = str(Path(sys.executable).parent / words[0])
    else:
        words[0] = sys.executable
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_for(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)
    text = log.read_text("utf-8", "replace")
    assert "Traceback" not in text, text
    assert "Unclosed" not in text, text


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends_at = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < ends_at, log.read_text()
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
                pytest.fail(log.read_text())


def ask(method: str, url: str) -> dict[str, Any]:
    request = urllib.request.Request(url, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        decoded: dict[str, Any] = json.loads(answer.read(), parse_float=str)
    return decoded


def newest_payment(environment: dict[str, str]) -> dict[str, str]:
    """Id and amount of a payment, read by the command line."""
    command = [sys.executable, "-m", "paywint_async", "payment", "list", "received", "--limit", "1"]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    payment: dict[str, str] = json.loads(finished.stdout, parse_float=str, parse_int=str)
    return payment


@pytest.mark.parametrize("page", CREATING)
def test_a_link_is_created_and_its_payment_shown(page, environment, tmp_path):
    with served(page, tmp_path, environment) as url:
        link = ask("POST", f"{url}/links?amount=4.50")
        shown = ask("GET", f"{url}/payments/{link['payment_id']}")

    assert link["payment_link"].endswith(link["payment_id"])
    assert (shown["status"], shown["amount"]) == ("pending", "4.50")


def test_preloaded_workers_of_gunicorn_answer(environment, tmp_path):
    payment = newest_payment(environment)

    with served("gunicorn", tmp_path, environment) as url:
        shown = [ask("GET", f"{url}/payments/{payment['payment_id']}") for _ in range(20)]

    assert [each["amount"] for each in shown] == [payment["amount"]] * 20


@pytest.mark.filterwarnings("ignore:'audioop' is deprecated")  # discord.py imports it
@pytest.mark.real_time
async def test_a_discord_bot_opens_and_closes_its_client(environment, tmp_path):
    (program, _) = write_programs("bots", tmp_path)
    bot = load(program).bot

    async with bot:
        await bot.setup_hook()
        page = await bot.paywint.payments.page("received", 1)

    assert page.total_records == 120
    with pytest.raises(paywint_async.ClientClosedError):
        await bot.paywint.payments.page("received", 1)


@pytest.mark.real_time
async def test_an_aiogram_bot_opens_and_closes_its_client(environment, tmp_path):
    (_, program) = write_programs("bots", tmp_path)
    dispatcher = load(program).dispatcher

    await dispatcher.emit_startup()
    client = dispatcher["paywint"]
    page = await client.payments.page("received", 1)
    await dispatcher.emit_shutdown(**dispatcher.workflow_data)

    assert page.total_records == 120
    with pytest.raises(paywint_async.ClientClosedError):
        await client.payments.page("received", 1)


def test_the_cells_of_a_notebook_run(environment, tmp_path):
    cells = [nbformat.v4.new_code_cell(code) for code in blocks("jupyter", "python")]
    notebook = nbformat.v4.new_notebook(cells=cells)

    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()

    (output,) = notebook.cells[1].outputs
    assert output.text.startswith("100 payments, ")


@pytest.mark.parametrize("program", ["kept.py", "new_loop.py"])
def test_invocations_of_a_lambda_answer_and_log_nothing(program, environment, tmp_path, caplog):
    payment = newest_payment(environment)
    write_programs("lambda", tmp_path)
    module = load(tmp_path / program)

    answers = [module.handler({"payment_id": payment["payment_id"]}, None) for _ in range(5)]

    if program == "kept.py":
        module.runner.run(module.client.aclose())
        module.runner.close()
    assert [answer["amount"] for answer in answers] == [payment["amount"]] * 5
    assert caplog.records == []


def test_celery_tasks_answer(environment, tmp_path, caplog):
    payment = newest_payment(environment)
    write_programs("synchronous", tmp_path)
    tasks = load(tmp_path / "tasks.py")

    with start_worker(tasks.app, perform_ping_check=False, pool="solo"):
        results = [tasks.status_of.delay(payment["payment_id"]) for _ in range(3)]
        statuses = [result.get(timeout=PATIENCE) for result in results]

    assert statuses == [payment["status"]] * 3
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []


@pytest.mark.parametrize(
    ("page", "program", "printed"),
    [
        ("synchronous", "script.py", "120\n"),
        ("synchronous", "threads.py", "120\n"),
        ("uvloop-anyio", "with_uvloop.py", "120\n"),
        ("uvloop-anyio", "with_anyio.py", None),
    ],
)
def test_a_program_runs(page, program, printed, environment, tmp_path):
    write_programs(page, tmp_path)

    finished = subprocess.run(
        [sys.executable, "-W", "error", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (finished.returncode, finished.stderr) == (0, "")
    if printed is None:
        assert sorted(finished.stdout.splitlines()) == ["received 120", "sent 120"]
    else:
        assert finished.stdout == printed


def test_each_page_is_in_the_index():
    index = (PAGES / "index.md").read_text("utf-8")

    assert [page.name for page in PAGES.glob("*.md") if f"({page.name})" not in index] == [
        "index.md"
    ]
