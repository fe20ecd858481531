"""The page's words, in English and French: a frozen dataclass for each page, so that none can be forgotten."""
