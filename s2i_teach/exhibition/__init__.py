"""The class gallery: everybody's pictures with their settings as one page that needs no network, and a blind rating over it."""

from s2i_teach.exhibition.page import class_gallery

__all__ = ["class_gallery"]
