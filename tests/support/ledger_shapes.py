"""The same payments in the file formats of accounting tools and banks.

Sources of the formats: the tools' own documentation and public samples, with made-up values.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from xml.sax.saxutils import escape

import attrs
import openpyxl
from fixed_account import Paid

Rows = Sequence[Paid]


@attrs.frozen(kw_only=True)
class Shape:
    """A file format: a file's name, how to make it, and the options that a user must give."""

    file: str
    make: Callable[[Rows], bytes]
    options: tuple[str, ...] = ()
    # Which payments such a ledger can have: without dates, descriptions must be unique.
    fits: Callable[[Paid], bool] = lambda payment: True


SHAPES: dict[str, Shape] = {}


def shape(
    file: str, *options: str, fits: Callable[[Paid], bool] = lambda payment: True
) -> Callable[[Callable[[Rows], bytes]], Callable[[Rows], bytes]]:
    def add(make: Callable[[Rows], bytes]) -> Callable[[Rows], bytes]:
        SHAPES[make.__name__] = Shape(file=file, make=make, options=options, fits=fits)
        return make

    return add


def table(
    *lines: Iterable[object],
    delimiter: str = ",",
    encoding: str = "utf-8",
    end: str = "\r\n",
    quotes: bool = False,
) -> bytes:
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if quotes else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(lines)
    return text.getvalue().encode(encoding, "replace")


def us(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def german(amount: Decimal) -> str:
    return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))


def french(amount: Decimal) -> str:
    return f"{amount:,.2f}".replace(",", "\u202f").replace(".", ",")


def day(payment: Paid, form: str = "%Y-%m-%d") -> str:
    return payment.when.strftime(form)


# -- tools -----------------------------------------------------------------------------------------


@shape("desc_only.csv", fits=lambda payment: bool(payment.description))
def descriptions_only(rows: Rows) -> bytes:
    return table(["description", "amount"], *([e.description, e.amount] for e in rows))


@shape("excel.csv")
def excel_with_sep_line(rows: Rows) -> bytes:
    header = ["payment_id", "date", "description", "amount"]
    lines = ([e.payment_id, day(e), e.description, e.amount] for e in rows)
    return b"sep=,\r\n" + table(header, *lines)


@shape("books.txt")
def excel_unicode_text(rows: Rows) -> bytes:
    header = ["Date", "Description", "Amount"]
    lines = ([day(e, "%m/%d/%Y"), e.description, us(e.amount)] for e in rows)
    return table(header, *lines, delimiter="\t", encoding="utf-16")


@shape("paypal.csv")
def paypal(rows: Rows) -> bytes:
    header = [
        *("Date", "Time", "TimeZone", "Name", "Type", "Status", "Currency", "Gross", "Fee", "Net"),
        *("From Email Address", "To Email Address", "Transaction ID", "Invoice Number", "Subject"),
        "Balance Impact",
    ]
    lines = (
        [
            *(day(e, "%m/%d/%Y"), day(e, "%H:%M:%S"), "UTC", e.payer, "Express Checkout Payment"),
            *("Completed", "USD", us(e.amount), "-0.30", us(e.amount - Decimal("0.30"))),
            *("a@example.com", "b@example.com", f"{n:017}", "", e.description, "Credit"),
        ]
        for n, e in enumerate(rows)
    )
    return table(header, *lines, encoding="utf-8-sig", quotes=True)


@shape("qbo.csv")
def quickbooks_online(rows: Rows) -> bytes:
    header = ["Date", "Transaction Type", "Num", "Name", "Memo/Description", "Split", "Amount"]
    lines = [
        [
            day(e, "%m/%d/%Y"),
            "Payment",
            1000 + n,
            e.payer,
            e.description,
            "Undeposited",
            us(e.amount),
        ]
        for n, e in enumerate(rows)
    ]
    total = us(sum((e.amount for e in rows), Decimal(0)))
    return table(
        ["Sandbox Test Co", *[""] * 6],
        ["Transaction Report", *[""] * 6],
        ["January 1 - 31, 2015", *[""] * 6],
        [],
        [*header, "Balance"],
        *([*line, ""] for line in lines),
        ["TOTAL", *[""] * 5, f"${total}", ""],
        [],
        ["Saturday, Jan 31, 2015 09:00:12 AM GMT-8 - Accrual Basis"],
    )


