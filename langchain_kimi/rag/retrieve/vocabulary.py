"""Words a filing uses where a question uses the analyst's term."""

from __future__ import annotations

import re

from langchain_kimi.rag.text import tokens

_TERMS = {
    r"ebitda": "operating income depreciation amortization",
    r"ebit": "operating income",
    r"liabilities": "balance sheet",
    r"(?:total |long-term )?debt": "long-term debt borrowings current portion balance sheet",
    r"equity": "balance sheet stockholders shareholders equity",
    r"assets": "balance sheet",
    r"working capital|(?:current|quick) ratio": "current assets liabilities balance sheet",
    r"operating cash flow": "net cash provided by operating activities cash flows",
    r"free cash flow": "net cash provided by operating activities purchases of property",
    r"capex|capital expenditures?": "purchases additions of property plant and equipment",
    r"revenues?|turnover": "net sales income statement",
    r"gross (?:profit|margin)|cogs": "cost of goods sold sales income statement",
    r"eps": "net income per share diluted",
    r"inventory turnover": "inventories cost of goods sold balance sheet",
    r"interest coverage": "interest expense operating income",
    r"effective tax rate": "provision for income taxes income before",
    r"fy": "fiscal year",
}
_PATTERNS = [
    (re.compile(rf"\b(?:{term})(?:\b|(?=\d))", re.IGNORECASE), tokens(words))
    for term, words in _TERMS.items()
]


def expansions(question: str) -> list[str]:
    """Return tokens that pages with the answer are likely to carry."""
    found = [token for pattern, words in _PATTERNS if pattern.search(question) for token in words]
    return list(dict.fromkeys(found))
