"""What fideslang's data categories are called where people read: plain names in English and Simplified Chinese."""

from __future__ import annotations

_NAMES = """
system | facts that are not about a person | 与个人无关的数据
system.authentication | how our systems know each other | 系统之间的身份验证信息
system.operations | how our business runs, such as amounts and times | 业务运行数据，例如金额和时间
user | data about you | 关于您的数据
user.account | your account with us | 您的账户
user.account.settings | your account's settings | 您的账户设置
user.account.username | your user name | 您的用户名
user.authorization | what lets you sign in | 您的登录凭据
user.authorization.biometric | features of your body that let you sign in | 用于登录的生物特征
user.authorization.password | your password | 您的密码
user.behavior | what you do with us, such as visits and clicks | 您的行为，例如访问与点击
user.behavior.browsing_history | what you looked at | 您浏览过的内容
user.behavior.media_consumption | what you watched, heard or read | 您观看、收听或阅读的内容
user.behavior.purchase_history | what you bought | 您的购买记录
user.behavior.search_history | what you searched for | 您的搜索记录
user.biometric | features of your body | 您的生物特征
user.biometric.fingerprint | your fingerprint | 您的指纹
user.biometric.health | your body's measures of health | 您身体的健康指标
user.biometric.retinal | your retina | 您的视网膜特征
user.biometric.voice | your voice | 您的声纹
user.childrens | data about children | 未成年人的数据
user.contact | how to reach you | 您的联系方式
user.contact.address | your postal address | 您的通信地址
user.contact.address.city | the city where you live | 您所在的城市
user.contact.address.country | the country where you live | 您所在的国家
user.contact.address.postal_code | your postal code | 您的邮政编码
user.contact.address.state | the state or province where you live | 您所在的省份
user.contact.address.street | your street | 您所在的街道
user.contact.email | your e-mail address | 您的电子邮箱
user.contact.fax_number | your fax number | 您的传真号码
user.contact.organization | your organisation | 您所属的机构
user.contact.phone_number | your telephone number | 您的电话号码
user.contact.url | your web address | 您的网址
user.content | what you wrote or made | 您撰写或创作的内容
user.content.private | what you wrote in private | 您的私密内容
user.content.public | what you published | 您公开发布的内容
user.content.self_image | pictures of you | 您的照片
user.criminal_history | your criminal record | 您的犯罪记录
user.demographic | what describes you, such as your language | 您的基本特征，例如语言
user.demographic.age_range | about how old you are | 您的年龄段
user.demographic.date_of_birth | your date of birth | 您的出生日期
user.demographic.gender | your gender | 您的性别
user.demographic.language | your language | 您的语言
user.demographic.marital_status | whether you are married | 您的婚姻状况
user.demographic.political_opinion | your political opinions | 您的政治观点
user.demographic.profile | a description of you | 关于您的描述
user.demographic.race_ethnicity | your race or ethnic origin | 您的种族或民族
user.demographic.religious_belief | your religious beliefs | 您的宗教信仰
user.demographic.sexual_orientation | your sexual orientation | 您的性取向
user.device | the devices that you use | 您使用的设备
user.device.cookie | cookies on your device | 您设备上的 Cookie
user.device.cookie_id | the number of a cookie on your device | 您设备上的 Cookie 编号
user.device.device_id | your device's number | 您的设备编号
user.device.ip_address | the internet address of your device | 您设备的 IP 地址
user.financial | your finances | 您的财务信息
user.financial.bank_account | your bank account | 您的银行账户
user.financial.credit_card | your credit card | 您的信用卡
user.government_id | identity numbers that a state gave you | 国家机关签发给您的证件号码
user.government_id.birth_certificate | your birth certificate | 您的出生证明
user.government_id.drivers_license_number | your driving licence's number | 您的驾驶证号码
user.government_id.immigration | your immigration papers | 您的出入境证件
user.government_id.national_identification_number | your identity card's number | 您的身份证号码
user.government_id.passport_number | your passport's number | 您的护照号码
user.government_id.vehicle_registration | your vehicle's registration | 您的车辆登记信息
user.health_and_medical | your health | 您的健康与医疗信息
user.health_and_medical.genetic | your genes | 您的基因信息
user.health_and_medical.insurance_beneficiary_id | your health insurance number | 您的医疗保险号码
user.health_and_medical.record_id | your medical record's number | 您的病历号码
user.job_title | your job | 您的职务
user.location | where you are or live | 您的所在地
user.location.imprecise | roughly where you are | 您的大致位置
user.location.precise | exactly where you are | 您的精确位置
user.name | your name | 您的姓名
user.name.first | your first name | 您的名字
user.name.last | your family name | 您的姓氏
user.payment | how you pay | 您的支付信息
user.privacy_preferences | your choices about your data | 您对个人数据所作的选择
user.sensor | what your devices measured | 您的设备所测得的数据
user.social | what you do on social networks | 您在社交平台上的活动
user.telemetry | how a device or a program of yours runs | 您的设备或程序的运行数据
user.unique_id | numbers that stand for you | 代表您的编号
user.unique_id.pseudonymous | numbers that stand for you and do not name you | 代表您但不显示姓名的编号
user.user_sensor | what was measured of you yourself | 对您本人测得的数据
user.workplace | where you work | 您的工作单位
"""
NAMES: dict[str, tuple[str, str]] = {
    key: (english, chinese) for key, english, chinese in (line.split(" | ") for line in _NAMES.strip().splitlines())
}
"""Category -> its name in English and in Simplified Chinese. What is not here goes by the nearest above it."""


def category(key: str, language: str) -> str:
    """A data category as a customer reads it. language: "en" or "zh". A key that fideslang does not have stays as it is.

    >>> category("user.contact.email", "en"), category("user.authorization.credentials", "en")
    ('your e-mail address', 'what lets you sign in')
    """
    known = key
    while known and known not in NAMES:
        known = known.rpartition(".")[0]
    return NAMES[known][language == "zh"] if known else key
