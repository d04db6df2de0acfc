"""An entry of CAMT.053 with several transactions becomes several rows if all have their amounts."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_reading import read

ENTRY = (
    "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.02'><BkToCstmrStmt><Stmt>"
    "<Ntry><Amt Ccy='USD'>5.75</Amt><CdtDbtInd>CRDT</CdtDbtInd>"
    "<BookgDt><Dt>2026-01-02</Dt></BookgDt><NtryDtls>{}</NtryDtls></Ntry>"
    "</Stmt></BkToCstmrStmt></Document>"
)
PART = "<TxDtls><Amt Ccy='USD'>{}</Amt></TxDtls>"


@pytest.mark.parametrize(
    ("parts", "amounts"),
    [
        (["5.00", "0.75"], ["5.00", "0.75"]),
        (["5.00", "0.70"], ["5.75"]),
        (["5.75"], ["5.75"]),
        ([], ["5.75"]),
    ],
)
def test_the_parts_of_an_entry(parts: list[str], amounts: list[str], tmp_path: Path) -> None:
    path = tmp_path / "statement.xml"
    path.write_text(ENTRY.format("".join(map(PART.format, parts))), "utf-8")

    assert [str(row.amount) for row in read(str(path))] == amounts
