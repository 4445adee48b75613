"""What CRMs call the columns of their deals: tables of names, in English, Chinese, German and French."""

from __future__ import annotations

import re
import unicodedata

from crm_analysis.doors.proposal.names import Role, role


def _of_deals(names: str) -> str:
    """Names, and the same behind the word for a deal: "stage dealstage opportunitystage"."""
    words = names.split()
    return " ".join([*words, *(f"{deal}{word}" for word in words for deal in ("deal", "opportunity"))])


ROLES = (
    role(
        "opportunity_id",
        "id",
        "opportunityid dealid opportunitynumber opportunityno dealnumber opportunityguid 商机编号 商机id "
        "商机编码 商机号 销售机会编号",
        "recordid objectid opportunity deal 商机 销售机会",
        "id 编号",
        "opportunityname dealname dealtitle 商机名称 销售机会名称",
        required=True,
    ),
    role(
        "stage",
        "text",
        "tostage newstage stageto 变更后阶段 新阶段",
        _of_deals("stage stagename salesstage pipelinestage currentstage pipelinephase salesphase 阶段") + " "
        "processstage 销售阶段 商机阶段 当前阶段 销售流程阶段 vertriebsphase verkaufsphase etape",
        _of_deals("phase"),
        required=True,
    ),
    role("from_stage", "text", "fromstage oldstage previousstage priorstage stagefrom 变更前阶段 原阶段"),
    role("outcome", "text", _of_deals("outcome status result state") + " 状态 商机状态 赢单状态 结果 statut"),
    role(
        "owner",
        "text",
        _of_deals("owner ownername ownerfullname") + " 负责人 所有人 销售负责人 销售员",
        "salesperson salesrep salesagent rep agent assignedto assignee verkaufer besitzer proprietaire",
        _of_deals("ownerid"),
    ),
    role(
        "amount",
        "money",
        _of_deals("amount value closevalue") + " 金额 商机金额 成交金额 销售金额 betrag montant valeur",
        _of_deals("revenue estrevenue estimatedrevenue actualrevenue expectedrevenue tcv acv")
        + " 预计销售金额",
    ),
    role(
        "source",
        "text",
        _of_deals("leadsource source") + " originalsource 来源 线索来源 商机来源 quelle",
        "originalsourcetype originaltrafficsource campaign channel",
    ),
    role("segment", "text", "segment customersegment 客户类型 客户分级", "industry sector region"),
    role(
        "account_id",
        "id",
        "accountid companyid customerid organizationid dealorganizationid 客户编号",
        "account accountname company companyname customer organization dealorganization associatedcompany "
        "客户 客户名称 kunde client",
    ),
    role(
        "lost_reason",
        "text",
        _of_deals("lostreason lossreason closedlostreason reasonlost reasonforloss lostreasonc")
        + " 输单原因 丢单原因 verlustgrund raisondeperte",
        "statusreason",
    ),
    role(
        "phone",
        "text",
        "phone phonenumber telephone telephonenumber tel mobile mobilephone mobilenumber contactphone "
        "contactphonenumber leadphone personphone 电话 联系电话 手机 手机号 手机号码 "
        "客户电话 客户手机 telefon",
    ),
    role(
        "email",
        "text",
        "email emailaddress mail contactemail leademail personemail contactemailaddress 邮箱 电子邮箱 "
        "电子邮件 邮件 客户邮箱 联系邮箱",
    ),
    role(
        "expected_close",
        "day",
        _of_deals(
            "expectedclose expectedclosedate expectedclosingdate estimatedclosedate estclosedate "
            "expectedcloseon forecastclosedate plannedclosedate"
        )
        + " 预计成交日期 预计成交时间 预计结单日期 预计签单日期 预计关闭日期 预计成单日期",
    ),
    role(
        "pipeline",
        "text",
        _of_deals("pipeline pipelinename") + " 销售流程 销售管道",
        "recordtype recordtypename",
    ),
)
# Times: the better names first; which of them it is depends on how the values vary.
TIMES = {
    "snapshot_on": "snapshotdate snapshoton snapshot snapshotday asofdate asof exportdate exportedat "
    "exportedon reportdate 快照日期 导出日期 stichtag",
    "entered_at": "enteredat entered stageenteredat stageentereddate enteredstageat dateentered "
    "stagechangedate stagechangedat stagechangetime stagechangedon stagedate 阶段变更时间 阶段更新时间 "
    "进入时间 进入阶段时间 editdate lastmodifieddate lastmodified lastmodifiedtime lastmodifiedon "
    "lastmodifiedat modifiedtime modifiedat modifieddate modifiedon modified changedat changedate "
    "changedon changetime timestamp time date 变更时间 修改时间 更新时间 时间 日期 geandertam "
    "datedemodification createddate createdat createdtime createdon createdate created 创建时间 创建日期",
    "created_at": _of_deals(
        "createdat createddate createdate createdtime createdon created datecreated addtime"
    )
    + " dealdealcreated opendate opened openedat engagedate startdate 创建时间 创建日期 erstelltam "
    "erstelldatum datedecreation",
    "won_at": _of_deals("wontime wonat wondate wonon datewon") + " 赢单时间 赢单日期",
    "lost_at": _of_deals("losttime lostat lostdate loston datelost") + " 输单时间 输单日期 丢单时间",
    "closed_at": _of_deals("closedat closeddate closedon actualclosedate dateclosed closetime closedtime")
    + " dealdealclosedon 实际成交日期 结单日期 关闭时间 "
    + _of_deals("closedate closingdate")
    + " enddate 成交日期 abschlussdatum datedecloture",
}
FIELD = frozenset(("field", "fieldevent", "fieldname", "fieldchanged", "字段", "变更字段"))
STAGE_FIELDS = frozenset(("stage", "stagename", "dealstage", "opportunitystage", "阶段", "销售阶段"))
_BEFORE_STAGE = r"(?:date|datum|time)?[\s_]*(?:entered|entry|reached|eingetreten|entr[ée]e?)[\s_]*(?:stage)?"
_STAGE_DATES = (
    # HubSpot: Date entered 'Qualified To Buy' (Sales Pipeline)
    re.compile(
        rf"^{_BEFORE_STAGE}[\s_:]*[\"'“‘]?(?P<stage>.+?)[\"'”’]?(?:\s*\((?P<pipeline>[^()]+)\))?$", re.I
    ),
    re.compile(
        r"^(?P<stage>.+?)[\s_-]+(?:stage[\s_-]+)?(?:entry[\s_-]+date|entered[\s_-]+(?:at|on|date)|entered|"
        r"start[\s_-]+date|reached[\s_-]+(?:at|on))(?:__c)?$",
        re.I,
    ),
    re.compile(r"^进入[“\"'「]?(?P<stage>.+?)[”\"'」]?(?:阶段)?的?(?:时间|日期)$"),
    re.compile(r"^(?P<stage>.+?)阶段?(?:进入)?(?:时间|日期)$"),
)
_OTHER_DATES = re.compile(
    r"exited|left|time in|duration|creat|modif|clos|last|next|due|expect|变更|创建|修改|更新|预计|最后|下次|"
    r"离开|赢单|输单|成交|结单",
    re.I,
)


def stage_in(name: str) -> tuple[str, str | None] | None:
    """Stage, and pipeline where it is named, of a column with the dates on which a stage was entered."""
    text = unicodedata.normalize("NFC", name).strip()
    for pattern in _STAGE_DATES:
        match = pattern.match(text)
        if not match:
            continue
        stage = match["stage"].strip(" _")
        # "Close date" is no stage, "Date entered 'Closed Won'" is one.
        if (
            pattern is not _STAGE_DATES[0]
            and _OTHER_DATES.search(stage)
            and not re.search(r"won|lost", stage, re.I)
        ):
            return None
        return (stage, match.groupdict().get("pipeline")) if stage else None
    return None


def names_of(time: str, without: frozenset[str] = frozenset()) -> list[str]:
    """Usual names of a time, the better ones first."""
    return [name for name in TIMES[time].split() if name not in without]


def role_of(time: str) -> Role:
    """Role of a time, for notes and lines."""
    return Role(
        time, "day" if time == "snapshot_on" else "time", (("usual name", tuple(TIMES[time].split())),)
    )
