"""Each KPI once more, written by hand: what the registry must come to."""

from django.db import connection

ORDERS = """FROM complaints_complaint c JOIN org_office o ON o.id = c.handling_office_id
WHERE c.merged_into_id IS NULL AND o.path LIKE %(path)s AND c.opened_at >= %(begins)s
  AND c.opened_at < %(ends)s"""
TAKEN = ORDERS.replace("c.handling_office_id", "c.office_id")
CLOSED = ORDERS.replace("c.opened_at", "c.closed_at")
CLOCKS = """FROM complaints_milestone m JOIN complaints_complaint c ON c.id = m.complaint_id
JOIN org_office o ON o.id = c.handling_office_id
WHERE c.merged_into_id IS NULL AND o.path LIKE %(path)s
  AND coalesce(m.extended_to, m.due_at) >= %(begins)s
  AND coalesce(m.extended_to, m.due_at) < %(ends)s
  AND coalesce(m.extended_to, m.due_at) <= %(now)s
  AND NOT (m.met_at IS NULL AND m.minutes IS NOT NULL AND c.state = 'suspended')"""
MET = "AND m.met_at <= coalesce(m.extended_to, m.due_at)"
CALLS = """FROM complaints_call k JOIN org_office o ON o.id = k.office_id
WHERE k.call_id IS NOT NULL AND o.path LIKE %(path)s AND k.rang_at >= %(begins)s
  AND k.rang_at < %(ends)s"""
RATED = """FROM delivery_invitation i JOIN org_office o ON o.id = i.office_id
WHERE i.rating IS NOT NULL AND o.path LIKE %(path)s AND i.answered_at >= %(begins)s
  AND i.answered_at < %(ends)s"""
SENT = """FROM delivery_invitation i JOIN org_office o ON o.id = i.office_id
WHERE o.path LIKE %(path)s AND i.sent_at >= %(begins)s AND i.sent_at < %(ends)s"""
OF_CUSTOMER = """JOIN customers_customer u ON u.id = x.customer_id
JOIN org_office o ON o.id = u.office_id"""
VISITS = f"""FROM delivery_visit x {OF_CUSTOMER}
WHERE x.state <> 'dropped' AND o.path LIKE %(path)s AND x.due_on BETWEEN %(first)s AND %(last)s
  AND x.due_on <= %(today)s"""
BILLS = f"""FROM customers_receivable x {OF_CUSTOMER}
WHERE o.path LIKE %(path)s AND x.due_on BETWEEN %(first)s AND %(last)s
  AND x.due_on <= %(today)s"""
CUSTOMERS = """FROM customers_customer u JOIN org_office o ON o.id = u.office_id
WHERE u.merged_into_id IS NULL AND u.created_at < %(ends)s AND o.path LIKE %(path)s"""
PROJECTS = f"""FROM customers_opportunity x {OF_CUSTOMER}
WHERE u.merged_into_id IS NULL AND o.path LIKE %(path)s AND x.created_at >= %(begins)s
  AND x.created_at < %(ends)s"""
HELP = """FROM complaints_cohandler h JOIN org_office o ON o.id = h.office_id
WHERE h.rating IS NOT NULL AND o.path LIKE %(path)s AND h.replied_at >= %(begins)s
  AND h.replied_at < %(ends)s"""
CHECKS = """FROM complaints_qualitycheck q JOIN org_office o ON o.id = q.office_id
WHERE q.score IS NOT NULL AND o.path LIKE %(path)s AND q.checked_at >= %(begins)s
  AND q.checked_at < %(ends)s"""
READINGS = """FROM library_reading r JOIN library_edition e ON e.id = r.edition_id
JOIN library_document d ON d.id = e.document_id JOIN org_office o ON o.id = r.office_id
WHERE d.kind = 'promise' AND e.effective_on <= %(last)s AND r.asked_at < %(ends)s
  AND (e.replaced_on IS NULL OR e.replaced_on > %(last)s) AND o.path LIKE %(path)s"""
PARTS = """FROM programmes_takingpart p JOIN programmes_staffevent e ON e.id = p.event_id
JOIN org_office o ON o.id = p.office_id
WHERE e.held_on BETWEEN %(first)s AND %(last)s AND e.held_on <= %(today)s
  AND o.path LIKE %(path)s"""
UNITS = """FROM programmes_unitrequest r JOIN org_office o ON o.id = r.asked_id
WHERE r.due_at >= %(begins)s AND r.due_at < %(ends)s AND r.due_at <= %(now)s
  AND r.state <> 'dropped'
  AND o.path LIKE %(path)s"""
USED = """(SELECT DISTINCT coalesce(u.merged_into_id, u.id) AS id
FROM customers_usage l JOIN customers_customer u ON u.id = l.customer_id
WHERE l.posted_on BETWEEN {first} AND {last})"""
BASE = USED.format(first="%(base_first)s", last="%(base_last)s")
NOW = USED.format(first="%(first)s", last="%(last)s")
EARLIER = USED.format(first="'1980-01-01'", last="%(base_first)s::date - 1")
HERE = (
    "JOIN customers_customer v ON v.id = a.id JOIN org_office o ON o.id = v.office_id"
)
IN_BASE = f"FROM {BASE} a {HERE} WHERE o.path LIKE %(path)s"
IN_NOW = f"FROM {NOW} a {HERE} WHERE o.path LIKE %(path)s"

LINES = """FROM customers_usage l JOIN customers_customer u ON u.id = l.customer_id
JOIN customers_customer v ON v.id = coalesce(u.merged_into_id, u.id)
JOIN org_office o ON o.id = v.office_id
WHERE l.posted_on BETWEEN %(first)s AND %(last)s AND o.path LIKE %(path)s"""

