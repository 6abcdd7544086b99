"""Grammars of the todo texts that `run.py seed` writes: one English, one Chinese.

A grammar is a table of rules, and a rule is a choice of alternatives between bars; `{name}` in an
alternative stands for a choice of rule `name`, and `¶` for a line break. An alternative that names
a rule twice gets two different words (never "milk and milk"); one that is written several times is
as many times as likely. `text` is the rule to start from.
"""

import re
from collections.abc import Mapping

Grammar = Mapping[str, tuple[str, ...]]


def _grammar(source: str) -> Grammar:
    """Read the rules of `source`; a rule starts at the line's edge with its name and a colon."""
    _, *parts = re.split(r"^(\w+):", source, flags=re.MULTILINE)
    return {
        name: tuple(words.strip().replace("¶", "\n") for words in alternatives.split("|"))
        for name, alternatives in zip(parts[::2], parts[1::2], strict=True)
    }


ENGLISH = _grammar("""
text: {plain} | {plain} | {plain} | {plain} | {plain} | {plain} | {plain} | {marked} | {marked} |
    {long}
plain: {title} | {title} {when} | {title} {when}
marked: {mark} {title} | {title}! | {tag} {title} {when} | {title} {emoji} | {mark} {title} |
    {title}! | {tag} {title} {when} | {title} {emoji} | {short}
long: {title} {when}¶{note} | {title}¶{note}¶{note} |
    {title} {when}¶¶{note} {note} {note} {note} {note} | {list} | {list}
title: Buy {grocery}, {grocery} and {household} | Pick up {grocery} and {grocery} at {shop} |
    Call {contact} about {matter} | Text {relative} and {colleague} about {event} |
    Send {document} to {colleague} | Email {colleague} about {topic} |
    Finish {document} for {project} with {colleague} | Pay {bill} ({money}) and tell {relative} |
    Review {colleague}'s changes to {component} | Fix {bug} in {component} for {project} |
    Renew {paper} for {relative} (about {money}) | Book {appointment} for {relative} |
    Read {number} pages of {book} to {relative} | Cook {dish} for {relative} |
    Return {item} to {store} and get the {money} back |
    Plan {event} with {relative} and {colleague} |
    Clean {room} and {room}, {relative} and {colleague} are coming |
    Learn {number} words of {language} in {duration} |
    Run {kilometres} km {route} with {colleague} | Order {gift} for {relative} (up to {money}) |
    Ask {colleague} about {topic} | Back up {data} to {storage} before {colleague} needs it |
    Practise {instrument} for {duration} with {relative} |
    Prepare {number} slides on {topic} for {audience} |
    Show {colleague} how to test {bug} in {component} |
    Repair {item} or get a new one for {money} at {store} |
    Meet {colleague} {place} to talk about {topic} | Pick {relative} and {relative} up {place} |
    Lend {book} to {colleague} | Water {plants} and {plants} for {colleague} |
    Find a recipe for {dish} and {dish} without {grocery} |
    Deploy {component} to {environment} with {colleague} |
    Update {document} with the figures on {topic}
short: Gym | Nap | Pay rent | Call Mum | Call Dad | Laundry | Vacuum | Dishes | Yoga | Haircut |
    Taxes!! | Dentist | Buy milk | Buy stamps | Inbox zero | Book flights | Feed the cat |
    Walk the dog | Change sheets | Water plants | Charge bike | Fix the tap | Bins out |
    Post office | Flu jab | Stretch {duration} | Swim {duration} | Meditate {duration} |
    Ring {colleague} | Lunch w/ {colleague} | Reply to {colleague} | Thank {colleague} |
    Dinner at {clock} | Dentist {clock} | Standup {clock}
list: Groceries {when}:¶- {grocery}¶- {grocery}¶- {grocery}¶- {household} |
    Packing for {city}:¶- [ ] {luggage}¶- [ ] {luggage}¶- [ ] {luggage}¶- [ ] {luggage} |
    Agenda for {audience}:¶- {topic}¶- {topic}¶- {topic} |
    Before releasing {project}:¶- [ ] fix {bug}¶- [ ] update {document}¶- [ ] tell {colleague} |
    Weekend jobs:¶- [ ] clean {room}¶- [ ] water {plants}¶- [ ] repair {item}¶- [ ] pay {bill} |
    Dinner {when}:¶- {dish}¶- {dish}¶- ask {relative} to bring {grocery}
note: It should take about {duration}. | {colleague} knows more about it. | Not urgent. |
    Budget: {money}. | Ask {colleague} first. | See the mail from {weekday}. |
    Moved from last week, again. | 20% off until {weekday}. | Number: 555-01{minute}. |
    Open until {clock}, closed on {weekday}. | Don't forget {luggage}. |
    Still waiting for {colleague}'s answer. | Details: https://example.com/notes/{number}{minute} |
    Check the price first: it was {money} last time. | If it rains, do it on {weekday} instead. |
    "Soon" means {weekday} here, not "some day"... | I think {relative} would like to come along. |
    Split the cost with {colleague} (50/50). | We meet {place} at {clock}. | Priority: P{digit}. |
    Half of it is done; the rest needs {duration}. | Remind me again at {clock}.
when: today | tonight | tomorrow | this weekend | next week | on {weekday} | by {weekday} |
    after work | on {weekday} at {clock} | tomorrow at {clock} | today before {clock} |
    before {weekday}, {clock} | by the end of {month} | on {month} {day} | before {month} {day} |
    next {weekday} | after lunch | first thing on {weekday} | in the first week of {month} |
    by {month} {day}, {clock}
mark: ❗ | ⭐ | 🔥 | 📌 | 🛒 | ✅ | ☎️ | 💡 | URGENT: | TODO: | Re: | (again) | >>
tag: [work] | [home] | [family] | #errands | #money | #health | #later | @office | @phone
emoji: 🙂 | 😅 | 🎉 | ❤️ | 🙏 | 💪 | ☕ | 🎂 | ✈️ | ⏰ | 🏃 | 📚
weekday: Monday | Tuesday | Wednesday | Thursday | Friday | Saturday | Sunday
month: January | February | March | April | May | June | July | August | September | October |
    November | December
day: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 | 16 | 17 | 18 | 19 | 20 |
    21 | 22 | 23 | 24 | 25 | 26 | 27 | 28
digit: 0 | 1 | 2 | 3
clock: {hour}:{minute}
hour: 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 | 16 | 17 | 18 | 19 | 20
minute: 00 | 10 | 15 | 20 | 30 | 40 | 45 | 50
number: 10 | 12 | 15 | 20 | 25 | 30 | 40 | 50 | 60 | 80
kilometres: 3 | 4 | 5 | 6 | 8 | 10 | 12 | 15 | 21
duration: 10 min | 15 min | 20 minutes | half an hour | 45 minutes | an hour | 90 min | 2 hours
money: $12.50 | $20 | $35 | $49.99 | $60 | $85 | $120 | £40 | £75 | €18 | €30 | €99 | €240
relative: Mum | Dad | Grandma | Grandpa | my sister | my brother | Aunt Carol | Uncle Jim |
    the kids | Emma | Leo | Nina | the in-laws | my cousin
colleague: Anna | Ben | Carlos | Diane | Erik | Fatima | George | Hannah | Ivan | Julia | Kofi |
    Laura | Marco | Nora | Oscar | Priya | Quinn | Rosa | Sam | Tomás | Uma | Victor | Wendy | Zoë
contact: the landlord | the bank | the dentist | the garage | the vet | the school | the plumber |
    Dr. Lee | the insurance company | the electrician | HR | the tax office | the travel agency |
    the neighbours
matter: the invoice | the refund | moving the appointment | the contract | the opening hours |
    the form | the wrong address | the payment | the letter of last week | the new phone number |
    the deadline | the missing receipt
grocery: milk | eggs | bread | oat milk | tomatoes | onions | garlic | butter | rice | pasta |
    coffee | apples | bananas | lemons | spinach | yoghurt | cheddar | olive oil | chicken | tofu |
    carrots | basil | honey | potatoes | mushrooms | flour | green tea | salmon
household: toilet paper | dish soap | light bulbs | AA batteries | bin bags | laundry detergent |
    sponges | toothpaste | shampoo | cat food | baking paper | candles | tissues
shop: the market | Lidl | the corner shop | the supermarket | Whole Foods | the co-op
store: IKEA | the mall | the hardware store | the department store | the web shop
document: the quarterly report | the budget | the signed contract | the meeting notes |
    the slide deck | the project plan | the release notes | the design doc | the invoice |
    the test report | the P&L sheet | the onboarding guide | the travel expenses |
    the survey results
topic: the hiring plan | the new office | the Q3 budget | customer feedback | the launch date |
    test coverage | the database migration | response times | on-call shifts | the pricing page |
    R&D costs | training | the security audit | the roadmap | holiday cover |
    the incident last week
project: Apollo | Bluebird | the mobile app | the web shop | Lighthouse | v2.4 | the pilot | Orion
component: the login page | the search API | the billing service | the export job |
    the mail queue | the cache | the admin panel | the upload form | the CI pipeline |
    the report generator | the settings screen
bug: the memory leak | the off-by-one error | the flaky test | the timeout | the broken redirect |
    the typo | the time zone bug | the duplicate emails | the slow query | the 500 on empty input |
    the race condition
environment: staging | production | the test cluster | the demo server | the EU region
audience: the team | the board | the sales team | the all-hands | the clients | the weekly meeting
bill: the electricity bill | the rent | the phone bill | the water bill | the gym fee |
    the parking fine | the internet bill | the credit card | the school trip | the car insurance |
    the nursery
paper: the passport | the library card | the driving licence | the rail card | the domain |
    the lease
appointment: a dentist appointment | an eye test | a haircut | a table for two | a check-up |
    a flu shot | swimming lessons | train tickets | a hotel room | cinema tickets |
    a taxi to the airport
book: "Dune" | "Middlemarch" | "The Pragmatic Programmer" | "Sapiens" | "Emma" | "Fluent Python" |
    "The Hobbit" | the statistics textbook | "Walden" | "Moby-Dick" | that article on sleep
dish: lasagne | pumpkin soup | chicken curry | pancakes | dumplings | risotto | chili | ramen |
    apple pie | fish tacos | mapo tofu | paella | lentil stew | fried rice
item: the blue jacket | the headphones | the bike light | the kettle | the desk lamp |
    the running shoes | the router | the drill | the suitcase | the office chair |
    the vacuum cleaner | the umbrella
event: the birthday party | the camping trip | the weekend in Rome | Christmas dinner |
    the garden party | the housewarming | the anniversary | the hike | the school reunion |
    game night
room: the kitchen | the bathroom | the balcony | the fridge | the windows | the car | the hallway
language: Spanish | Japanese | Chinese | German | French | Italian | Portuguese | Korean
route: in the park | by the river | around the lake | slowly | on the old railway line
gift: flowers | a birthday card | a cake | a scarf | a board game | a photo book | concert tickets
data: the photos | the laptop | the phone | the tax files | the wiki | the home directory
storage: the NAS | the external disk | the cloud | the USB stick
instrument: the guitar | the piano | the violin | scales | the new song | the speech
place: at the station | at the library | in the café | downtown | at the office | at the town hall
plants: the tomatoes | the orchid | the herbs | the ferns | the office plants | the roses
city: Lisbon | Berlin | Kyoto | Oslo | Chicago | Shanghai | Edinburgh | Vienna | Lima
luggage: the passport | the charger | sunscreen | the adapter | a raincoat | the tickets |
    swimwear | a towel | the camera | earplugs | the medicine | warm socks | a power bank
""")

