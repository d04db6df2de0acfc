"""The words a generated payment is made of: names of many scripts, notes, reasons, amounts.

Data only. The values are chosen to hurt code that is careless with text or money: markup, quotes,
formulas, line breaks, right-to-left scripts, digits that a float does not keep.
"""

from itertools import product

_SCRIPTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "{given} {family}",
        ("Zoë", "François", "Łukasz", "Jürgen", "Þóra", "Siân", "İpek", "Nguyễn Thị"),
        ("Brontë", "Núñez", "Wójcik", "Müller", "Ångström", "O'Connor", "Şahin", "Đặng"),
    ),
    (
        "{given} {family}",
        ("Anna", "Kwame", "Maria", "James", "Aroha", "Leilani", "Juan", "Grace"),
        ("Smith", "Mensah", "van der Berg", "D'Angelo", "Te Rangi", "Kim-Lee", "Cruz", "Obi"),
    ),
    (
        "{given} {family}",
        ("Алексей", "Ольга", "Юрій", "Ђорђе", "Наталья", "Ёлка", "Тимофій", "Їржи"),
        ("Иванов", "Шевченко", "Петровић", "Щербакова", "Ґудзь", "Соловьёв", "Цой", "Бойко"),
    ),
    (
        "{family}{given}",
        ("伟", "秀英", "建国", "小红", "子轩", "诗涵", "浩然", "美玲"),
        ("王", "李", "張", "陳", "欧阳", "司马", "林", "黃"),
    ),
    (
        "{given} {family}",
        ("محمد", "فاطمة", "علي", "مريم", "يوسف", "ليلى", "حسن", "نور"),
        ("الأحمد", "حداد", "منصور", "الخطيب", "العلي", "سالم", "درويش", "قاسم"),
    ),
    (
        "{given} {family}",
        ("आरव", "प्रिया", "राजेश", "अनन्या", "विवेक", "सुनीता", "कृष्ण", "दीप्ति"),
        ("शर्मा", "पटेल", "सिंह", "गुप्ता", "अय्यर", "मिश्रा", "चौधरी", "त्रिपाठी"),
    ),
    (
        "{family}{given}",
        ("민준", "서연", "지훈", "하은", "도윤", "수아", "예준", "지우"),
        ("김", "이", "박", "최", "정", "남궁", "황보", "선우"),
    ),
    (
        "{given} {family}",
        ("נועה", "יוסף", "תמר", "איתי", "שירה", "דניאל", "מאיה", "אורי"),
        ("כהן", "לוי", "מזרחי", "פרץ", "ביטון", "דהן", "אברהם", "פרידמן"),
    ),
)
NAMES: tuple[str, ...] = tuple(
    form.format(given=given, family=family)
    for form, givens, families in _SCRIPTS
    for given, family in product(givens, families)
)
HARD_NAMES = (
    "<b>Bold</b> & Sons",
    '<script>alert("paid")</script>',
    "Seán Ó'Briain-D'Arcy",
    'Robert "Bobby" Tables',
    "Robert'); DROP TABLE payments;--",
    "=1+1",
    "@SUM(A1:A9)",
    "Back\\slash \\u0041 GmbH",
    "Comma, Semicolon; Ltd.",
    "🦄 Unicorn Café 👩‍👩‍👧‍👦",
    "Tab\tInc.",
    "\u202emirror\u202c Ltd.",
    "Zalgo Z\u0351\u036ba\u030alg\u0352o",
    "Line\u2028Separator Co.",
    "null",
    "{{7*7}} ${HOME} %s",
    "日本語カタカナ株式会社",
    "ไทยพาณิชย์ ใจดี",
    "Ελένη Παπαδοπούλου",
    "გიორგი ბერიძე",
)
NOTES: tuple[str | None, ...] = (
    None,
    None,
    None,
    "June invoice for services",
    "Rent, 3rd floor",
    "Déjeuner d'équipe",
    "Оплата за июнь",
    "六月服务费",
    "فاتورة شهر يونيو",
    "जून का भुगतान",
    "6월 서비스 대금",
    "חשבונית יוני",
    "Thank you! 🙏🏽",
    "50% deposit & balance <due>",
    'He said "paid in full"',
    "First line\nsecond line",
    "",
    "=HYPERLINK(1)",
)
METHODS: tuple[str | None, ...] = (
    *("WALLET",) * 8,
    *("CARD",) * 6,
    *("ACH",) * 6,
    *("PW_BANK",) * 4,
    *("RTP",) * 3,
    *("FEDNOW",) * 3,
    *(None,) * 2,
)
STATUSES: tuple[str, ...] = (
    *("success",) * 180,
    *("failed",) * 16,
    *("pending",) * 12,
    *("expired",) * 12,
    *("rejected",) * 8,
    *("initiated",) * 8,
    *("processing",) * 8,
    *("opened",) * 6,
    *("retried",) * 6,
)
FINAL_STATUSES = frozenset({"success", "failed", "rejected", "expired", "retried"})
FAILURES = (
    "Insufficient wallet balance",
    "Card declined by issuer",
    "ACH return R01: insufficient funds",
    "Bank account closed",
    "Zahlung abgelehnt: Konto gesperrt",
    'Network said "timeout"',
)
REJECTIONS: tuple[str | None, ...] = (None, "Declined by the payer", "支付人已拒绝")
HARD_AMOUNTS = (
    "0.01",
    "0.10",
    "0.30",
    "1.10",
    "4.35",
    "100",
    "100.00",
    "100.0",
    "19.99",
    "1234567.89",
    "8.50",
    "1000000.00",
    "70368744177664.13",
    "9007199254740993.37",
)
