"""The words, statuses and methods in the history of a small company in the USA. Data only."""

GIVEN_NAMES = (
    *("James", "Maria", "Michael", "Jennifer", "David", "Linda", "Daniel", "Susan", "Kevin"),
    *("Angela", "Brian", "Nicole", "Marcus", "Emily", "Tyrone", "Grace", "Carlos", "Sofía"),
    *("Wei", "Priya", "Ahmed", "Fatima", "Kenji", "Hannah", "Luca", "Chloé", "Omar", "Ingrid"),
    *("Patrick", "Deborah", "Andre", "Olivia"),
)
FAMILY_NAMES = (
    *("Smith", "Johnson", "Williams", "Brown", "Garcia", "Miller", "Davis", "Rodriguez"),
    *("Martinez", "Hernández", "Lopez", "Wilson", "Anderson", "Thomas", "Taylor", "Moore"),
    *("Jackson", "Lee", "Nguyen", "Patel", "Kim", "O'Brien", "Cohen", "Murphy", "Chen"),
    *("Okafor", "Rossi", "Novak", "Schmidt", "Haddad", "Silva", "Walker"),
)
COMPANIES = (
    *("Maple Street Bakery", "Northside Dental", "Cascade Landscaping LLC", "Riverbend Yoga"),
    *("Summit Roofing Inc.", "Harbor Light Books", "Prairie Veterinary Clinic", "Oak & Iron Co."),
    *("Lakeview Property Management", "Blue Door Design Studio", "Granite State Plumbing"),
    *("Sunrise Catering", "Willow Creek Farm", "Metro Office Supply", "Copper Kettle Café"),
    "Evergreen Childcare",
)
NOTES = (
    *(None, None, None, None, "June invoice for services", "Monthly retainer", "Deposit"),
    *("Final payment", "Consulting, 4 hours", "Rent", "Website maintenance", "Catering, 12 people"),
    *("Annual membership", "Workshop ticket", "Repair of two chairs", "Thank you!"),
)
STATUSES: tuple[str, ...] = (
    *("success",) * 229,
    *("failed",) * 8,
    *("expired",) * 7,
    *("rejected",) * 3,
    *("retried",) * 2,
    *("pending",) * 4,
    *("opened",) * 2,
    "initiated",
)
QUICK_METHODS = ("WALLET", "CARD", "CARD", "RTP", "FEDNOW")
SLOW_METHODS = ("ACH", "ACH", "PW_BANK")
"""Methods that take days."""
FAILURES = (
    "Insufficient wallet balance",
    "Card declined by issuer",
    "ACH return R01: insufficient funds",
    "Bank account closed",
)
REJECTIONS = (None, "Declined by the payer")
