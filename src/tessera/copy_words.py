"""The words of a customer's copy, in English and Simplified Chinese: sentences, and names of tables, columns and acts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Your data, in plain sight", "other": "中文",
        "hero": "We hold {rows} rows about you in {tables} kinds of records, from {sources}. They were used {uses} "
        "times.",
        "nothing": "We hold nothing about you.", "by": "{name}, customer number {person}, made on {day}",
        "sources": "{n} sources", "source": "one source", "choices": "What we use it for, and what you said",
        "given": "What you gave us", "derived": "Put together from it", "inferred": "What we concluded about you",
        "bookkeeping": "Our own bookkeeping about you",
        "inferred_note": "Nobody told us this. A computation made it from the rows above.", "yes": "You agreed",
        "no": "You refused", "withdrawn": "You withdrew", "expired": "Your consent has run out",
        "none": "You were never asked, or did not answer: we do not do it", "needs_none": "Needs no consent ({basis})",
        "restricted": "Restricted at your request", "objected": "You objected: we do not do it", "since": "since {day}",
        "from": "From", "keep": "Kept for", "days": "{n} days", "forever": "until you or the law say otherwise",
        "recipients": "Who receives it", "nobody": "Nobody outside of {name}.", "uses": "What was done with it",
        "uses_note": "The newest {n} of {all}. All of them are in uses.csv. Each is an entry of our ledger, which nobody "
        "can change unseen. “At most” means: a computation over many people, you among those who could be "
        "in it.",
        "when": "When", "who": "Who", "what": "What", "why": "What for", "which": "Of which", "entry": "Entry",
        "refused": "refused", "at most": "at most", "exact": "you", "duties": "What a law makes us keep",
        "no_duties": "No law that we know of makes us keep anything after you ask us to erase.",
        "duty": "If you ask us to erase, we keep {columns} of {rows} rows until {until}, for this alone: {sentence}",
        "more": "{n} more rows in {file}", "rows": "{n} rows", "row": "1 row", "files": "The same for machines",
        "rights": "Your rights",
        "rights_text": "You may ask us to correct, restrict, move or erase this, and object to uses. You may also complain "
        "to the data protection authority where you live.",
        "check": "How to check this copy",
        "check_text": "manifest.json has the SHA-256 digest of every file, and the signed head of our ledger at the time. "
        "Whoever keeps another head can see whether the log was changed.",
        "kept_for": "How long, and where from", "table": "Kind of record",
    },
    "zh": {
        "title": "您的数据，一目了然", "other": "English",
        "hero": "我们持有关于您的 {rows} 行数据，分属 {tables} 类记录，来自{sources}。这些数据共被使用 {uses} 次。",
        "nothing": "我们未持有任何关于您的数据。", "by": "{name}，客户编号 {person}，生成于 {day}",
        "sources": " {n} 个来源", "source": "一个来源", "choices": "使用目的与您的选择", "given": "您提供给我们的数据",
        "derived": "由此汇总的数据", "inferred": "我们对您的推断", "bookkeeping": "我们的内部记录",
        "inferred_note": "这些内容并非由任何人告知，而是由上述数据计算得出。", "yes": "您已同意", "no": "您已拒绝",
        "withdrawn": "您已撤回", "expired": "您的同意已过期", "none": "我们未曾询问，或您未作答：我们不会这样使用",
        "needs_none": "无需同意（{basis}）", "restricted": "已应您的要求限制处理", "objected": "您已反对：我们不会这样使用",
        "since": "自 {day} 起", "from": "来源", "keep": "保存期限", "days": "{n} 天", "forever": "直至您或法律另有要求",
        "recipients": "接收方", "nobody": "{name} 之外无任何接收方。", "uses": "数据使用情况",
        "uses_note": "此处为最新的 {n} 次，共 {all} 次，全部见 uses.csv。每次使用都是我们账本中的一条记录，"
        "任何人都无法悄然更改。"
        "“至多”指针对多人的计算，您可能在其中。",
        "when": "时间", "who": "使用者", "what": "操作", "why": "目的", "which": "涉及数据", "entry": "条目",
        "refused": "已拒绝", "at most": "至多", "exact": "您", "duties": "法律要求我们保留的数据",
        "no_duties": "据我们所知，在您要求删除后，没有法律要求我们保留任何数据。",
        "duty": "若您要求删除，我们将保留 {rows} 行数据中的 {columns}，直至 {until}，且仅用于：{sentence}",
        "more": "另有 {n} 行，见 {file}", "rows": "{n} 行", "row": "1 行", "files": "机器可读文件", "rights": "您的权利",
        "rights_text": "您可以要求我们更正、限制处理、转移或删除这些数据，也可以反对某些使用。"
        "您还可以向所在地的个人信息保护主管机关投诉。",
        "check": "如何核验此副本",
        "check_text": "manifest.json 载有每个文件的 SHA-256 摘要，以及当时我们账本的签名树头。"
        "持有其他树头的人可以查验账本是否被更改。",
        "kept_for": "保存期限与来源", "table": "记录类型",
    },
}  # fmt: skip

TABLES: dict[str, dict[str, str]] = {
    "en": {
        "records": "Who you are", "orders": "Orders", "order_lines": "What you ordered", "payments": "Payments",
        "events": "Visits and clicks", "posts": "Posts", "readings": "Device readings", "touches": "Advertising you saw",
        "consents": "Choices you made", "quarantine": "Rows we could not read, or not yet", "profiles": "Your profile",
        "features": "Figures for models", "segments": "Groups we put you in", "rule_segments": "Groups by a rule",
        "customer_value": "What we expect you to buy", "links": "Identifiers seen together",
        "membership": "Identifiers that are you", "mask": "Your choices, as we apply them",
        "activity": "Sums of your activity", "touched": "Rows that were replaced", "contested": "Values that you corrected",
        "held": "What a law makes us keep", "segment_centres": "Groups of customers", "quality": "Checks of our sources",
        "rates": "Exchange rates", "decisions": "What we chose to show you",
        "models": "What our models are", "learned": "What our models have learned", "churn": "How likely you are to leave us",
        "churn_checks": "Checks of that estimate", "propensity": "What you are likely to do",
        "propensity_checks": "Checks of those estimates", "item_neighbours": "Products that go together",
        "next_products": "Products we think of for you", "channel_credits": "What each channel brought",
        "conversion_paths": "Ways to a purchase", "post_topics": "What your posts are about", "interests": "Your interests",
        "device_health": "How your devices fare", "service_demand": "How much service will be needed",
    },
    "zh": {
        "records": "您的身份信息", "orders": "订单", "order_lines": "订购内容", "payments": "付款", "events": "访问与点击",
        "posts": "帖子", "readings": "设备读数", "touches": "您看到的广告", "consents": "您的选择",
        "quarantine": "尚未能读取的记录", "profiles": "您的画像", "features": "模型所用数值",
        "customer_value": "我们预计您的购买", "rule_segments": "按规则划分的群组", "segments": "您所在的群组",
        "links": "同时出现的标识", "membership": "属于您的标识", "mask": "按您的选择生成的设置", "activity": "您的活动汇总",
        "touched": "被替换的记录", "contested": "您更正过的值", "held": "依法保留的内容",
        "segment_centres": "客户群组", "quality": "数据来源的检查结果", "rates": "汇率",
        "decisions": "我们选择向您展示的内容", "models": "我们的模型", "learned": "模型学到的内容", "churn": "您离开的可能性",
        "churn_checks": "对该估计的检查", "propensity": "您可能会做的事", "propensity_checks": "对这些估计的检查",
        "item_neighbours": "常一起购买的产品", "next_products": "为您推荐的产品",
        "channel_credits": "各渠道的贡献", "conversion_paths": "购买路径", "post_topics": "您帖子的主题",
        "interests": "您的兴趣", "device_health": "您设备的状况", "service_demand": "预计的服务需求",
    },
}  # fmt: skip
"""A table that is not here is called by its own name; its note says what it is."""

COLUMNS_ZH: dict[str, str] = {
    "key_id": "标识编号", "person_id": "客户编号", "occurred_at": "时间", "received_at": "收到时间", "name": "姓名",
    "email": "电子邮箱", "phone": "电话", "address": "地址", "born": "出生日期", "city": "城市", "region": "地区",
    "country": "国家", "language": "语言", "tier": "等级", "since": "客户起始", "source": "来源", "properties": "其他属性",
    "order_id": "订单号", "status": "状态", "amount_cents": "金额", "currency": "币种", "channel": "渠道",
    "purpose": "目的", "state": "状态", "until": "有效期至", "wording": "措辞版本", "type": "类型", "event": "事件",
    "product_id": "产品", "url": "网址", "campaign": "营销活动", "device": "设备", "text": "内容", "network": "平台",
    "metric": "指标", "value": "数值", "unit": "单位", "segment": "群组", "valid_from": "起", "valid_to": "止",
    "method": "方式", "payment_id": "付款号", "quantity": "数量", "description": "说明", "kept_sealed": "封存的其他内容",
    "orders": "订单数", "revenue_cents": "消费额", "events": "事件数", "vanished_at": "来源已删除", "message_id": "消息编号",
    "email_key": "电子邮箱的编号", "phone_key": "电话的编号", "line": "订单行号", "post_id": "帖子编号", "model": "型号",
    "error_code": "故障代码", "touch_id": "广告接触编号", "kind": "类型", "key_a": "标识甲的编号", "kind_a": "标识甲的类型",
    "key_b": "标识乙的编号", "kind_b": "标识乙的类型", "rows": "行数", "quarantine_id": "记录编号", "reason": "未能读取的原因",
    "field": "字段", "at": "收到时间", "shape": "原始格式", "key_2": "标识二的编号", "key_3": "标识三的编号",
    "key_4": "标识四的编号", "key_5": "标识五的编号", "fields": "被更正的字段", "mask": "设置代码", "duty": "法定义务",
    "erasure": "删除编号", "of_table": "所属记录", "facts": "保留的内容", "page_views": "页面浏览次数",
    "products_viewed": "浏览的产品数", "cart_additions": "加入购物车次数", "first_seen_at": "首次访问时间",
    "last_seen_at": "最近访问时间", "last_product_id": "最近浏览的产品", "touches": "广告接触次数", "first_channel": "首次渠道",
    "last_channel": "最近渠道", "posts": "帖子数", "last_post_at": "最近发帖时间", "readings": "设备读数次数",
    "device_errors": "设备故障次数", "last_reading_at": "最近读数时间", "keys": "标识数", "customer_since": "成为客户的时间",
    "records": "身份记录数", "first_order_at": "首次下单时间", "last_order_at": "最近下单时间", "as_of": "计算日期",
    "r_score": "最近购买评分", "f_score": "购买频率评分", "m_score": "消费金额评分", "rfm": "综合购买评分",
    "decision_id": "决定编号", "decision": "决定事项", "candidate": "展示的内容", "chosen_by": "选择方式", "context": "情形",
    "decisions.reason": "理由", "k": "群组总数", "seed": "随机种子", "segments.model": "所用模型",
    "churn.model": "所用模型", "probability": "离开的概率", "band": "高低", "typical": "平均起点", "rest": "其余因素合计",
    "propensity.model": "所用模型", "propensity.probability": "达成目标的概率", "goal": "目标",
    **{f"reason_{i}": f"第 {i} 个原因" for i in range(1, 5)}, **{f"value_{i}": f"第 {i} 个原因的数值" for i in range(1, 5)},
    **{f"points_{i}": f"第 {i} 个原因的作用" for i in range(1, 5)},
    "rank": "名次", "chance": "购买的概率", "times": "购买次数", "every_days": "通常间隔天数", "last_bought": "最近购买日期",
    "because": "相关的产品", "topic": "主题", "sure": "把握程度", "words": "依据的词语", "topic_en": "主题（英文）",
    "topic_zh": "主题（中文）", "strength": "兴趣强度", "looked": "浏览次数", "bought": "购买次数", "last_at": "最近时间",
    "device_model": "设备型号", "silent": "是否失联", "risk": "故障风险", "days_left": "预计剩余天数",
    "days_low": "剩余天数下限", "days_high": "剩余天数上限", "alarm": "是否报警", "alarm_since": "报警起始",
    "switched_on": "状态起始", "turning_since": "变化起始", "reason_en": "原因（英文）", "reason_zh": "原因（中文）",
    "device_health.model": "所用模型", "post_topics.model": "所用模型",
    "customer_value.model": "所用模型", "next_products.kind": "推荐方式",
    "label_en": "英文名称", "label_zh": "中文名称",
    "horizon_days": "预测天数", "p_alive": "仍是客户的概率", "expected_purchases": "预期购买次数",
    "expected_purchases_low": "预期购买次数下限", "expected_purchases_high": "预期购买次数上限",
    "purchases_low": "可能购买次数下限", "purchases_high": "可能购买次数上限", "expected_value_cents": "预期金额",
    "expected_value_low_cents": "预期金额下限", "expected_value_high_cents": "预期金额上限",
    "value_low_cents": "可能金额下限", "value_high_cents": "可能金额上限", "law": "所用概率模型",
}  # fmt: skip
"""By the column's name; `table.column` where it means something else there."""

