"""Documents of the demo province: rules, promises, posts; who has read which."""

from datetime import timedelta
from random import Random
from typing import Any

from django.db.models import F
from django.utils.timezone import localdate

from crm.access.models import User
from crm.library import services
from crm.library.models import Document, Edition, Reading
from crm.org.models import Office

# (office, kind, slot, title, roles, is it signed, text, promises)
PAPERS: tuple[tuple[Any, ...], ...] = (
    ("420000", "rule", "service", "全省客户服务工作实施办法", [], False,
     "一、客户服务实行省、市两级管理。\n二、客户反映的问题首问负责，不得推诿。\n三、各单位每月十日前报送客户管理情况。", ()),
    ("420000", "rule", "contract", "协议客户服务与管理办法", ["manager", "supervisor"], False,
     "协议客户由客户经理专人维护，按等级走访。\n重点客户异常邮件优先处理。", ()),
    ("420000", "rule", "complaints", "客户投诉处理流程", ["agent", "handler", "supervisor"], True,
     "受理后两小时内响应，按承诺时限答复；升级申诉须经省客服中心。", ()),
    ("420000", "rule", "staff", "各级客服人员绩效考核办法", [], False,
     "有责考核与履职考核并行，考核结果当面告知，五日内可提出异议。", ()),
    ("420000", "policy", "security", "客户信息安全管理制度", [], True,
     "客户电话、地址只在办理业务时查看，查看留痕。\n不得以任何方式导出、拍照、转发客户信息。", ()),
    ("420000", "promise", "", "对外服务承诺", [], True,
     "以下承诺在全省各网点公示，全体员工应知应会。",
     (("省内特快", "首重 12 元", "次日 18:00 前投递"),
      ("上门揽收", "免费", "预约后 2 小时内上门"),
      ("投诉答复", "免费", "5 个工作日内答复处理结果"))),
    ("420000", "post", "", "客户经理岗位职责", ["manager"], False,
     "维护分管客户，完成走访与回访；贺卡季组织保有与新增。", ()),
    ("420000", "post", "", "话务员岗位职责", ["agent"], False,
     "受理咨询、查询、投诉；准确记录，一次说清时限。", ()),
    ("420000", "incentive", "", "一线建议与流程穿越激励办法", [], False,
     "提出问题 0.3 分，有效建议 0.5 分，穿越一个流程 1 分；年度前十名给予奖励。", ()),
    ("420000", "law", "", "邮政法、快递暂行条例、消费者权益保护法、电子商务法（适用条款摘编）", [], False,
     "《邮政法》第四十七条等：损失赔偿。\n《快递暂行条例》第二十七条：投诉七日内处理并告知。\n"
     "《消费者权益保护法》第二十九条：个人信息保护。\n《电子商务法》第五十二条：交付与验收。", ()),
    ("420100", "guidance", "", "武汉市旺季投递服务指导意见", ["handler", "supervisor"], True,
     "旺季期间上门前电话预约，当面验视。", ()),
)  # fmt: skip


def papers(rng: Random, users: dict[str, User], offices: dict[str, Office]) -> None:
    """The documents, issued by the second supervisor; most have read what they must."""
    boss, other = users["supervisor.hubei"], users["supervisor2.hubei"]
    for code, kind, slot, title, roles, is_signed, text, promises in PAPERS:
        document = Document(
            office=offices[code],
            kind=kind,
            slot=slot,
            title=title,
            roles=roles,
            is_signed=is_signed,
        )
        edition = Edition(text=text, effective_on=localdate())
        lines = [
            {"content": content, "price": price, "limit": limit}
            for content, price, limit in promises
        ]
        services.write(document, edition, by=boss, promises=lines)
        services.issue(edition, by=other, version=edition.version)
    # As of last month: the boards of a new house would be empty otherwise.
    earlier = timedelta(days=60)
    Edition.objects.update(
        effective_on=F("effective_on") - earlier, issued_at=F("issued_at") - earlier
    )
    for row in Reading.objects.all():
        row.asked_at -= earlier
        row.due_on -= earlier
        if rng.random() < 0.8:
            row.read_at = row.asked_at + timedelta(hours=rng.randint(1, 300))
        row.save()
