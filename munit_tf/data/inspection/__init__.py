"""What is wrong with images, or worth knowing, before days are spent on them."""
