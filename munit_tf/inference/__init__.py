"""Translation of image files of any size, under many styles."""
