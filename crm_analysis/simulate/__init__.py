"""Firms with known truth: pipelines, purchases, campaigns and costs, drawn from one world.

`firm("A", seed=1)` draws a firm, `write_firm` writes its files, `write_sample` writes the sample data of
both firms. Modules: plan (what is planted); pipeline, purchases, actions, service (what happens); world (all
of it, drawn once); firms (what a firm would export), truth (what it could not), files.
"""

from crm_analysis.simulate.files import FILES, TRUTH_FILES, write_firm, write_sample
from crm_analysis.simulate.firms import Firm, firm
from crm_analysis.simulate.plan import VARIANTS
from crm_analysis.simulate.truth import Truth

__all__ = ["FILES", "TRUTH_FILES", "VARIANTS", "Firm", "Truth", "firm", "write_firm", "write_sample"]
