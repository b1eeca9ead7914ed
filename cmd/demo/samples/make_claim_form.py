"""Writes claim-form.pdf: the form of claim CLM-2026-01003 of claims.csv.

    pip install reportlab==5.1.0 && python make_claim_form.py
"""

import csv

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

CLAIM = "CLM-2026-01003"
NAVY = colors.HexColor("#1f3a5f")

body = ParagraphStyle("body", fontName="Helvetica", fontSize=9.5, leading=13)
label = ParagraphStyle("label", parent=body, fontSize=8, textColor=colors.HexColor("#555555"))
section = ParagraphStyle("section", parent=body, fontName="Helvetica-Bold", fontSize=11, textColor=NAVY,
                         spaceBefore=12, spaceAfter=4)
title = ParagraphStyle("title", parent=section, fontSize=18, leading=22, spaceBefore=0)
right = ParagraphStyle("right", parent=body, alignment=2)

with open("claims.csv", encoding="utf-8", newline="") as f:
    claim = next(row for row in csv.DictReader(f) if row["claim_id"] == CLAIM)


def fields(*rows):
    cells = [[part for name, value in row for part in (Paragraph(name, label), Paragraph(value, body))] for row in rows]
    table = Table(cells, colWidths=[34 * mm, 53 * mm] * 2)
    table.setStyle(TableStyle([("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.lightgrey), ("VALIGN", (0, 0), (-1, -1), "TOP")]))
    return table


items = [
    ("Base units, kitchen (3)", "2019", 870.00),
    ("Laminate floor, 9 m²", "2021", 412.50),
    ("Drying and dehumidifier, 4 days", "", 250.14),
]
total = sum(amount for *_, amount in items)
assert f"{total:.2f}" == claim["claimed_amount_eur"]

item_rows = [[Paragraph(f"<b>{h}</b>", s) for h, s in (("Item", body), ("Bought", body), ("Amount, EUR", right))]]
item_rows += [[Paragraph(n, body), Paragraph(y, body), Paragraph(f"{a:,.2f}", right)] for n, y, a in items]
item_rows += [[Paragraph("<b>Total claimed</b>", body), "", Paragraph(f"<b>{total:,.2f}</b>", right)]]
item_table = Table(item_rows, colWidths=[104 * mm, 30 * mm, 40 * mm])
item_table.setStyle(TableStyle([
    ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#e8edf3")),
    ("LINEBELOW", (0, 0), (-1, -2), 0.4, colors.lightgrey),
    ("LINEABOVE", (0, -1), (-1, -1), 0.8, NAVY),
]))

story = [
    Paragraph("Household claim form", title),
    Paragraph("Meridian Row Mutual (a made-up insurer) · Claims department · form HH-7", label),
    Paragraph("1. Policy", section),
    fields(
        [("Claim number", claim["claim_id"]), ("Policy number", claim["policy_number"])],
        [("Policyholder", claim["policyholder"]), ("Place", claim["city"])],
        [("Cover", "Household contents, new for old"), ("Deductible, EUR", claim["deductible_eur"])],
    ),
    Paragraph("2. What happened", section),
    fields(
        [("Cause", claim["cause"]), ("Photos enclosed", claim["photos"])],
        [("Date of loss", claim["loss_date"]), ("Reported on", claim["reported_date"])],
    ),
    Spacer(1, 6),
    Paragraph(
        claim["description"] + ". The leak was found in the morning at about 06:40. The water was turned off at once, a plumber "
        "replaced the pipe the same day and left the broken section for inspection. The flat below was not affected.", body),
    Paragraph("3. What was damaged", section),
    item_table,
    Paragraph("4. Payment", section),
    fields([("Pay to", "Account on file, ending 0417"), ("Paid in advance, EUR", "0.00")]),
    Paragraph("5. Declaration", section),
    Paragraph("I have answered every question to the best of my knowledge and have not claimed for this loss elsewhere.", body),
    Spacer(1, 16),
    fields([("Date", claim["reported_date"]), ("Signed", f"<i>{claim['policyholder']}</i>")]),
]

SimpleDocTemplate("claim-form.pdf", pagesize=A4, title=f"Household claim form {CLAIM}", author="Meridian Row Mutual (made up)",
                  leftMargin=18 * mm, rightMargin=18 * mm, topMargin=18 * mm, bottomMargin=16 * mm, invariant=1).build(story)
