"""What a notebook shows and hands over, and how notebooks become the management report."""

from crm_analysis.report.page import Page

__all__ = ["Page"]
