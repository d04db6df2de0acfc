"""A table whose process is killed at any file operation is continued exactly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


@pytest.mark.parametrize("kind", ["csv.gz", "parquet"])
def test_a_table_is_continued_exactly_after_a_kill_at_any_file_operation(
    tmp_path: Path, kind: str
) -> None:
    finished = subprocess.run(
        [sys.executable, "-W", "error", str(HERE / "killed_at_each_step.py"), kind, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(HERE.parent / "support")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (finished.returncode, finished.stderr) == (0, "")
    assert int(finished.stdout) > 20
