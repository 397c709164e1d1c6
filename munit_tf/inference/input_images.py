"""Images of any size and shape, as a trained model is given them."""

from munit_tf.data import pipeline
from munit_tf.data.sources import list_images
from munit_tf.errors import InputError


class Inputs:
    """Image files; opens none before it is asked for.

    Args:
        spec: a file, folder, glob or text file of paths, as `sources.list_images` takes it.
        resize: the shorter side after resizing, in pixels; None: images keep their size.

    Attributes:
        paths: list of str, sorted.

    Raises:
        InputError: there is no image.
    """

    def __init__(self, spec, resize):
        self._files = list_images(spec)
        self._resize = resize
        self.paths = self._files.paths

    def __len__(self):
        """The number of images."""
        return len(self.paths)

    def __getitem__(self, index):
        """Image `index` as numpy float32 [H,W,3] in [-1, 1]; raises InputError as `picture` does."""
        return pipeline.to_array(self.picture(index))

    def picture(self, index):
        """Image `index`, a PIL RGB image, resized.

        Raises:
            InputError: it cannot be decoded, or is too long and thin to be resized.
        """
        image = self._files[index]
        if self._resize is None:
            return image
        try:
            return pipeline.resize_shorter(image, self._resize)
        except InputError as error:
            raise InputError(f"{self._files.name(index)}: {error}") from error

    def stems(self):
        """What the results of each image are called; see `sources.ImageFiles.stems`."""
        return self._files.stems()
