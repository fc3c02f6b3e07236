"""What the reports and notes of the mill say."""

from langchain_kimi.research.sample.sheets import Bars, Sheet, Table

REPORT = (
    Sheet(
        "Lower Mill: annual report 2025",
        (
            "# 1. Sales",
            "In 2025 the mill sold 81 tonnes of oats, 4 tonnes more than in 2024.",
            "Rye fell from 52 tonnes to 47 tonnes, as two bakeries closed.",
            "Barley stayed at 33 tonnes.",
            Table(
                (
                    ("Grain, tonnes", "2024", "2025"),
                    ("Oats", "77", "81"),
                    ("Rye", "52", "47"),
                    ("Barley", "33", "33"),
                )
            ),
            Bars("Shares of the year, tonnes", (("Oats", 81), ("Rye", 47), ("Barley", 33))),
        ),
    ),
    Sheet(
        "Lower Mill: annual report 2025",
        (
            "# 2. Staff and visitors",
            "Nine people work at the mill, six of them part-time.",
            "2,140 visitors came to the open days in May and September.",
            "In 2024 it was 1,875.",
            Bars("Guests in three years", (("2023", 1620), ("2024", 1875), ("2025", 2140))),
            "# 3. Outlook",
            "For 2026 the mill plans a second cleaning machine for oats.",
            "A bakery in the next village asks for 6 tonnes of rye.",
        ),
    ),
)
REPAIRS = (
    Sheet(
        "Repairs and maintenance 2025",
        (
            "# Water wheel",
            "The repair of the water wheel in March 2025 cost 18,400 euros.",
            "It took eleven days, and a bearing was changed.",
            Table(
                (
                    ("Part", "Euros"),
                    ("Oak, cut to size", "6,150"),
                    ("Bearing, cast and fitted", "4,900"),
                    ("Work, eleven days", "7,350"),
                    ("Together", "18,400"),
                )
            ),
            "# Roof",
            "It was sealed above the sacks for 3,950 euros.",
            "# Next inspection",
            "The wheel is to be looked at again in October 2026.",
        ),
    ),
)
NOTES = """# Notes on energy

The electric motor ran because the water wheel stood still for its repair in March.
In April the wheel turned again, and the motor was switched off.

## Next steps

A second meter is to tell the cleaning machine from the motor.
"""
