"""What the product promises, in the product's words. Never imports Tornado."""
