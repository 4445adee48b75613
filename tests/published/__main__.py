"""Write docs/published-numbers.md."""

from published.page import PAGE, written

PAGE.write_text(written())
