"""Each account has a separate output inside the destination."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from paywint_async import ConfigurationError
from paywint_async._accounts.places import folder_of, places, staging_of
from paywint_async.export._destination import open_database

HERE = os.getcwd()


@pytest.mark.parametrize(
    ("destination", "output"),
    [
        ("exports", f"{HERE}/exports/a.jsonl"),
        ("exports/", f"{HERE}/exports/a.jsonl"),
        (Path("/x/exports"), "/x/exports/a.jsonl"),
        ("/x/{account}.csv.gz", "/x/a.csv.gz"),
        ("/x/{account}.parquet", "/x/a.parquet"),
        ("/x/{account}.xlsx", "/x/a.xlsx"),
        ("/x/{account}/", "/x/a/"),
        ("/x/{account}/{account}.jsonl", "/x/a/a.jsonl"),
        ("C:/x/{account}.jsonl", f"{HERE}/C:/x/a.jsonl"),  # a drive letter is not a scheme
        ("sqlite:////x/{account}.db", "sqlite:////x/a.db"),
        ("sqlite:///x/{account}.db", f"sqlite:///{HERE}/x/a.db"),
        ("postgresql://me@host/{account}", "postgresql://me@host/a"),
    ],
    ids=str,
)
def test_an_account_has_its_own_output(destination: Any, output: str) -> None:
    assert places(destination, ["a"]) == {"a": output}


@pytest.mark.parametrize(
    ("destination", "problem"),
    [
        ("", "must be a path or a URL"),
        (5, "must be a path or a URL"),
        (b"x", "must be a path or a URL"),
        (Path, "must be a path or a URL"),
        ("a\0b", "must be a path or a URL"),
        ("x/{account}.txt", r"no destination has the ending \.txt"),
        ("oracle://host/{account}", "oracle is not a database"),
        ("payments.jsonl", "each account needs a file of its own"),
        ("all.parquet", "each account needs a file of its own"),
        ("sqlite:///all.db", "each account needs a database of its own"),
        ("postgresql://me:pw@host/{account}", "must not have a password"),
        ("postgresql://host/{account}?password=pw", "must not have a password"),
        ("postgresql://me:p/pw@host/{account}", "must not have a password"),
        ("postgresql://me:p/pw@host/all", "must not have a password"),
        ("postgresql://me:p@pw@host/{account}", "must not have a password"),
        ("postgresql://me@corp:pw@host/{account}", "must not have a password"),
        ("postgresql://me:p?pw#@host/{account}", "must not have a password"),
        (" postgresql://me:pw@host/all.db", "must not have a password"),
        ("mysql://host/{account}?passwd=pw", "must not have a password"),
        ("postgresql:/me:pw@host/all", "put {account} into postgresql://…"),
    ],
    ids=str,
)
def test_an_invalid_destination_is_refused(destination: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        places(destination, ["a"])

    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("destination", "names"),
    [
        ("exports", ["acme", "Acme"]),
        ("exports", ["acme", "acme"]),
        ("x/{account}.xlsx", ["acme", "ACME"]),
        ("exports/{account}", ["acme", "acme.checkpoint"]),
        ("exports/{account}", ["acme.tmp", "acme"]),
        ("exports/{account}", ["acme", "ACME.ranges"]),
        ("exports/{account}/", ["acme.ranges", "acme"]),
        ("exports/{account}/", ["acme", "acme.tmp"]),
        ("sqlite:///exports/{account}", ["acme", "acme-journal"]),
        ("SQLite:///exports/{account}", ["acme-wal", "acme"]),
    ],
    ids=str,
)
def test_two_accounts_never_share_a_file(destination: str, names: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="would share"):
        places(destination, names)


def test_two_accounts_that_would_share_a_database_are_refused_without_its_url() -> None:
    with pytest.raises(ConfigurationError, match="would share mysql://…") as caught:
        places("mysql://me@host.internal/{account}", ["acme", "Acme"])

    assert "internal" not in str(caught.value)


@pytest.mark.parametrize(
    "destination",
    [
        "postgresql://me@host:5432/{account}",
        "postgresql://me@[::1]:5432/{account}",
        "postgresql://host:5432/{account}",
        "sqlite:////x/a:b@c/{account}.db",
        "/x/a:b@c/{account}.jsonl",
    ],
)
def test_what_has_no_password_is_accepted(destination: str) -> None:
    assert places(destination, ["a"]) == {"a": destination.format(account="a")}


@pytest.mark.parametrize("name", ["100%25", "what?", "with space"])
def test_a_relative_database_is_in_the_present_directory_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name / "ok dir").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / name)

    output = places("sqlite:///ok%20dir/{account}.db", ["a"])["a"]

    assert open_database(output).name == f"sqlite:///{tmp_path}/{name}/ok dir/a.db"
    assert staging_of(output) == f"{tmp_path}/{name}/ok dir/a.db.ranges"


@pytest.mark.parametrize(
    ("output", "staging", "folder"),
    [
        ("/x/a.jsonl", "/x/a.jsonl.ranges", "/x"),
        ("/x/a/", "/x/a.ranges", "/x"),
        ("/x%20y/a.jsonl", "/x%20y/a.jsonl.ranges", "/x%20y"),
        ("sqlite:////x%20y/a.db", "/x y/a.db.ranges", "/x y"),
        ("sqlite:////x/a.db", "/x/a.db.ranges", "/x"),
        ("postgresql://host/a", None, "."),
    ],
)
def test_ranges_are_kept_beside_the_output(output: str, staging: str | None, folder: str) -> None:
    assert (staging_of(output), folder_of(output)) == (staging, folder)
