"""The demo province's teams, and who is in them; some cities lack what they are to have."""

from crm.access.models import User
from crm.org.models import Office
from crm.programmes import pilots
from crm.programmes.models import Pilot, Programme
from crm.teams import services
from crm.teams.models import Team
from delivery.models import SurveyRound

# (office, kind, name, task, is it an entity, people: the first leads)
TEAMS = (
    ("420000", "key_account", "省大客户中心", "总部经济项目和全省协议客户的开发与维护。", True,
     (("supervisor2.hubei", "主任"), ("analyst.hubei", "项目测算"))),
    ("420100", "key_account", "武汉大客户营销中心", "市场部下设，独立核算，负责全市大客户营销。", True,
     (("manager.wuhan", "负责人"), ("manager2.wuhan", "客户经理"))),
    ("420500", "key_account", "宜昌大客户专人", "本地大客户和同城项目。", False, (("manager.yichang", "专人"),)),
    ("420000", "relations", "客户关系维护组", "重点客户走访和关系维护。", False,
     (("manager.wuhan", "武汉片区"), ("manager.yichang", "宜昌片区"))),
    ("420000", "follow_up", "电话回访小组", "来电、投递、揽收服务的满意度回访。", False, (("agent.wuhan", "回访员"),)),
    ("420000", "inspection", "省公司视检组", "定期视检省、市两级 11183 运行。", False,
     (("inspector.hubei", "组长"), ("quality.wuhan", "质检"))),
    ("420000", "supervision", "客户管理监督小组", "定期检查客户管理工作，下达整改。", False,
     (("supervisor2.hubei", "组长"), ("inspector.hubei", "检查"))),
    ("420100", "biu", "武汉商情分析组", "商函业务数据分析和创意策划。", False, (("planner.hubei", "策划"),)),
    ("420000", "project", "客户数据分析项目组", "市分公司、客服中心、业务支撑中心联合开展数据分析试点。", False,
     (("analyst.hubei", "组长"), ("planner.hubei", "活动策划"), ("manager.wuhan", "试点单位"))),
)  # fmt: skip


def seed(users: dict[str, User], offices: dict[str, Office], better: Programme) -> None:
    """Teams with their people; where the satisfaction programme is tried first."""
    boss = users["supervisor.hubei"]
    for code, kind, name, purpose, is_entity, people in TEAMS:
        row = Team(office=offices[code], kind=kind, name=name, purpose=purpose)
        row.is_entity = is_entity
        services.make(row, by=boss)
        for n, (username, duty) in enumerate(people):
            user = users[username]
            services.join(row, by=boss, user=user, duty=duty, is_leader=not n)
        if kind == Team.Kind.FOLLOW_UP:
            SurveyRound.objects.filter(way=SurveyRound.Way.PHONE).update(team=row)
    for code, touchpoint, what, result in (
        ("420100", "hall", "首问负责、限时办结，大厅设服务专席", ""),
        ("420500", "complaints", "投诉先行回应，两小时内首次回复", "首次回复及时率提高 6 个百分点，投诉升级减半。"),
        ("420600", "vip", "VIP 俱乐部积分换寄件券", ""),
    ):  # fmt: skip
        place = Pilot(touchpoint=touchpoint, office=offices[code], what=what)
        place.first, place.last = better.first, better.last
        made = pilots.begin(better, place, by=boss)
        if result:
            pilots.conclude(better, made.pk, by=boss, verdict="adopt", result=result)