CHINESE = _grammar("""
text: {plain} | {plain} | {plain} | {plain} | {plain} | {plain} | {plain} | {marked} | {marked} |
    {long}
plain: {title} | {when}{title} | {when}{title}
marked: {mark}{title} | {title}！ | {tag}{when}{title} | {title}{emoji} | {title}（{when}） |
    {mark}{title} | {title}！ | {tag}{when}{title} | {title}{emoji} | {title}（{when}） | {short}
long: {when}{title}¶{note} | {title}¶{note}¶{note} |
    {when}{title}¶¶备注：{note}{note}{note}{note}{note}{note} | {list} | {list}
title: 买{grocery}、{grocery}和{household} | 去{shop}买{grocery}和{grocery} |
    给{relative}和{relative}打电话聊聊{event} | 给{contact}打电话问{matter} |
    把{document}发给{colleague} | 写完{project}的{document}，发{colleague} |
    和{colleague}讨论{topic} | 修复{project}{component}的{bug} |
    和{colleague}给{component}的{bug}补测试 | 替{relative}交{bill}{money} |
    帮{relative}预约{clock}的{appointment} | 给{relative}读《{book}》{number}页 |
    给{relative}做{dish}和{dish} | 把{relative}的{item}拿去{repair} |
    和{relative}、{colleague}商量{event} | 和{relative}一起打扫{room}和{room} |
    背{number}个{language}单词（{duration}） | 和{colleague}{route}跑步{kilometres}公里 |
    给{relative}买{gift}，预算{money} | 准备{topic}的PPT（{number}页），给{audience}看 |
    帮{colleague}把{data}备份到{storage} | 陪{relative}练{instrument}{duration} |
    帮{colleague}给{plants}和{plants}浇水 | 陪{relative}办理{paper}，带上{money} |
    评审{colleague}提交的{component}代码 | 和{colleague}一起把{component}部署到{environment} |
    送{relative}和{relative}去{place} | 约{colleague}在{cafe}谈{topic} |
    把《{book}》还给{colleague} | 更新{document}里{topic}的数据 |
    回复{colleague}关于{topic}的邮件 | 跟着视频学做{dish}和{dish}，缺{grocery}
short: 去跑步 | 交房租 | 倒垃圾 | 洗衣服 | 取快递 | 寄快递 | 剪头发 | 浇花！ | 遛狗🐶 | 喂猫🐱 |
    吃早饭 | 订机票 | 写周报 | 看牙医 | 背单词 | 充电费 | 还信用卡 | 早点睡！ | 给手机充值 |
    换床单 | 洗车🚗 | 打疫苗 | 冥想{duration} | 游泳{duration} | 跳绳{duration} | 回复{colleague} |
    问一下{colleague} | {clock}开会 | {clock}接孩子 | {clock}吃药 | 和{colleague}吃午饭 |
    {when}健身 | {when}写日报
list: {when}采购：¶- {grocery}¶- {grocery}¶- {grocery}¶- {household} |
    去{city}要带的东西：¶□ {luggage}¶□ {luggage}¶□ {luggage}¶□ {luggage}¶□ {luggage} |
    给{audience}的汇报提纲：¶- {topic}¶- {topic}¶- {topic} |
    {project}上线前：¶□ 修复{bug}¶□ 更新{document}¶□ 通知{colleague} |
    {when}家务：¶□ 打扫{room}¶□ 给{plants}浇水¶□ 把{item}拿去{repair}¶□ 交{bill} |
    {when}请客：¶- {dish}¶- {dish}¶- {dish}¶- 让{relative}带{grocery}
note: 大概需要{duration}。 | 具体情况问{colleague}。 | {weekday}前打八折（-20%）。 |
    预算{money}以内。 | 别忘了带{luggage}！ | 先跟{colleague}确认一下时间。 |
    参考{weekday}那封邮件。 | 上周就该做了，这次不能再拖…… | 营业到{clock}，{weekday}休息。 |
    电话：010-5555{minute}{minute}。 | 还在等{colleague}的答复。 |
    详见 https://example.com/notes/{number}{minute} 。 | 如果下雨就改到{weekday}。 |
    上次花了{money}，这次先比比价。 | {relative}可能也一起去。 | 优先级：P{digit}。 |
    费用和{colleague}一人一半（AA）。 | 已经做了一半，剩下的还要{duration}。 |
    {clock}再提醒我一次。 | {colleague}说“尽快”，也就是{weekday}之前。
when: 今天 | 今晚 | 明天 | 明早 | 后天 | 周末 | 下周 | 下班后 | 午饭后 | 月底前 | {weekday} |
    {weekday}前 | {weekday}晚上 | {weekday}下午 | 明天上午 | 明天{clock} | 今天{clock}前 |
    {weekday}{clock} | {month}月{day}日 | {month}月{day}日前 | 下{weekday} | {month}月初 |
    {month}月底前 | {weekday}一早
mark: ❗ | ⭐ | 🔥 | 📌 | 🛒 | 【急】 | 【重要】 | 待办： | 提醒： | （补） | ☎️ | 💡
tag: 【工作】 | 【家里】 | 【学习】 | #购物# | #健康# | #生活# | [公司] | 「以后」
emoji: 🙂 | 😅 | 🎉 | ❤️ | 🙏 | 💪 | ☕ | 🎂 | ✈️ | ⏰ | 🏃 | 📚
weekday: 周一 | 周二 | 周三 | 周四 | 周五 | 周六 | 周日
month: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12
day: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 | 16 | 17 | 18 | 19 | 20 |
    21 | 22 | 23 | 24 | 25 | 26 | 27 | 28
digit: 0 | 1 | 2 | 3
clock: {hour}:{minute} | {hour}点 | {hour}点半
hour: 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 | 16 | 17 | 18 | 19 | 20
minute: 00 | 10 | 15 | 20 | 30 | 40 | 45 | 50
number: 10 | 15 | 20 | 25 | 30 | 40 | 50 | 60 | 80 | 100
kilometres: 3 | 4 | 5 | 6 | 8 | 10 | 12 | 15 | 21
duration: 10分钟 | 15分钟 | 20分钟 | 半小时 | 30分钟 | 45分钟 | 一小时 | 两个小时 | 一个半小时
money: 30元 | 50元 | 88元 | 99.9元 | 120元 | 200元 | 350元 | 500元 | 680元 | 1000元 | 1280元
relative: 妈妈 | 爸爸 | 奶奶 | 爷爷 | 外婆 | 姐姐 | 弟弟 | 表妹 | 孩子 | 小宝 | 舅舅 | 老婆 | 老公
colleague: 王磊 | 李娜 | 张伟 | 刘洋 | 陈静 | 杨帆 | 赵敏 | 黄强 | 周婷 | 吴昊 | 徐丽 | 孙浩 |
    马超 | 朱琳 | 胡军 | 郭晓燕 | 何老师 | 高经理 | 林总 | 小罗 | 老梁 | Kevin | Amy
contact: 房东 | 物业 | 银行 | 医院 | 班主任 | 宠物医院 | 保险公司 | 装修师傅 | 人事 | 税务局 |
    旅行社 | 快递公司 | 驾校 | 电信客服
matter: 发票的事 | 退款进度 | 能不能改时间 | 合同的事 | 营业时间 | 要带哪些材料 | 押金什么时候退 |
    地址填错怎么办 | 收费标准 | 什么时候能办好 | 周末上不上班 | 怎么补开收据
grocery: 牛奶 | 鸡蛋 | 面包 | 西红柿 | 土豆 | 洋葱 | 大蒜 | 豆腐 | 青菜 | 苹果 | 香蕉 | 橙子 |
    酸奶 | 大米 | 面条 | 酱油 | 排骨 | 鸡胸肉 | 虾仁 | 蘑菇 | 茶叶 | 咖啡豆 | 生姜 | 黄瓜 | 豆浆 |
    冬瓜
household: 纸巾 | 洗洁精 | 洗衣液 | 灯泡 | 五号电池 | 垃圾袋 | 牙膏 | 洗发水 | 猫粮 | 保鲜膜 |
    抹布 | 创可贴
shop: 超市 | 菜市场 | 盒马 | 山姆 | 楼下便利店 | 早市 | 永辉
document: 季度报告 | 预算表 | 合同 | 会议纪要 | 项目计划 | 发布说明 | 设计文档 | 测试报告 |
    需求文档 | 报销单 | 调研结果 | 新人手册 | 接口文档 | 周报
topic: 招聘计划 | 新办公室 | 三季度预算 | 客户反馈 | 上线时间 | 测试覆盖率 | 数据库迁移 |
    接口响应时间 | 值班安排 | 定价方案 | 研发成本 | 培训安排 | 安全审计 | 明年规划 | 假期安排 |
    上周的故障
project: 凤凰项目 | 青鸟项目 | 手机App | 网上商城 | 小程序 | v2.4 | 试点项目 | 数据平台
component: 登录页 | 搜索接口 | 计费服务 | 导出任务 | 邮件队列 | 缓存 | 管理后台 | 上传表单 |
    报表模块 | 设置页面
bug: 内存泄漏 | 偶发超时 | 错误跳转 | 错别字 | 时区问题 | 重复发信 | 慢查询 | 空输入报500 |
    竞态问题 | 乱码
environment: 预发环境 | 生产环境 | 测试集群 | 演示服务器 | 灰度环境
audience: 全组 | 领导 | 销售部 | 合作方 | 客户 | 新同事
bill: 电费 | 水费 | 房租 | 话费 | 燃气费 | 物业费 | 停车费 | 宽带费 | 车险 | 学费 | 信用卡账单
paper: 护照换发 | 居住证 | 驾照换证 | 借书证 | 签证 | 社保转移 | 公积金提取 | 医保卡 | 港澳通行证 |
    域名续费
appointment: 牙医 | 体检 | 理发 | 疫苗 | 餐厅包间 | 游泳课 | 眼科检查 | 家政保洁 | 机场接送
book: 三体 | 红楼梦 | 活着 | 平凡的世界 | 围城 | 流畅的Python | 人类简史 | 算法导论 | 边城 |
    西游记 | 小王子 | 代码整洁之道 | 百年孤独
dish: 红烧肉 | 番茄炒蛋 | 麻婆豆腐 | 清蒸鱼 | 饺子 | 咖喱鸡 | 南瓜粥 | 蛋炒饭 | 酸辣汤 | 可乐鸡翅 |
    炸酱面 | 葱油饼 | 火锅 | 凉拌黄瓜
item: 自行车 | 耳机 | 台灯 | 吹风机 | 跑鞋 | 手表 | 行李箱 | 笔记本电脑 | 羽绒服 | 吸尘器 | 雨伞
repair: 保养 | 退掉 | 换新 | 送人 | 修一下
event: 生日聚会 | 露营 | 国庆去云南 | 年夜饭 | 搬家 | 结婚纪念日 | 爬山 | 同学聚会 | 端午回家 |
    暑假旅行
room: 厨房 | 卫生间 | 阳台 | 冰箱 | 窗户 | 客厅 | 书房 | 油烟机 | 鞋柜
language: 英语 | 日语 | 法语 | 德语 | 韩语 | 西班牙语
route: 去公园 | 沿江 | 在操场 | 跟跑团 | 绕湖 | 慢慢
gift: 一束花 | 生日蛋糕 | 围巾 | 桌游 | 相册 | 演唱会门票 | 按摩仪 | 一盒好茶 | 新手机壳
data: 照片 | 笔记本 | 手机 | 报税资料 | 聊天记录 | 毕业论文
storage: NAS | 移动硬盘 | 云盘 | U盘
instrument: 吉他 | 钢琴 | 小提琴 | 毛笔字 | 演讲 | 太极 | 口语
place: 机场 | 高铁站 | 图书馆 | 医院 | 汽车站 | 地铁站
cafe: 咖啡馆 | 公司楼下 | 三号会议室 | 茶馆 | 食堂
plants: 绿萝 | 兰花 | 多肉 | 吊兰 | 办公室的花 | 月季 | 薄荷
city: 上海 | 成都 | 杭州 | 西安 | 青岛 | 厦门 | 东京 | 曼谷 | 重庆 | 大理
luggage: 身份证 | 充电器 | 防晒霜 | 转换插头 | 雨衣 | 车票 | 泳衣 | 毛巾 | 相机 | 耳塞 | 常用药 |
    充电宝 | 厚袜子
""")
