"""When things run. State says what must be true; work only says when to look (DESIGN.md 4.3)."""