ACTS: dict[str, dict[str, str]] = {
    "en": {
        "read": "read", "step": "computed", "find": "looked up", "why": "looked at how records were joined",
        "receipt": "made a receipt", "request": "worked on your request", "erase": "erased", "landing": "took in rows",
        "breach": "looked into a breach", "sign-in": "signed in", "consent": "noted a choice of yours",
        "access": "changed who may see what", "change": "changed our settings",
        "anchor": "anchored the ledger", "burn": "destroyed what had run out",
        "lapse": "destroyed what no law makes us keep any more", "sweep": "cleared away old versions",
        "welcome": "took you in again after an erasure", "customer_token": "let you in from our site",
        "commit": "published a sealed proof of a choice of yours", "opening": "opened the proof of a choice of yours",
        "mend": "mended the ledger after a stop", "backup": "made a backup", "restore": "brought back a backup",
        "upgrade": "brought the workspace to a newer format",
        "rotate": "changed the keys of the vault",
        "tail": "watched events come in", "live": "kept your picture up to the moment", "decide": "chose what to show you",
        "results": "counted what came of what was shown", "stream": "handed what you did to another of our engines",
    },
    "zh": {
        "read": "读取", "step": "计算", "find": "查找", "why": "查看记录合并依据", "receipt": "生成凭证",
        "request": "处理您的请求", "erase": "删除", "landing": "录入数据", "breach": "调查泄露", "sign-in": "登录",
        "consent": "记录您的选择", "access": "更改访问权限", "change": "更改设置",
        "anchor": "为账本做链上存证", "burn": "销毁到期数据",
        "lapse": "销毁法定保留期已满的数据", "sweep": "清除旧版本", "welcome": "删除后再次接收您的数据",
        "customer_token": "经由本店网站让您进入", "commit": "公布您的选择的加密存证", "opening": "打开您的选择的存证",
        "mend": "在中断后修复账本", "backup": "备份", "restore": "恢复备份", "rotate": "更换保险库密钥",
        "upgrade": "升级数据格式", "tail": "查看实时事件", "live": "实时更新您的画像",
        "decide": "选择向您展示的内容", "results": "统计所展示内容的效果", "stream": "将您的行为交给我们的另一个决策引擎",
    },
}  # fmt: skip

