"""Accounts have references to secrets; only the client has the secrets."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest

from paywint_async import Account, ConfigurationError, Environment, PaywintError, SecretRef
from paywint_async._accounts.job import Job, Options

KEY, SECRET = "4c0b0d1e-90b1-4b0e-8f0c-3f6f0f9d7a11", "pw_live_s3cr3t_0f_4cm3_4nd_n0b0dy_3ls3"
REF = SecretRef.env("ACME_KEY")


def frames_show(error: BaseException | None) -> list[str]:
    """Return the places in the package, along the error's chain, with a secret in a local."""
    places = []
    while error is not None:
        for frame, line in traceback.walk_tb(error.__traceback__):
            if "paywint_async" in frame.f_code.co_filename:
                shown = [n for n, value in frame.f_locals.items() if SECRET in repr(value)]
                places += [f"{frame.f_code.co_qualname}:{line} {name}" for name in shown]
        error = error.__cause__ or error.__context__
    return places


def tell(argument: str) -> str:
    return f"told {argument}"


def fail() -> str:
    raise ValueError(SECRET)


def nothing() -> None:
    return None


def test_a_secret_is_found_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_SECRET", SECRET)

    assert SecretRef.env("ACME_SECRET").resolve() == SECRET


def test_a_secret_is_found_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")

    assert SecretRef.file(f"{tmp_path}/secret").resolve() == SECRET


def test_a_secret_is_returned_by_a_function() -> None:
    assert SecretRef.call(f"{__name__}:tell", "acme").resolve() == "told acme"


@pytest.mark.parametrize(
    "ref",
    [
        SecretRef.env("PAYWINT_TEST_NO_SUCH_VARIABLE"),
        SecretRef.file("/nowhere/secret"),
        SecretRef.call("nowhere.to.be:found"),
        SecretRef.call(f"{__name__}:fail"),
        SecretRef.call(f"{__name__}:nothing"),
        SecretRef.call(f"{__name__}:tell"),
    ],
    ids=str,
)
def test_a_missing_secret_is_an_error_that_shows_no_secret(ref: SecretRef) -> None:
    with pytest.raises(ConfigurationError, match="there is no secret at") as caught:
        ref.resolve()

    assert str(ref) in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    assert frames_show(caught.value) == []


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")

    with pytest.raises(ConfigurationError, match="there is no secret"):
        SecretRef.file(f"{tmp_path}/secret").resolve()


@pytest.mark.parametrize("make", [SecretRef.env, SecretRef.file, SecretRef.call])
@pytest.mark.parametrize("value", [SECRET, KEY, "", 5, None])
def test_a_secret_in_place_of_a_reference_is_refused_and_not_shown(make: Any, value: Any) -> None:
    with pytest.raises(ConfigurationError, match="never the secret") as caught:
        make(value)

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("field", ["api_key", "api_secret"])
def test_a_plain_secret_is_refused_and_not_shown(field: str) -> None:
    references: dict[str, Any] = {"api_key": REF, "api_secret": REF} | {field: SECRET}
    with pytest.raises(ConfigurationError, match=rf"{field} of account acme must be a Secr") as it:
        Account("acme", **references)

    assert "here a str" in str(it.value)
    assert SECRET not in str(it.value)
    assert frames_show(it.value) == []


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden", "a b", "é", "a" * 101, "-x", 5])
def test_a_name_that_can_leave_the_directory_is_refused(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="an account's name has letters"):
        Account(name, api_key=REF, api_secret=REF)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"direction": "up"}, "direction must be sent, received or both"),
        ({"environment": "moon"}, "environment must be"),
        ({"base_url": "http://example.com"}, "base_url must be https"),
    ],
    ids=str,
)
def test_arguments_that_the_client_would_refuse_are_refused_at_once(
    options: Any, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        Account("acme", api_key=REF, api_secret=REF, **options)


def test_an_account_can_be_pickled() -> None:
    account = Account("acme", api_key=REF, api_secret=REF, environment="production")

    assert pickle.loads(pickle.dumps(account)) == account
    assert hash(account) == hash(
        Account("acme", api_key=REF, api_secret=REF, environment="production")
    )
    assert account.environment is Environment.PRODUCTION
    assert account.directions == ["sent", "received"]


def test_no_frame_of_a_failed_client_construction_shows_a_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACME_KEY", f"{SECRET} with spaces")
    account = Account("acme", api_key=REF, api_secret=REF)

    with pytest.raises(PaywintError) as caught:
        Job(account=account, output="x", options=Options()).open_client()

    assert frames_show(caught.value) == []
    assert SECRET not in str(caught.value)
