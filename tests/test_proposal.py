"""What is proposed for the exports of usual systems: their headers, with values of our own."""

import csv
from pathlib import Path

import pytest

from crm_analysis.doors.proposal import propose_file

DAYS = ["2024-01-05", "2024-01-14", "2024-02-20", "2024-03-02", "2024-03-29", "2024-04-11"]
TIMES = [f"{day} 10:21:1{i}" for i, day in enumerate(DAYS)]
LATER = [f"{day} 18:05:00" for day in DAYS]
BUYERS = ["K7", "K9", "K7", "K12", "K9", "K7"]
NAMES = ["An Li", "Bo Ek", "An Li", "Cy Om", "Bo Ek", "An Li"]
MAILS = ["a@x.org", "b@x.org", "a@x.org", "c@x.org", "b@x.org", "a@x.org"]
ORDERS = ["10001", "10002", "10003", "10004", "10005", "10006"]
MONEY = ["12.50", "7.05", "1030.00", "88.10", "5.25", "61.75"]
MORE = ["14.50", "9.05", "1038.00", "90.10", "7.25", "63.75"]
PIECES = ["1", "2", "1", "4", "1", "3"]
THINGS = ["S-1", "S-2", "S-1", "S-3", "S-2", "S-4"]
PAID = ["paid"] * 6
EUR = ["EUR"] * 6
EMPTY = [""] * 6
FEES = ["0.30", "0.21", "3.10", "0.88", "0.16", "0.62"]