STATES: dict[str, dict[str, str]] = {
    "en": {
        "given": "you agreed", "refused": "you refused", "withdrawn": "you withdrew", "requested": "you were asked",
        "open": "not read yet", "replayed": "read since",
    },
    "zh": {
        "given": "您已同意", "refused": "您已拒绝", "withdrawn": "您已撤回", "requested": "已询问您",
        "open": "尚未读取", "replayed": "后来已读取",
    },
}  # fmt: skip
"""States of a choice, and of a row that we could not read."""

IDENTIFIERS: dict[str, tuple[str, ...]] = {
    "en": ("customer number of a source", "e-mail", "phone", "device", "cookie"),
    "zh": ("来源系统的客户编号", "电子邮箱", "电话", "设备", "Cookie 标识"),
}
"""The kinds of identifiers, in the order of words.KINDS."""

ROLES: dict[str, dict[str, str]] = {
    "en": {"machine": "automatic", "customer": "you"},
    "zh": {
        "machine": "系统自动", "customer": "您本人", "owner": "负责人", "analyst": "分析人员", "marketer": "营销人员",
        "sales": "销售人员", "service": "客服人员", "officer": "个人信息保护专员", "engineer": "工程师",
    },
}
"""Of the roles that `tessera init` writes; a company's own go by their own name."""

