"""What people write about smart homes, in English and Chinese: by topic, by mood, and around it."""

from __future__ import annotations

ENGLISH = {
    "security": ("the doorbell video is sharp even at night", "the lock opens before I find my keys",
                 "motion alerts while we are on holiday", "two break-ins on our street, so sensors on every window"),
    "lighting": ("warm light in the hallway at sunset", "dimming the lamps for movie night",
                 "every bulb turns on by itself when I come home", "the light strip behind the desk looks great"),
    "heating": ("the thermostat learned our mornings", "radiator valves room by room",
                "the bedroom stays at 17 degrees now", "air quality in the nursery, finally measured"),
    "cleaning": ("the robot vacuum maps the whole flat", "no more dog hair under the sofa",
                 "it got stuck on the carpet fringe again", "clean windows without a ladder"),
    "kitchen": ("the kettle is ready when the alarm rings", "bread weighed to the gram with the scale",
                "an espresso before I am awake", "new recipe tonight, the coffee machine does the rest"),
    "audio": ("one song in every room", "the bass of the sound bar shakes the shelf",
              "podcasts in the bathroom speaker", "stereo pair on new stands, what a stage"),
    "garden": ("the sprinkler waits when rain is coming", "soil moisture of the tomatoes on my phone",
               "the lawn robot works while we sleep", "basil survived our holiday"),
    "energy": ("balcony solar makes 2 kWh on a sunny day", "the plug shows which device eats the power",
               "battery full by noon", "our electricity bill went down by a third"),
}  # fmt: skip
CHINESE = {
    "security": ("门口摄像头晚上也拍得很清楚", "智能门锁终于不用带钥匙了", "出差时手机能收到门窗报警",
                 "给爸妈家装了监控，放心多了"),
    "lighting": ("日落时走廊自动亮起暖光", "看电影时灯光自动调暗", "回家灯就亮，特别温馨", "桌子后面的灯带氛围感满满"),
    "heating": ("温控器记住了我们的作息", "每个房间温度单独调", "卧室恒温睡得真香", "空气质量监测仪提醒我开窗通风"),
    "cleaning": ("扫地机器人把全屋地图画好了", "沙发底下再也没有猫毛", "又卡在地毯边上了", "擦窗机器人省了我半天时间"),
    "kitchen": ("闹钟一响水就烧好了", "厨房秤烘焙必备", "早上一杯现磨咖啡", "今晚试新菜谱，厨房电器帮了大忙"),
    "audio": ("每个房间放同一首歌", "回音壁低音很震撼", "浴室音箱听播客", "音箱换了支架声场大不一样"),
    "garden": ("快下雨时自动停止浇水", "手机上看番茄的土壤湿度", "晚上割草机器人自己工作", "出门两周花园里的花都活着"),
    "energy": ("阳台光伏晴天能发两度电", "插座能看出哪个电器最费电", "中午电池就充满了", "电费少了三分之一"),
}  # fmt: skip

OPENERS = {
    "en": ("", "", "Day three: ", "Honest review: ", "Small joy of the week: ", "PSA: ", "Update from our flat, "),
    "zh": ("", "", "开箱三天：", "真实测评：", "今日小确幸：", "新家日记，", "分享一下："),
}
CLOSERS = {
    ("en", "good"): (" Love it.", " Worth every cent.", " Would buy again!", " 10/10", " #smarthome", ""),
    ("en", "bad"): (" Support has been silent for a week.", " Broken again, I want my money back.", " So disappointed.",
                    " Switching to another shop.", " App crashes daily #fail"),
    ("zh", "good"): ("太喜欢了！", "值得入手。", "强烈推荐！", "满分", "#智能家居#", ""),
    ("zh", "bad"): ("客服一周没回复。", "又坏了，想退款。", "太失望了。", "准备换别家了。", "应用天天闪退，避雷！"),
}  # fmt: skip
NAMED = {
    "en": (
        " Thanks {name} for the tip!",
        " {name} installed it in ten minutes.",
        " Call me if you want to see it: {phone}",
    ),
    "zh": ("谢谢{name}的推荐！", "{name}十分钟就装好了。", "想看的联系我 {phone}"),
}
"""Now and then a post names somebody or gives a number: free text is personal data."""
