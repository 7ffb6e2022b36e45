"""The categories that every place begins with, and finding one by code or pinyin."""

from complaints.kinds import Group, Kind, Severity
from complaints.models import Category
from crm import text

G = Group
SCRIPTS = {
    G.DELAY: (
        "I am sorry that it is late. I look for the item at once and call you back.",
        "很抱歉让您久等，我马上为您查询邮件位置，并尽快给您回电。",
    ),
    G.LOSS: (
        "I am sorry. Please keep the receipt; we look for the item and tell you your rights.",
        "非常抱歉，请您保留好收据，我们立即查找邮件，并告知您的权益。",
    ),
    G.DAMAGE: (
        "I am sorry. Please keep item and packing as they are and take photographs.",
        "非常抱歉，请保留内件和外包装原状并拍照，以便核实赔偿。",
    ),
    G.ATTITUDE: (
        "I apologise for how you were treated. I note it word by word; it will be looked into.",
        "对给您带来的不愉快深表歉意，我会如实记录并由专人核实。",
    ),
    G.OTHER: (
        "Thank you for telling us. I note it and say who answers you, and by when.",
        "感谢您的反映，我来记录，并告诉您由谁、在什么时间答复。",
    ),
}
# Initials of what people call the class besides its name: 延时, 遗失, 丢件, 破损, 态度.
ALIASES = {G.DELAY: "ys wd", G.LOSS: "ys dj", G.DAMAGE: "ps sh", G.ATTITUDE: "td"}
# (code, class, English name, Chinese name[, facts that differ])
SEEDS: tuple[tuple, ...] = (
    ("101", G.DELAY, "Late delivery", "投递延误"),
    ("102", G.DELAY, "Stuck in transit", "运输滞留"),
    ("103", G.DELAY, "Late pickup", "揽收延误", {"needs_item": False}),
    ("104", G.DELAY, "Tracking does not move", "轨迹停滞"),
    ("105", G.DELAY, "Late return", "退回延误"),
    ("201", G.LOSS, "Item lost", "邮件丢失", {"severity": Severity.URGENT}),
    ("202", G.LOSS, "Signed for but not received", "虚假签收"),
    ("203", G.LOSS, "Signed for by somebody else", "他人代签"),
    ("301", G.DAMAGE, "Contents damaged", "内件破损"),
    ("302", G.DAMAGE, "Packing damaged", "外包装破损"),
    ("303", G.DAMAGE, "Contents missing", "内件短少"),
    ("304", G.DAMAGE, "Wet or soiled", "受潮污损"),
    ("401", G.ATTITUDE, "Courier's attitude", "揽投员态度"),
    ("402", G.ATTITUDE, "Counter's attitude", "营业员态度", {"needs_item": False}),
    ("403", G.ATTITUDE, "Call agent's attitude", "客服态度", {"needs_item": False}),
    ("404", G.ATTITUDE, "Not delivered to the door", "未按址投递"),
    ("405", G.ATTITUDE, "Left in a locker unasked", "擅自放柜"),
    ("406", G.ATTITUDE, "No call before delivery", "未电话联系"),
    ("501", G.OTHER, "Misdelivery", "误投错投"),
    ("502", G.OTHER, "Charges", "资费争议"),
    ("503", G.OTHER, "Payment on delivery", "代收货款"),
    ("504", G.OTHER, "Refused to accept", "拒绝收寄", {"needs_item": False}),
    (
        *("505", G.OTHER, "Personal data disclosed", "泄露信息"),
        {"severity": Severity.MAJOR, "needs_item": False},
    ),
    ("506", G.OTHER, "Returned by mistake", "误退"),
    ("507", G.OTHER, "Compensation not paid", "理赔争议", {"kind": Kind.CLAIM}),
    ("508", G.OTHER, "Complaint not answered", "投诉未答复"),
    ("509", G.OTHER, "Customs", "海关清关"),
    ("510", G.OTHER, "Newspapers and magazines", "报刊投递", {"needs_item": False}),
    ("511", G.OTHER, "Greeting cards", "贺卡业务", {"needs_item": False}),
    ("599", G.OTHER, "Something else", "其他问题", {"needs_item": False}),
)


def seeds() -> list[Category]:
    rows = []
    for code, group, name, name_zh, *more in SEEDS:
        pinyin, initials = text.pinyin_of(name_zh, is_name=False)
        script, script_zh = SCRIPTS[group]
        facts = more[0] if more else {}
        rows.append(
            Category(
                code=code,
                group=group,
                name=name,
                name_zh=name_zh,
                pinyin=pinyin,
                initials=initials,
                aliases=ALIASES.get(group, ""),
                script=script,
                script_zh=script_zh,
                **facts,
            )
        )
    return rows