COUNT, COMPLAINT = "SELECT count(*)", "AND c.kind = 'complaint'"
DEMAND = "AND k.wrap_up IN ('solved', 'logged', 'passed_on', 'call_back')"
NOTED = """SELECT sum(s.amount) FROM dashboards_servicecost s
JOIN org_office o ON o.id = s.office_id WHERE o.path LIKE %(path)s
  AND s.month >= %(first)s AND s.month + interval '1 month' - interval '1 day' <= %(last)s"""
BOTH = {
    "complaint_rate": (f"{COUNT} {ORDERS} {COMPLAINT}", f"{COUNT} {CUSTOMERS}"),
    "upheld_rate": (
        f"{COUNT} {CLOSED} {COMPLAINT} AND c.is_upheld",
        f"{COUNT} {CLOSED} {COMPLAINT}",
    ),
    **{
        name: (
            f"{COUNT} {CLOCKS} AND m.kind = '{kind}' {MET}",
            f"{COUNT} {CLOCKS} AND m.kind = '{kind}'",
        )
        for name, kind in (
            ("first_answer_in_time", "first"),
            ("resolution_in_time", "resolution"),
            ("legal_in_time", "legal"),
        )
    },
    "reopen_rate": (f"{COUNT} {CLOSED} AND c.rounds > 1", f"{COUNT} {CLOSED}"),
    "appeal_rate": (
        f"{COUNT} {ORDERS} AND c.kind = 'appeal'",
        f"{COUNT} {ORDERS} {COMPLAINT}",
    ),
    "online_share": (
        f"{COUNT} {TAKEN} AND c.channel IN ('web', 'wechat', 'chat', 'email')",
        f"{COUNT} {TAKEN}",
    ),
    "help_rating": (f"SELECT sum(h.rating) {HELP}", f"{COUNT} {HELP}"),
    "quality_score": (f"SELECT sum(q.score) {CHECKS}", f"{COUNT} {CHECKS}"),
    "first_contact_resolution": (
        f"{COUNT} {CALLS} AND k.wrap_up = 'solved'",
        f"{COUNT} {CALLS} {DEMAND}",
    ),
    "service_level": (
        f"{COUNT} {CALLS} AND k.answered_at - k.rang_at <= interval '20 seconds'",
        f"{COUNT} {CALLS}",
    ),
    "abandon_rate": (
        f"{COUNT} {CALLS} AND k.answered_at IS NULL AND k.ended_at IS NOT NULL",
        f"{COUNT} {CALLS}",
    ),
    "satisfaction": (f"SELECT sum(i.rating) {RATED}", f"{COUNT} {RATED}"),
    "satisfied_share": (f"{COUNT} {RATED} AND i.rating >= 4", f"{COUNT} {RATED}"),
    "response_rate": (
        f"{COUNT} {SENT} AND i.answered_at IS NOT NULL",
        f"{COUNT} {SENT}",
    ),
    "visit_coverage": (f"{COUNT} {VISITS} AND x.state = 'done'", f"{COUNT} {VISITS}"),
    "promise_awareness": (
        f"{COUNT} {READINGS} AND r.read_at < %(ends)s",
        f"{COUNT} {READINGS}",
    ),
    "contest_participation": (
        f"{COUNT} {PARTS} AND e.kind <> 'training' AND p.took_part",
        f"{COUNT} {PARTS} AND e.kind <> 'training'",
    ),
    "training_participation": (
        f"{COUNT} {PARTS} AND e.kind = 'training' AND p.took_part",
        f"{COUNT} {PARTS} AND e.kind = 'training'",
    ),
    "cost_per_order": (NOTED, f"{COUNT} {CLOSED}"),
    "cost_per_customer": (NOTED, f"{COUNT} {CUSTOMERS}"),
    "unit_requests_in_time": (
        f"{COUNT} {UNITS} AND r.replied_at <= r.due_at",
        f"{COUNT} {UNITS}",
    ),
    "arrears_rate": (
        f"SELECT sum(x.amount - x.paid) {BILLS}",
        f"SELECT sum(x.amount) {BILLS}",
    ),
    "cooperation_won": (
        f"{COUNT} {PROJECTS} AND x.stage = 'won'",
        f"{COUNT} {PROJECTS}",
    ),
    "revenue": (f"SELECT sum(l.revenue) {LINES}", f"{COUNT} {IN_NOW}"),
    "pieces": (f"SELECT sum(l.pieces) {LINES}", f"{COUNT} {IN_NOW}"),
    "retention_rate": (
        f"{COUNT} {IN_BASE} AND a.id IN {NOW}",
        f"{COUNT} {IN_BASE}",
    ),
    "churn_rate": (
        f"{COUNT} {IN_BASE} AND a.id NOT IN {NOW}",
        f"{COUNT} {IN_BASE}",
    ),
    "new_customer_rate": (
        f"{COUNT} {IN_NOW} AND a.id NOT IN {BASE}",
        f"{COUNT} {IN_BASE}",
    ),
    "won_back_rate": (
        f"{COUNT} {IN_NOW} AND a.id NOT IN {BASE} AND a.id IN {EARLIER}",
        f"{COUNT} {IN_BASE}",
    ),
    "loyalty": (f"{COUNT} {IN_NOW} AND a.id IN {BASE}", f"{COUNT} {IN_NOW}"),
}


def by_hand(name: str, values: dict) -> tuple:
    """(numerator, denominator) of a KPI by its own statement."""
    found = []
    with connection.cursor() as cursor:
        for sql in BOTH[name]:
            cursor.execute(sql, values)
            found.append(cursor.fetchone()[0] or 0)
    return tuple(found)
