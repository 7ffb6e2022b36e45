"""Words of a complaint's text. Loads its dictionary (19 MB) when first used: only workers
import it."""

from functools import cache

import rjieba

from complaints.models.learning import WORD_LENGTH

MOST = 24  # words of one work order


def _words(lines: str) -> list[str]:
    return lines.split()


# Of the trade, so that they are one word; the tag says which kind.
TRADE = _words("""
投递员 揽投员 营业员 快递员 包裹柜 快递柜 智能柜 自提点 代收点 邮政支局
虚假签收 代签 本人签收 他人代签 丢失 破损 短少 受潮 滞留 延误 误投 错投
未妥投 改址 改投 撤回 保价 理赔 赔偿 退回 中转站 集散中心 轨迹 验视
送货上门 按址投递 放门口 门卫 物业 驿站 菜鸟驿站 上门揽收 揽收 催投 拒收
到付 代收货款 运费 资费 乱收费 态度恶劣 辱骂 挂电话 不接电话 电话打不通
虚假信息 贺年卡 贺卡 生鲜 报刊 订阅 集邮 汇款 挂号信 平信 特快 标快 面单
破箱 外包装 内件 海关 清关 禁寄
""")
# Words of every complaint: they tell nothing.
STOP = frozenset(
    _words("""
邮件 快递 快件 包裹 客户 用户 顾客 邮政 中国邮政 公司 单位 反映 要求
表示 来电 电话 问题 情况 时间 现在 目前 今天 昨天 明天 上午 下午 收到
没有 没收 查询 处理 解决 进行 联系 人员 工作人员 麻烦 请问 希望 尽快
核实 回复 投诉 申诉 咨询 建议 单号 号码 先生 女士 觉得 认为 可以 可能
不能 需要 是否 知道 一直 已经 至今 仍然 显示 网上 东西 里面 原因 方面
有关 相关 放在 寄往 改在 询问 去向 家人 工作日
""")
)
KEPT = (
    "n",
    "v",
    "a",
    "i",
    "l",
    "j",
)  # nouns, verbs, adjectives, set phrases, short forms
PEOPLE = "nr"  # names of persons stay out


@cache
def _dictionary() -> rjieba.Jieba:
    words = rjieba.Jieba()
    for word in TRADE:
        words.add_word(word, 20_000, "nz")
    return words


def terms_of(text: str) -> list[str]:
    """The words that tell what it is about, each once, in their order; no names of
    persons, no numbers, nothing that is not Chinese."""
    found: dict[str, None] = {}
    for word, tag in _dictionary().tag(text[:2000]):
        is_word = 2 <= len(word) <= WORD_LENGTH and all(
            "一" <= sign <= "鿿" for sign in word
        )
        if (
            is_word
            and word not in STOP
            and tag.startswith(KEPT)
            and not tag.startswith(PEOPLE)
        ):
            found.setdefault(word)
    return list(found)[:MOST]
