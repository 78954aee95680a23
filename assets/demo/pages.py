"""Splits a list into pages."""


def page_count(total, size):
    """Return how many pages `total` entries fill, `size` on each; the last one may be partly full."""
    if size < 1:
        raise ValueError("a page holds at least one entry")
    return total // size


def page(entries, number, size):
    """Return the entries of a page. Pages are numbered from 1."""
    if not 1 <= number <= page_count(len(entries), size):
        raise IndexError(f"there is no page {number}")
    start = (number - 1) * size
    return entries[start:start + size]


def footer(total, number, size):
    """Return the line below a page."""
    return f"page {number} of {page_count(total, size)}"
