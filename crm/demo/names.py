"""Made-up names of the demo province, drawn by a seeded generator."""

from random import Random

SURNAMES = "王李张刘陈杨黄赵周吴徐孙朱马胡郭林何高梁郑罗宋谢唐韩曹许邓萧冯曾程蔡彭潘袁于董余苏叶吕魏蒋田杜"
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂英华玉萍红玲鹏飞建国晓东志远佳怡子涵"
)
WORDS = [
    "长江",
    "楚天",
    "东湖",
    "汉阳",
    "光谷",
    "荆楚",
    "三峡",
    "隆中",
    "江汉",
    "清江",
    "黄鹤",
    "神农",
    "桂花",
    "龙泉",
    "金桥",
    "华中",
    "中南",
    "鼎盛",
    "恒信",
    "佳禾",
    "万邦",
    "同济",
    "方圆",
    "天成",
    "瑞丰",
    "博雅",
]
TRADES = [
    "电子",
    "服饰",
    "医药",
    "茶业",
    "图书",
    "食品",
    "农产品",
    "汽配",
    "光电",
    "商贸",
    "家居",
    "文化传播",
    "教育科技",
    "电子商务",
    "印刷",
    "保险代理",
]
STREETS = [
    "解放大道",
    "中山路",
    "建设路",
    "人民路",
    "沿江大道",
    "珞喻路",
    "民主路",
    "和平大道",
    "东风路",
    "胜利街",
]


def company(rng: Random, place: str) -> str:
    tail = rng.choice(["有限公司", "有限责任公司", "股份有限公司", "商行"])
    return f"{place}{rng.choice(WORDS)}{rng.choice(WORDS)}{rng.choice(TRADES)}{tail}"


def person(rng: Random) -> str:
    return rng.choice(SURNAMES) + "".join(rng.sample(GIVEN, rng.choice([1, 2, 2])))


def address(rng: Random, place: str) -> str:
    return f"{place}{rng.choice(STREETS)}{rng.randint(1, 399)}号{rng.randint(1, 9)}栋{rng.randint(101, 2805)}室"
