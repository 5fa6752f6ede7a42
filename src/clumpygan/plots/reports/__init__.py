"""Pages of reports in HTML, and the pictures on them."""
