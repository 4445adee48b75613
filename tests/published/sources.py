"""Where the numbers were printed: full citations, by what a row's source contains."""

# ruff: noqa: E501

from __future__ import annotations

JMR, JIM = "Journal of Marketing Research", "Journal of Interactive Marketing"

CITATIONS = {
    "Ang (2004, 2005)": "Ang, B. W. (2004). Decomposition analysis for policymaking in energy. Energy Policy 32(9), "
    "1131-1139; (2005) The LMDI approach: a practical guide. Energy Policy 33(7), 867-871.",
    "Benjamini & Hochberg": "Benjamini, Y. & Hochberg, Y. (1995). Controlling the false discovery rate. Journal of "
    "the Royal Statistical Society B 57(1), 289-300.",
    "Bickel": "Bickel, P. J., Hammel, E. A. & O'Connell, J. W. (1975). Sex bias in graduate admissions: data from "
    "Berkeley. Science 187, 398-404.",
    "Charig": "Charig, C. R., Webb, D. R., Payne, S. R. & Wickham, J. E. (1986). Comparison of treatment of renal "
    "calculi. British Medical Journal 292, 879-882.",
    "Das Gupta (1993)": "Das Gupta, P. (1993). Standardization and Decomposition of Rates: A User's Manual. U.S. "
    "Bureau of the Census, P23-186. Its table 5.1 follows Kitagawa (1955), JASA 50, 1168-1194.",
    "LMDIR": "Heun, M. K. LMDIR: logarithmic mean divisia index decomposition analysis (R package), its tests.",
    "Statistics in Medicine 17:857": "Newcombe, R. G. (1998). Two-sided confidence intervals for the single "
    "proportion: comparison of seven methods. Statistics in Medicine 17(8), 857-872.",
    "Statistics in Medicine 17:873": "Newcombe, R. G. (1998). Interval estimation for the difference between "
    "independent proportions: comparison of eleven methods. Statistics in Medicine 17(8), 873-890.",
    "Abe (2009)": "Abe, M. (2009). “Counting your customers” one by one: a hierarchical Bayes extension to "
    "the Pareto/NBD model. Marketing Science 28(3), 541-553.",
    "R 4.2.2, survival": "Therneau, T. survival: survival analysis (R package, version 3.5-3), run in R 4.2.2 on ten "
    "opportunities written out in the rows.",
    "BTYDplus": "Platzer, M. BTYDplus: probabilistic models for assessing and predicting your customer base "
    "(R package), its tests and vignette.",
    "BTYD vignette": "Dziurzynski, L., Wadsworth, E., Fader, P., McCarthy, D. et al. Buy 'til you die: a "
    "walkthrough (vignette of the R package BTYD).",
    "Bass (1969)": "Bass, F. M. (1969). A new product growth model for consumer durables. Management Science "
    "15(5), 215-227.",
    "Batislam": "Batislam, E. P., Denizel, M. & Filiztekin, A. (2007). Empirical validation and comparison of "
    "models for customer base analysis. International Journal of Research in Marketing 24(3), 201-209.",
    "Berger & Nasr": "Berger, P. D. & Nasr, N. I. (1998). Customer lifetime value: marketing models and "
    f"applications. {JIM} 12(1), 17-30.",
    "Blattberg & Deighton": "Blattberg, R. C. & Deighton, J. (1996). Manage marketing by the customer equity "
    "test. Harvard Business Review 74(4), 136-144.",
    "CDNOW data": "Fader, P. S. & Hardie, B. G. S. CDNOW data, as distributed with the papers and with lifetimes: "
    "rows, duplicates and moments counted from the files.",
    "CLVTools": "Bachmann, P., Kuebler, N., Meierer, M., Näf, J., Oblander, E. S. & Schilter, P. CLVTools: "
    "tools for customer lifetime value estimation (R package), its tests.",
    "Fader & Hardie (2007)": "Fader, P. S. & Hardie, B. G. S. (2007). How to project customer retention. "
    f"{JIM} 21(1), 76-90.",
    "Fader & Hardie (2012)": "Fader, P. S. & Hardie, B. G. S. (2012). Reconciling and clarifying CLV formulas. "
    "brucehardie.com/notes/024.",
    "Fader & Hardie (2013)": "Fader, P. S. & Hardie, B. G. S. (2013). The gamma-gamma model of monetary value. "
    "brucehardie.com/notes/025.",
    "Fader, Hardie & Lee (2005), Marketing Science": "Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "
    "“Counting your customers” the easy way: an alternative to the Pareto/NBD model. Marketing Science 24(2), "
    "275-284.",
    "Fader, Hardie & Lee (2005), JMR": "Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). RFM and CLV: using "
    f"iso-value curves for customer base analysis. {JMR} 42(4), 415-430.",
    "Fader, Hardie & Shang": "Fader, P. S., Hardie, B. G. S. & Shang, J. (2010). Customer-base analysis in a "
    "discrete-time noncontractual setting. Marketing Science 29(6), 1086-1108.",
    "Fader, Hardie, Liu": "Fader, P. S., Hardie, B. G. S., Liu, Y., Davin, J. & Steenburgh, T. (2018). “How to "
    f"project customer retention” revisited: the role of duration dependence. {JIM} 43, 1-16.",
    "Gupta & Lehmann": f"Gupta, S. & Lehmann, D. R. (2003). Customers as assets. {JIM} 17(1), 9-24.",
    "Gupta, Lehmann & Stuart": "Gupta, S., Lehmann, D. R. & Stuart, J. A. (2004). Valuing customers. "
    f"{JMR} 41(1), 7-18.",
    "Kemeny & Snell": "Kemeny, J. G. & Snell, J. L. (1960). Finite Markov Chains. Van Nostrand, chapter III.",
    "Kumar & Reinartz": "Kumar, V. & Reinartz, W. Customer Relationship Management: Concept, Strategy, and "
    "Tools. Springer.",
    "Pfeifer & Carraway": "Pfeifer, P. E. & Carraway, R. L. (2000). Modeling customer relationships as Markov "
    f"chains. {JIM} 14(2), 43-55.",
    "Schmittlein": "Schmittlein, D. C., Morrison, D. G. & Colombo, R. (1987). Counting your customers: who are "
    "they and what will they do next? Management Science 33(1), 1-24.",
    "Sherden": "Sherden, W. A. (1994). Market Ownership: The Art and Science of Becoming #1. Amacom.",
    "Wübben": "Wübben, M. & von Wangenheim, F. (2008). Instant customer base analysis: managerial heuristics "
    "often “get it right”. Journal of Marketing 72(3), 82-93.",
    "clvkit": "nasserboan. clvkit: customer lifetime value and retention in Python, version 0.2.1, its tests and "
    "README. github.com/nasserboan/clvkit.",
    "Fader & Hardie (2004)": "Fader, P. S. & Hardie, B. G. S. (2004). Implementing the BG/NBD model for customer "
    "base analysis in Excel. brucehardie.com/notes/004.",
    "lifetimes": "Davidson-Pilon, C. lifetimes: measure customer lifetime value in Python, version 0.11.3, its "
    "tests.",
    "phpOMS": "phpOMS (Karaka), library for PHP: tests of its marketing metrics. github.com/Karaka-Management/phpOMS.",
}


def citation(source: str) -> str:
    """Return the citation of the longest name that the source contains; empty where none is known."""
    known = [name for name in CITATIONS if name in source]
    return CITATIONS[max(known, key=len)] if known else ""
