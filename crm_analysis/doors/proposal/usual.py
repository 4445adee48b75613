"""The usual names of columns in the exports of shops, tills, CRMs and ledgers, by what they hold.

A name counts whole, never by a part of it: "Update date" is no name of an order's date. The names of a role
stand in tiers, the better ones first; two columns of one tier are a question, not an answer.
"""

from __future__ import annotations

import re

from crm_analysis.doors.proposal.names import Role, each, role, words_of

ID = "id no nr num number code key ref nummer numero"
WHEN = "date datetime time timestamp at day on dt"
SOLD = "order invoice purchase transaction trans txn sale sales document doc bill receipt ticket booking"


CUSTOMER = Role(
    "customer_id",
    "id",
    (
        (
            "an id of customers",
            (
                *each(
                    "customer cust client member membership user buyer account acct household "
                    "shopper consumer contact partner party loyalty kunden kunde cliente klient",
                    ID,
                ),
                *each("id no n numero code", "client cliente customer"),
                *words_of(
                    "kunnr kunag soldto soldtoparty 会员号 会员编号 会员id 会员卡号 会员编码 "
                    "客户编号 客户代码 客户id 客户编码 客户号 用户id 用户编号 用户编码 买家id "
                    "顾客编号 顾客id 往来单位编码 购货单位代码"
                ),
            ),
        ),
        (
            "a customer",
            words_of(
                "customer cust client buyer member user account household cid buyerusername "
                "username kunde klient cliente 客户 会员 买家 会员名 买家会员名 买家昵称 "
                "会员账号 用户名 账户 下单帐号 下单账号"
            ),
        ),
        (
            "an e-mail address or a telephone: personal data",
            (
                *words_of(
                    "email emailaddress fromemailaddress phone phonenumber mobile 邮箱 手机号 "
                    "手机号码 会员手机号 买家手机号 收货人手机 收货人手机号 联系电话 联系手机"
                ),
                *each("customer client buyer billing contact", "email emailaddress phone"),
                *each("email phone", "billing"),
            ),
        ),
        (
            "a name: two people may share one",
            (
                *words_of(
                    "name fullname billtoname 姓名 客户名称 客户姓名 会员姓名 收货人 收货人姓名 "
                    "购货单位 往来单位 客户简称 kundenname nomclient nombrecliente"
                ),
                *each("customer client buyer billing account company", "name fullname"),
            ),
        ),
    ),
    required=True,
)
OCCURRED = Role(
    "occurred_at",
    "time",
    (
        (
            "the time of a sale",
            (
                *each(SOLD, WHEN),
                *each("date datetime", SOLD),
                *words_of(
                    "occurredat orderedat orderedon purchasedat purchasedon solddate datesold "
                    "saledatetime transactiontimestamp orderpurchasetimestamp orderplaced audat "
                    "fkdat bldat bestelldatum rechnungsdatum auftragsdatum belegdatum datecommande "
                    "datedecommande datefacture dateachat fechapedido fechafactura fechacompra "
                    "fechaventa fechadepedido 下单时间 下单日期 订单日期 订单时间 订单创建时间 "
                    "订单下单时间 单据日期 销售日期 销售时间 交易时间 交易日期 成交时间 成交日期 "
                    "开票日期 发票日期 消费时间 消费日期 购买时间 购买日期"
                ),
            ),
        ),
        (
            "the time of an entry",
            words_of(
                "createdat created createddate createdon createdtime creationdate datecreated "
                "erdat budat postingdate effectivedate date datetime timestamp time day when "
                "datum fecha 创建时间 创建日期 日期 时间"
            ),
        ),
        (
            "the time of a payment",
            (
                *each("paid payment", WHEN),
                *words_of("datepaid 订单付款时间 付款时间 付款日期 支付时间 支付日期"),
            ),
        ),
    ),
    required=True,
)
AMOUNT = Role(
    "amount",
    "money",
    (
        (
            "money paid",
            words_of(
                "amountpaid totalpaid paidamount 实付金额 实付款 买家实际支付金额 实际支付金额 "
                "买家实付金额 订单实付金额 实收金额 实付总额"
            ),
        ),
        (
            "money",
            (
                *each(
                    "total order invoice transaction purchase sales sale net gross line item "
                    "extended payment grand base",
                    "amount amt total price value revenue sales",
                ),
                *words_of(
                    "amount total subtotal totalsales revenue sales spend turnover value monetary "
                    "gross net netwr netsales nettotal amounttotal amountuntaxed totalspent "
                    "totalcollected ordertotalamount ordersubtotal ordersubtotalamount "
                    "grandtotalbase grandtotalpurchased umsatz betrag gesamtbetrag nettobetrag "
                    "bruttobetrag nettowert summe gesamtsumme montant montanttotal montantttc "
                    "montantht importe importetotal 金额 总金额 销售额 销售金额 订单金额 订单总额 "
                    "订单总金额 交易金额 成交金额 消费金额 支付金额 应付金额 结算金额 买家应付货款 "
                    "价税合计 合计金额 总价 订单总价"
                ),
            ),
        ),
    ),
    required=True,
)
# "Item price", "net price" and "sale price" may be of one piece or of a line.
OF_A_PIECE = {"itemprice", "saleprice", "salesprice", "lineprice", "netprice", "grossprice", "baseprice"}
ORDER = Role(
    "order_id",
    "id",
    (
        (
            "an id of orders",
            (
                *each(f"{SOLD} salesorder basket checkout charge payment bon", ID),
                *each("numero no num n id", "commande facture pedido factura order"),
                *words_of(
                    "orderreference ordername incrementid vbeln aufnr bestellnr bestellnummer "
                    "rechnungsnummer rechnungsnr belegnummer belegnr auftragsnummer numerodepedido "
                    "订单号 订单编号 订单id 主订单编号 单据编号 单据号 单号 交易单号 交易号 小票号 "
                    "发票号 发票号码 流水号 交易流水号 销售单号"
                ),
            ),
        ),
        ("an order", words_of("order invoice receipt ticket transaction bill basket reference 订单")),
        ("an id", ("id",)),
    ),
)
TRANSACTIONS = (
    CUSTOMER,
    OCCURRED,
    Role(
        "amount",
        "money",
        tuple((what, tuple(n for n in names if n not in OF_A_PIECE)) for what, names in AMOUNT.tiers),
        required=True,
    ),
    ORDER,
    Role(
        "product_id",
        "id",
        (
            (
                "an id of products",
                (
                    *each("product item article stock goods variant material artikel", ID),
                    *words_of(
                        "sku itemsku lineitemsku stockcode asin matnr barcode 商品编号 产品编号 "
                        "商品编码 商品id 货号 产品代码 存货编码 物料编码 物料代码 商家编码"
                    ),
                ),
            ),
            (
                "a product",
                words_of(
                    "product item article productname itemname lineitemname 商品 产品 商品名称 "
                    "产品名称 商品标题 宝贝标题 存货名称"
                ),
            ),
        ),
    ),
    role(
        "category",
        "text",
        "category productcategory itemcategory categoryname productgroup department "
        "类别 品类 类目 商品类目 商品分类 产品类别 商品类别 分类 warengruppe categorie "
        "categoria",
    ),
    role(
        "quantity",
        "number",
        "quantity qty units orderqty orderedqty quantityordered quantitypurchased "
        "lineitemquantity itemquantity unitssold kwmeng fkimg menge anzahl quantite "
        "cantidad 数量 购买数量 商品数量 销售数量 订购数量 件数 宝贝总数量",
    ),
    role(
        "unit_price",
        "money",
        "unitprice priceperunit priceeach unitsellingprice lineitemprice itemprice "
        "sellingprice saleprice salesprice einzelpreis stueckpreis stuckpreis prixunitaire "
        "preciounitario 单价 销售单价 商品单价 含税单价 京东价",
        "price 价格 preis prix precio",
    ),
    role("unit_cost", "money", "unitcost costperunit costprice standardcost 单位成本 成本单价 成本价"),
    role(
        "discount",
        "money",
        "discount discounts discountamount discountvalue linediscount lineitemdiscount "
        "totaldiscount cartdiscountamount 折扣 折扣金额 折扣额 优惠金额 rabatt remise "
        "descuento",
    ),
    role(
        "currency",
        "text",
        "currency currencycode ordercurrency transactioncurrency curr waers waerk 币种 "
        "币别 货币 waehrung wahrung devise moneda",
    ),
    role(
        "channel",
        "text",
        "channel saleschannel orderchannel ordersource 渠道 销售渠道 订单来源 来源渠道 kanal canal",
        "source purchasepoint 来源",
    ),
)
CUSTOMERS = (
    CUSTOMER,
    role(
        "acquired_at",
        "day",
        "acquiredat acquisitiondate acquireddate signupdate signedupat registrationdate "
        "registeredat registerdate joindate joinedat membersince customersince "
        "clientsince enrolldate enrollmentdate startdate startdt 注册时间 注册日期 "
        "入会时间 入会日期 开户日期 建档日期",
        "createdat created createddate createdon creationdate datecreated dateadded 创建时间 创建日期",
    ),
    role(
        "source", "text", "source leadsource customersource acquisitionchannel 来源 客户来源", "channel 渠道"
    ),
    role(
        "region",
        "text",
        "region area territory 地区 区域 大区",
        "state province 省份 省",
        "country 国家",
        "city 城市",
    ),
    role(
        "segment",
        "text",
        "segment customersegment 客户类型 客户分类",
        "tier grade level 客户等级 会员等级",
        "industry sector 行业",
    ),
    role(
        "acquired_by",
        "text",
        "acquiredby accountowner owner accountmanager salesrep salesperson 业务员 客户经理 负责人 销售员",
    ),
    role("referred_by", "id", "referredby referrer referrerid referredbyid 推荐人 推荐人编号"),
    role("credit_days", "number", "creditdays netdays paymenttermdays 账期 信用天数"),
)
SPEND = (
    role("month", "day", "month yearmonth 月份 月", "date day period 日期", required=True),
    role(
        "spend",
        "money",
        "spend spent amountspent adspend marketingspend marketingcost adcost 花费 消耗 "
        "投放金额 推广费 推广花费 营销费用",
        "cost costs 费用",
        required=True,
    ),
    role("source", "text", "source utmsource 来源", "channel 渠道 medium", "platform 平台"),
)
# Names that mean something else than usual in the export of one system, known by columns only it has.
SYSTEMS = {
    "Shopify": (("lineitemquantity", "financialstatus"), {"order_id": "name"}),
    "WooCommerce": (
        ("ordertotalamount", "itemcost"),
        {"unit_price": "itemcost", "quantity": "quantityrefund"},
    ),
    "Odoo": (("dateorder", "amountuntaxed"), {"order_id": "name"}),
    "Amazon": (("amazonorderid",), {"order_id": "amazonorderid", "amount": "itemprice"}),
}
STATUS = frozenset(
    words_of(
        "status orderstatus financialstatus paymentstatus invoicestatus state 状态 订单状态 交易状态 付款状态"
    )
)
# Dates of something else than the sale, not offered for it whatever they hold.
OTHER_DATES = re.compile(
    r"updat|modif|chang|ship|deliver|due|birth|cancel|refund|return|expir|end|close|fulfil|export|"
    r"更新|修改|发货|到期|生日|出生|退款|取消|收货|完成|结束"
)