BASES: dict[str, dict[str, str]] = {
    "en": {
        "contract": "our contract with you", "legal_obligation": "a law obliges us",
        "legitimate_interest": "our legitimate interest", "vital_interest": "somebody's life or health",
        "public_interest": "the public interest", "consent": "consent",
    },
    "zh": {
        "contract": "与您的合同", "legal_obligation": "法定义务", "legitimate_interest": "我们的合法利益",
        "vital_interest": "生命健康", "public_interest": "公共利益", "consent": "同意",
    },
}  # fmt: skip


def column(name: str, language: str, table: str = "") -> str:
    """A column's name as a customer reads it. table: where it stands, if it means something else there."""
    plain = name.removesuffix("_cents").replace("_", " ")
    if language != "zh":
        return plain[:1].upper() + plain[1:]
    of = name.removesuffix("_source")
    if of != name and of in COLUMNS_ZH:
        return f"{COLUMNS_ZH[of]}的来源"
    return COLUMNS_ZH.get(f"{table}.{name}") or COLUMNS_ZH.get(name, plain)


def columns(names: Iterable[str], language: str, table: str = "") -> str:
    """Several of a table's columns, in a row."""
    return ("、" if language == "zh" else ", ").join(column(n, language, table) for n in names)


def sentence(said: Mapping[str, str], language: str, name: str) -> str:
    """A purpose's sentence, in her language if it has one there; name: of one that says nothing."""
    return said.get(language) or next(iter(said.values()), name)
