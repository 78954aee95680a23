import unittest

from pages import footer, page, page_count


class Pages(unittest.TestCase):
    def test_full_pages_are_counted(self):
        self.assertEqual(page_count(20, 10), 2)

    def test_a_page_that_is_partly_full_counts(self):
        self.assertEqual(page_count(21, 10), 3)

    def test_no_entries_fill_no_page(self):
        self.assertEqual(page_count(0, 10), 0)

    def test_the_last_page_holds_the_rest(self):
        self.assertEqual(page([1, 2, 3, 4, 5], 3, 2), [5])

    def test_the_footer_names_the_last_page(self):
        self.assertEqual(footer(21, 3, 10), "page 3 of 3")


if __name__ == "__main__":
    unittest.main()