SYSTEMS = {
    "shopify": (
        {
            "Name": [f"#{o}" for o in ORDERS], "Email": MAILS, "Financial Status": PAID,
            "Paid at": [f"{t} +0800" for t in LATER], "Fulfilled at": EMPTY, "Currency": EUR,
            "Subtotal": MONEY, "Shipping": FEES, "Taxes": FEES, "Total": MORE, "Discount Amount": FEES,
            "Created at": [f"{t} +0800" for t in TIMES], "Lineitem quantity": PIECES,
            "Lineitem name": NAMES, "Lineitem price": MONEY, "Lineitem sku": THINGS, "Billing Name": NAMES,
            "Cancelled at": EMPTY, "Id": ORDERS, "Source": ["web"] * 6,
        },
        {
            "customer_id": "Email", "occurred_at": "Created at", "order_id": "Name", "currency": "Currency",
            "product_id": "Lineitem sku", "quantity": "Lineitem quantity", "unit_price": "Lineitem price",
            "discount": "Discount Amount", "channel": "Source",
        },
        {"amount": ["Subtotal", "Total"]},
    ),
    "woocommerce": (
        {
            "Order Number": ORDERS, "Order Status": PAID, "Order Date": TIMES, "Email (Billing)": MAILS,
            "Cart Discount Amount": FEES, "Order Subtotal Amount": MONEY, "Order Shipping Amount": FEES,
            "Order Refund Amount": ["0.00"] * 6, "Order Total Amount": MORE, "SKU": THINGS,
            "Item Name": NAMES, "Quantity (- Refund)": PIECES, "Item Cost": MONEY,
        },
        {
            "customer_id": "Email (Billing)", "occurred_at": "Order Date", "order_id": "Order Number",
            "product_id": "SKU", "quantity": "Quantity (- Refund)", "unit_price": "Item Cost",
            "discount": "Cart Discount Amount",
        },
        {"amount": ["Order Subtotal Amount", "Order Total Amount"]},
    ),
    "magento": (
        {
            "ID": ORDERS, "Purchase Point": ["Main"] * 6, "Purchase Date": TIMES, "Bill-to Name": NAMES,
            "Ship-to Name": NAMES, "Grand Total (Base)": MONEY, "Grand Total (Purchased)": MORE,
            "Status": PAID, "Customer Email": MAILS, "Total Refunded": ["0.00"] * 6,
        },
        {
            "customer_id": "Customer Email", "occurred_at": "Purchase Date", "order_id": "ID",
            "channel": "Purchase Point",
        },
        {"amount": ["Grand Total (Base)", "Grand Total (Purchased)"]},
    ),
    "amazon": (
        {
            "amazon-order-id": [f"171-{o}-99" for o in ORDERS], "merchant-order-id": ORDERS,
            "purchase-date": [f"{t.replace(' ', 'T')}+00:00" for t in TIMES],
            "last-updated-date": [f"{t.replace(' ', 'T')}+00:00" for t in LATER],
            "order-status": PAID, "sales-channel": ["web"] * 6, "sku": THINGS, "quantity": PIECES,
            "currency": EUR, "item-price": MONEY, "item-tax": FEES, "buyer-email": MAILS,
        },
        {
            "customer_id": "buyer-email", "occurred_at": "purchase-date", "order_id": "amazon-order-id",
            "amount": "item-price", "product_id": "sku", "quantity": "quantity", "currency": "currency",
            "channel": "sales-channel",
        },
        {},
    ),
    "stripe": (
        {
            "id": [f"ch_{o}" for o in ORDERS], "Description": NAMES, "Created (UTC)": TIMES,
            "Amount": MONEY, "Amount Refunded": ["0.00"] * 6, "Currency": EUR, "Fee": FEES, "Status": PAID,
            "Customer ID": [f"cus_{b}" for b in BUYERS], "Customer Email": MAILS,
        },
        {
            "customer_id": "Customer ID", "occurred_at": "Created (UTC)", "amount": "Amount",
            "order_id": "id", "currency": "Currency",
        },
        {},
    ),
    "paypal": (
        {
            "Date": ["01/05/2024", "01/14/2024", "02/20/2024", "03/02/2024", "03/29/2024", "04/11/2024"],
            "Time": ["10:21:14"] * 6, "TimeZone": ["CET"] * 6, "Name": NAMES, "Type": PAID, "Status": PAID,
            "Currency": EUR, "Gross": MORE, "Fee": FEES, "Net": MONEY, "From Email Address": MAILS,
            "To Email Address": ["me@x.org"] * 6, "Transaction ID": ORDERS, "Quantity": PIECES,
        },
        {
            "customer_id": "From Email Address", "occurred_at": "Date", "order_id": "Transaction ID",
            "currency": "Currency", "quantity": "Quantity",
        },
        {"amount": ["Gross", "Net"]},
    ),
    "square": (
        {
            "Date": DAYS, "Time": ["10:21:14"] * 6, "Time Zone": ["Local"] * 6, "Gross Sales": MORE,
            "Discounts": FEES, "Net Sales": MONEY, "Tax": FEES, "Total Collected": MORE,
            "Transaction ID": ORDERS, "Customer ID": BUYERS, "Customer Name": NAMES,
        },
        {
            "customer_id": "Customer ID", "occurred_at": "Date", "order_id": "Transaction ID",
            "discount": "Discounts",
        },
        {"amount": ["Gross Sales", "Net Sales", "Total Collected"]},
    ),
    "sap": (
        {
            "VBELN": ORDERS, "ERDAT": [d.replace("-", "") for d in DAYS], "KUNNR": [f"00{b}" for b in BUYERS],
            "NETWR": MONEY, "WAERK": EUR, "MATNR": THINGS, "KWMENG": PIECES, "AEDAT": ["20241231"] * 6,
        },
        {
            "customer_id": "KUNNR", "occurred_at": "ERDAT", "amount": "NETWR", "order_id": "VBELN",
            "product_id": "MATNR", "quantity": "KWMENG", "currency": "WAERK",
        },
        {},
    ),
    "salesforce orders": (
        {
            "OrderNumber": ORDERS, "AccountId": BUYERS, "Account Name": NAMES, "EffectiveDate": DAYS,
            "LastModifiedDate": LATER, "TotalAmount": MONEY, "Status": PAID,
        },
        {
            "customer_id": "AccountId", "occurred_at": "EffectiveDate", "amount": "TotalAmount",
            "order_id": "OrderNumber",
        },
        {},
    ),
    "zoho": (
        {
            "Invoice Date": DAYS, "Due Date": DAYS, "Invoice Number": ORDERS, "Customer ID": BUYERS,
            "Customer Name": NAMES, "SubTotal": MONEY, "Total": MORE, "Item Name": THINGS,
            "Quantity": PIECES, "Currency Code": EUR, "Last Modified Time": LATER,
        },
        {
            "customer_id": "Customer ID", "occurred_at": "Invoice Date", "order_id": "Invoice Number",
            "product_id": "Item Name", "quantity": "Quantity", "currency": "Currency Code",
        },
        {"amount": ["SubTotal", "Total"]},
    ),
    "odoo": (
        {
            "name": [f"S0{o}" for o in ORDERS], "date_order": TIMES, "partner_id": BUYERS,
            "amount_untaxed": MONEY, "amount_total": MORE, "state": ["sale"] * 6, "write_date": LATER,
        },
        {"customer_id": "partner_id", "occurred_at": "date_order", "order_id": "name"},
        {"amount": ["amount_untaxed", "amount_total"]},
    ),
    "taobao": (
        {
            "订单编号": ORDERS, "买家会员名": NAMES, "买家应付货款": MORE, "买家应付邮费": FEES,
            "总金额": MORE, "买家实际支付金额": MONEY, "订单状态": ["交易成功"] * 6, "收货人姓名": NAMES,
            "订单创建时间": TIMES, "订单付款时间": LATER, "宝贝标题": THINGS, "宝贝总数量": PIECES,
        },
        {
            "customer_id": "买家会员名", "occurred_at": "订单创建时间", "amount": "买家实际支付金额",
            "order_id": "订单编号", "product_id": "宝贝标题", "quantity": "宝贝总数量",
        },
        {},
    ),
    "jd": (
        {
            "订单号": ORDERS, "商品ID": THINGS, "商品名称": NAMES, "订购数量": PIECES, "下单时间": TIMES,
            "京东价": MONEY, "订单金额": MORE, "结算金额": MONEY, "订单状态": ["完成"] * 6,
            "下单帐号": BUYERS,
        },
        {
            "customer_id": "下单帐号", "occurred_at": "下单时间", "order_id": "订单号",
            "product_id": "商品ID", "quantity": "订购数量", "unit_price": "京东价",
        },
        {"amount": ["订单金额", "结算金额"]},
    ),
    "youzan": (
        {
            "订单号": ORDERS, "会员号": BUYERS, "收货人手机号": MAILS, "下单时间": TIMES, "付款时间": LATER,
            "实付金额（元）": MONEY, "订单来源": ["小程序"] * 6,
        },
        {
            "customer_id": "会员号", "occurred_at": "下单时间", "amount": "实付金额（元）",
            "order_id": "订单号", "channel": "订单来源",
        },
        {},
    ),
    "kingdee": (
        {
            "日期": DAYS, "单据编号": ORDERS, "购货单位代码": BUYERS, "购货单位": NAMES, "产品代码": THINGS,
            "产品名称": NAMES, "数量": PIECES, "单价": MONEY, "金额": MONEY, "价税合计": MORE,
        },
        {
            "customer_id": "购货单位代码", "occurred_at": "日期", "order_id": "单据编号",
            "product_id": "产品代码", "quantity": "数量", "unit_price": "单价",
        },
        {"amount": ["金额", "价税合计"]},
    ),
    "yonyou": (
        {
            "单据日期": DAYS, "单据号": ORDERS, "客户代码": BUYERS, "客户简称": NAMES, "存货编码": THINGS,
            "数量": PIECES, "含税单价": MONEY, "价税合计": MORE,
        },
        {
            "customer_id": "客户代码", "occurred_at": "单据日期", "amount": "价税合计", "order_id": "单据号",
            "product_id": "存货编码", "quantity": "数量", "unit_price": "含税单价",
        },
        {},
    ),
    "bank": (
        {"交易日期": DAYS, "交易流水号": ORDERS, "客户编号": BUYERS, "交易金额": MONEY, "币种": ["CNY"] * 6},
        {
            "customer_id": "客户编号", "occurred_at": "交易日期", "amount": "交易金额",
            "order_id": "交易流水号", "currency": "币种",
        },
        {},
    ),
    "online retail": (
        {
            "InvoiceNo": ORDERS, "StockCode": THINGS, "Description": NAMES, "Quantity": PIECES,
            "InvoiceDate": TIMES, "UnitPrice": MONEY, "CustomerID": BUYERS, "Country": EUR,
        },
        {
            "customer_id": "CustomerID", "occurred_at": "InvoiceDate", "order_id": "InvoiceNo",
            "product_id": "StockCode", "amount": {"quantity": "Quantity", "unit_price": "UnitPrice"},
        },
        {},
    ),
    "superstore": (
        {
            "Row ID": ["1", "2", "3", "4", "5", "6"], "Order ID": ORDERS, "Order Date": DAYS,
            "Ship Date": DAYS, "Customer ID": BUYERS, "Customer Name": NAMES, "Segment": PAID,
            "Postal Code": ORDERS, "Product ID": THINGS, "Category": NAMES, "Sub-Category": NAMES,
            "Sales": MONEY, "Quantity": PIECES, "Discount": ["0.2", "0", "0.15", "0", "0.1", "0"],
            "Profit": FEES,
        },
        {
            "customer_id": "Customer ID", "occurred_at": "Order Date", "amount": "Sales",
            "order_id": "Order ID", "product_id": "Product ID", "category": "Category",
            "quantity": "Quantity",
        },
        {},
    ),
    "olist": (
        {
            "order_id": ORDERS, "customer_id": BUYERS, "order_status": PAID, "price": MONEY,
            "order_purchase_timestamp": TIMES, "order_delivered_customer_date": LATER,
            "payment_value": MORE, "freight_value": FEES,
        },
        {
            "customer_id": "customer_id", "occurred_at": "order_purchase_timestamp",
            "amount": "payment_value", "order_id": "order_id", "unit_price": "price",
        },
        {},
    ),
    "german": (
        {
            "Kundennummer": BUYERS, "Kundenname": NAMES, "Bestelldatum": [
                "05.01.2024", "14.01.2024", "20.02.2024", "02.03.2024", "29.03.2024", "11.04.2024"
            ], "Rechnungsnummer": ORDERS, "Betrag (EUR)": [m.replace(".", ",") for m in MONEY],
            "Artikelnummer": THINGS, "Menge": PIECES, "Währung": EUR,
        },
        {
            "customer_id": "Kundennummer", "occurred_at": "Bestelldatum", "amount": "Betrag (EUR)",
            "order_id": "Rechnungsnummer", "product_id": "Artikelnummer", "quantity": "Menge",
            "currency": "Währung",
        },
        {},
    ),
    "french": (
        {
            "Numéro client": BUYERS, "Nom client": NAMES, "Date de commande": DAYS,
            "N° commande": ORDERS, "Montant TTC": MONEY, "Quantité": PIECES,
        },
        {
            "customer_id": "Numéro client", "occurred_at": "Date de commande", "amount": "Montant TTC",
            "order_id": "N° commande", "quantity": "Quantité",
        },
        {},
    ),
}  # fmt: skip


def written(folder: Path, columns, name="export.csv", delimiter=","):
    """A file of these columns."""
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter=delimiter)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))
    return str(path)


def mapped(part):
    """Column per role that is in the proposal without a question."""
    return {name: choice.chosen.column for name, choice in part.choices.items() if choice.chosen}


def asked(part):
    """Columns among which somebody has to choose, per role."""
    return {
        name: [other.column for other in choice.others]
        for name, choice in part.choices.items()
        if not choice.chosen and choice.others
    }


@pytest.mark.parametrize("system", SYSTEMS)
def test_usual_exports_are_proposed_exactly(tmp_path, system):
    columns, expected, questions = SYSTEMS[system]
    part = propose_file(written(tmp_path, columns, delimiter=";" if system == "german" else ",")).part
    pieces = expected.get("amount", "")
    if isinstance(pieces, dict):
        expected = {name: column for name, column in expected.items() if name != "amount"} | pieces
    assert part.kind == "transactions"
    assert mapped(part) == expected
    assert asked(part) == questions
