"""The demo province: Hubei, sixteen units, offices coded by GB/T 2260."""

PROVINCE = ("420000", "湖北省邮政公司")
PREFECTURES = [
    ("420100", "武汉市邮政局"),
    ("420200", "黄石市邮政局"),
    ("420300", "十堰市邮政局"),
    ("420500", "宜昌市邮政局"),
    ("420600", "襄阳市邮政局"),
    ("420700", "鄂州市邮政局"),
    ("420800", "荆门市邮政局"),
    ("420900", "孝感市邮政局"),
    ("421000", "荆州市邮政局"),
    ("421100", "黄冈市邮政局"),
    ("421200", "咸宁市邮政局"),
    ("421300", "随州市邮政局"),
    ("422800", "恩施州邮政局"),
    ("429004", "仙桃市邮政局"),
    ("429005", "潜江市邮政局"),
    ("429006", "天门市邮政局"),
]
COUNTIES = {
    "420100": [
        ("420102", "江岸区"),
        ("420103", "江汉区"),
        ("420106", "武昌区"),
        ("420111", "洪山区"),
    ],
    "420500": [("420502", "西陵区"), ("420503", "伍家岗区"), ("420506", "夷陵区")],
    "420600": [("420602", "襄城区"), ("420606", "樊城区"), ("420607", "襄州区")],
}
# (user name, full name, role, office)
CAST = [
    ("agent.wuhan", "林静", "agent", "420100"),
    ("handler.wuhan", "陈勇", "handler", "420100"),
    ("manager.wuhan", "赵志远", "manager", "420100"),
    ("quality.wuhan", "沈雨", "quality_checker", "420100"),
    ("supervisor.wuhan", "周明", "supervisor", "420100"),
    ("supervisor.hubei", "吴丽华", "supervisor", "420000"),
    ("supervisor2.hubei", "秦岚", "supervisor", "420000"),
    ("analyst.hubei", "郑晓", "analyst", "420000"),
    ("importer.hubei", "何涛", "importer", "420000"),
    ("sysadmin", "高磊", "system_admin", "420000"),
    ("security", "梁敏", "security_admin", "420000"),
    ("security.deputy", "谢芳", "security_admin", "420000"),
    ("auditor", "唐平", "auditor", "420000"),
    ("manager.yichang", "韩雪", "manager", "420500"),
    ("manager2.wuhan", "周敏", "manager", "420100"),
    ("inspector.hubei", "郭建", "inspector", "420000"),
    ("finance.hubei", "何静", "finance", "420000"),
    ("planner.hubei", "程萍", "planner", "420000"),
    ("reviewer.hubei", "叶睿", "reviewer", "420000"),
]
REQUESTS = {
    "pickup_dispatch": "客户有两箱资料待寄，要求今天下午上门揽收。",
    "delivery_chase": "邮件{no}已到支局，客户急用，要求今天投递。",
    "enquiry": "查询邮件{no}现在到了哪里，何时能收到。",
    "address_change": "邮件{no}收件地址写错，要求改投武昌区中山路。",
    "recall": "邮件{no}寄错内件，要求撤回。",
    "consultation": "咨询寄往香港的包裹资费和禁限寄规定。",
    "suggestion": "建议网点中午不休息，方便上班的人取件。",
    "commendation": "表扬揽投员冒雨把邮件{no}送到家门口。",
}
# by category
COMPLAINTS = {
    "101": "邮件{no}承诺三日送达，已经过了五天还没有收到，网上轨迹停在中转站。",
    "202": "邮件{no}显示签收，但本人和家人都没有收到，要求查清去向。",
    "301": "邮件{no}外包装完好，里面的瓷器碎了两件，已拍照。",
    "401": "揽投员没有打电话就把邮件{no}放在门卫，询问时态度生硬。",
    "501": "邮件{no}投到了隔壁单位，是对方送过来的，里面有合同原件。",
    "502": "邮件{no}收寄时按三公斤收费，实际重量两公斤，要求退还多收的资费。",
    "599": "希望邮件{no}改在周末投递，工作日家中无人。",
}
# (who, kind, title, text)
FEEDBACK = [
    (
        "handler",
        "problem",
        "面单打印模糊",
        "网点打印机老化，面单条码扫不出来，每天要手工录入。",
    ),
    (
        "handler",
        "suggestion",
        "中午不关门",
        "写字楼客户只有中午有空取件，建议午间轮班。",
    ),
    (
        "agent",
        "need",
        "查询要看到图片",
        "客户投诉破损时，希望能直接看到投递员上传的照片。",
    ),
]