@shape("qbd.csv", "--debit-column", "Credit", "--credit-column", "Debit")
def quickbooks_desktop(rows: Rows) -> bytes:
    header = ["", "Type", "Date", "Num", "Name", "Memo", "Split", "Debit", "Credit", "Balance"]
    lines = (
        [
            *("", "Payment", day(e, "%m/%d/%Y"), 1000 + n, e.payer, e.description),
            *("1200 · Accounts Receivable", e.amount, "", ""),
        ]
        for n, e in enumerate(rows)
    )
    total = sum((e.amount for e in rows), Decimal(0))
    return table(
        header,
        ["1000 · Checking", *[""] * 9],
        *lines,
        ["Total 1000 · Checking", *[""] * 6, total, "0.00", total],
        ["TOTAL", *[""] * 6, total, "0.00", total],
        encoding="cp1252",
    )


@shape("stripe.csv")
def stripe(rows: Rows) -> bytes:
    header = [
        *("id", "Type", "Source", "Amount", "Fee", "Net", "Currency", "Created (UTC)"),
        *("Available On (UTC)", "Description", "Customer Facing Amount"),
    ]
    lines = (
        [
            *(
                f"txn_{n:024}",
                "charge",
                f"ch_{n:024}",
                e.amount,
                "0.30",
                e.amount - Decimal("0.30"),
            ),
            *("usd", day(e, "%Y-%m-%d %H:%M"), day(e, "%Y-%m-%d 00:00"), e.description, ""),
        ]
        for n, e in enumerate(rows)
    )
    return table(header, *lines, end="\n")


@shape("stripe_net.csv", "--amount-column", "Net", "--fee-column", "Fee")
def stripe_net_of_fees(rows: Rows) -> bytes:
    return stripe(rows)


@shape("wave.csv")
def wave(rows: Rows) -> bytes:
    header = [
        *("Transaction ID", "Transaction Date", "Account Name", "Transaction Description"),
        *("Transaction Line Description", "Amount (One column)", " "),
        *("Debit Amount (Two Column Approach)", "Credit Amount (Two Column Approach)"),
        *("Other Accounts for this Transaction", "Customer"),
    ]
    lines = (
        [
            *(1_900_000_000 + n, day(e), "Cash on Hand", e.description, "", us(e.amount), ""),
            *(us(e.amount), "", "Sales", e.payer),
        ]
        for n, e in enumerate(rows)
    )
    return table(header, *lines)


@shape("xero.csv")
def xero(rows: Rows) -> bytes:
    header = ["*Date", "*Amount", "Payee", "Description", "Reference", "Check Number"]
    lines = ([day(e, "%d/%m/%Y"), e.amount, e.payer, e.description, "", ""] for e in rows)
    return table(header, *lines)


@shape("square.csv")
def square(rows: Rows) -> bytes:
    header = ["Date", "Time", "Gross Sales", "Gross Amount", "Fees", "Net Total", "Details"]
    lines = (
        [
            day(e, "%m/%d/%y"),
            day(e, "%H:%M:%S"),
            "",
            f"${us(e.amount)}",
            "($0.30)",
            "",
            e.description,
        ]
        for e in rows
    )
    return table(header, *lines)


@shape("freshbooks.csv")
def freshbooks(rows: Rows) -> bytes:
    header = ["Client Name", "Invoice #", "Date Paid", "Amount Paid", "Currency Code", "Notes"]
    lines = ([e.payer, "", day(e, "%b %d, %Y"), us(e.amount), "USD", e.description] for e in rows)
    return table(header, *lines)


@shape("guids.csv")
def ids_in_braces(rows: Rows) -> bytes:
    header = ["Reference", "Posted Date", "Amount"]
    lines = ([f"{{{e.payment_id}}}".upper(), day(e, "%d-%b-%Y"), e.amount] for e in rows)
    return table(header, *lines, delimiter="|")


@shape("spreadsheet.csv")
def apostrophes_before_formulas(rows: Rows) -> bytes:
    header = ["payment_date", "description", "amount"]
    lines = (
        [day(e), f"'{e.description}" if e.description[:1] in "=-+@" else e.description, e.amount]
        for e in rows
    )
    return table(header, *lines, encoding="utf-8-sig", delimiter=";")


# -- banks -----------------------------------------------------------------------------------------


@shape("usbank.csv")
def us_bank(rows: Rows) -> bytes:
    header = ["Transaction Date", "Description", "Debit", "Credit", "Balance"]
    return table(header, *([day(e), e.description, "", e.amount, ""] for e in rows))


@shape("chase.csv")
def chase(rows: Rows) -> bytes:
    header = ["Details", "Posting Date", "Description", "Amount", "Type", "Balance", "Check #"]
    lines = (
        ["CREDIT", day(e, "%m/%d/%Y"), e.description, e.amount, "ACH_CREDIT", "", "", ""]
        for e in rows
    )
    return table(header, *lines)


@shape("bofa.csv")
def bank_of_america(rows: Rows) -> bytes:
    total = us(sum((e.amount for e in rows), Decimal(0)))
    lines = ([day(e, "%m/%d/%Y"), e.description, us(e.amount), ""] for e in rows)
    return table(
        ["Description", "", "Summary Amt."],
        ["Beginning balance as of 01/01/2015", "", "0.00"],
        ["Total credits", "", total],
        ["Ending balance as of 01/31/2015", "", total],
        [],
        ["Date", "Description", "Amount", "Running Bal."],
        ["01/01/2015", "Beginning balance as of 01/01/2015", "", "0.00"],
        *lines,
    )


@shape("wells.csv", "--header-line", "0", "--date-column", "1", "--amount-column", "2")
def wells_fargo_without_header(rows: Rows) -> bytes:
    lines = ([day(e, "%m/%d/%Y"), e.amount, "*", "", e.description] for e in rows)
    return table(*lines, quotes=True)


@shape("capital.csv")
def capital_one(rows: Rows) -> bytes:
    header = [
        *("Account Number", "Transaction Description", "Transaction Date", "Transaction Type"),
        *("Transaction Amount", "Balance"),
    ]
    lines = (["1234", e.description, day(e, "%m/%d/%y"), "Credit", e.amount, ""] for e in rows)
    return table(header, *lines)


@shape("card.csv")
def sent_in_parentheses(rows: Rows) -> bytes:
    lines = ([day(e), e.description, f"${us(e.amount)}"] for e in rows)
    spent = [["2015-01-07", "Office", "($1,234.00)"], ["2015-01-08", "Rent", "$(99.50)"]]
    return table(["date", "description", "amount"], *lines, *spent)


@shape("latin.csv")
def german_dates_of_iso(rows: Rows) -> bytes:
    lines = ([day(e), "Müller", e.amount] for e in rows)
    header = ["Buchungstag", "Empfänger", "Betrag"]
    return table(header, *lines, delimiter=";", encoding="cp1252")


@shape("sparkasse.csv")
def german_bank(rows: Rows) -> bytes:
    header = [
        "Auftragskonto",
        "Buchungstag",
        "Valutadatum",
        "Verwendungszweck",
        "Betrag",
        "Währung",
    ]
    lines = (
        ["DE00", day(e, "%d.%m.%y"), day(e, "%d.%m.%y"), e.description, german(e.amount), "USD"]
        for e in rows
    )
    spent = ["DE00", "07.01.15", "07.01.15", "Büro", "-1.234,00", "USD"]
    return table(header, *lines, spent, delimiter=";", encoding="cp1252", quotes=True)


@shape("datev.csv")
def german_debit_and_credit_words(rows: Rows) -> bytes:
    header = ["Umsatz", "Soll/Haben", "Belegdatum", "Buchungstext"]
    lines = ([german(e.amount), "H", day(e, "%d.%m.%Y"), e.description] for e in rows)
    spent = ["1.234,00", "S", "07.01.2015", "Büro"]
    return table(header, *lines, spent, delimiter=";", encoding="cp1252")


@shape("banque.csv")
def french_bank(rows: Rows) -> bytes:
    header = ["Date opération", "Libellé", "Débit", "Crédit"]
    lines = ([day(e, "%d/%m/%Y"), e.description, "", french(e.amount)] for e in rows)
    return table(
        ["Relevé de compte du 01/01/2015 au 31/01/2015"],
        [],
        header,
        *lines,
        ["07/01/2015", "Bureau", "-1\u202f234,00", ""],
        ["", "Total", "", french(sum((e.amount for e in rows), Decimal(0)))],
        delimiter=";",
    )


@shape("hdfc.csv")
def indian_bank(rows: Rows) -> bytes:
    header = ["Date", "Narration", "Chq./Ref.No.", "Value Dt", "Withdrawal Amt.", "Deposit Amt."]
    lines = (
        [day(e, "%d/%m/%y"), e.description, "", day(e, "%d/%m/%y"), "", e.amount] for e in rows
    )
    return table(header, ["*" * 8] * 6, *lines)


@shape("minus.csv")
def trailing_minus(rows: Rows) -> bytes:
    header = ["Posting Date", "Memo", "Amount in USD"]
    lines = ([day(e, "%Y%m%d"), e.description, us(e.amount)] for e in rows)
    return table(header, *lines, ["20150107", "Office", "1,234.00-"])


@shape("camt.xml")
def camt_053(rows: Rows) -> bytes:
    entries = "".join(
        f"<Ntry>\n<Amt Ccy='USD'>{e.amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>"
        f"<BookgDt><Dt>{day(e)}</Dt></BookgDt><NtryDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED"
        f"</EndToEndId></Refs><RmtInf><Ustrd>{escape(e.description)}</Ustrd></RmtInf></TxDtls>"
        f"</NtryDtls></Ntry>\n"
        for e in rows
    )
    spent = (
        "<Ntry><Amt Ccy='USD'>1234.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts>"
        "<BookgDt><Dt>2015-01-07</Dt></BookgDt></Ntry>"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt><Stmt>'
        f"<Bal><Amt Ccy='USD'>0.00</Amt></Bal>{entries}{spent}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def _ofx_entries(rows: Rows, *, closes: bool) -> str:
    def tag(name: str, value: object) -> str:
        return f"<{name}>{escape(str(value))}" + (f"</{name}>" if closes else "") + "\n"

    return "".join(
        "<STMTTRN>\n"
        + tag("TRNTYPE", "CREDIT")
        + tag("DTPOSTED", f"{day(e, '%Y%m%d%H%M%S')}[0:GMT]")
        + tag("TRNAMT", e.amount)
        + tag("FITID", n)
        + tag("NAME", e.payer)
        + (tag("MEMO", " ".join(e.description.split())) if e.description else "")
        + "</STMTTRN>\n"
        for n, e in enumerate(rows)
    )


@shape("bank.qfx")
def ofx_sgml(rows: Rows) -> bytes:
    return (
        "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nENCODING:USASCII\nCHARSET:1252\n\n"
        f"<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>USD\n<BANKTRANLIST>\n"
        f"{_ofx_entries(rows, closes=False)}</BANKTRANLIST></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>"
    ).encode("cp1252", "replace")


@shape("bank.ofx")
def ofx_xml_in_one_line(rows: Rows) -> bytes:
    entries = _ofx_entries(rows, closes=True).replace("\n", "")
    return (
        '<?xml version="1.0"?><?OFX OFXHEADER="200" VERSION="220"?><OFX><STMTRS><CURDEF>USD</CURDEF>'
        f"<BANKTRANLIST>{entries}</BANKTRANLIST></STMTRS></OFX>"
    ).encode()


@shape("bank.sta")
def mt940(rows: Rows) -> bytes:
    entries = "".join(
        f":61:{day(e, '%y%m%d%m%d')}C{e.amount:.2f}NTRFNONREF//{n}\r\n".replace(".", ",")
        + (f":86:{' '.join(e.description.split())}\r\n" if e.description else "")
        for n, e in enumerate(rows)
    )
    head = ":20:STATEMENT\r\n:25:12345/678\r\n:28C:1/1\r\n:60F:C150101USD0,00\r\n"
    spent = ":61:1501070107D1234,00NTRFNONREF//X\r\n:86:Office\r\n"
    return f"{head}{entries}{spent}:62F:C150131USD0,00\r\n-\r\n".encode("utf-8", "replace")


# -- Excel -----------------------------------------------------------------------------------------


def workbook(*lines: Sequence[object]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    for line in lines:
        sheet.append(list(line))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@shape("books.xlsx")
def excel_table(rows: Rows) -> bytes:
    lines = ([e.when.date(), e.description, float(e.amount)] for e in rows)
    return workbook(["Date", "Memo", "Amount"], *lines)


@shape("report.xlsx")
def excel_report(rows: Rows) -> bytes:
    lines = (
        [None, datetime.combine(e.when, e.when.time()), e.payer, float(e.amount)] for e in rows
    )
    total = float(sum((e.amount for e in rows), Decimal(0)))
    return workbook(
        ["Sandbox Test Co"],
        ["January 2015"],
        [],
        [None, "Transaction date", "Name", "Amount"],
        ["Checking"],
        *lines,
        ["Total for Checking", None, None, total],
        [],
        [f"Made on {date(2015, 1, 31):%A, %d %B %Y}"],
    )
