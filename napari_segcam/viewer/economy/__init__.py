"""What a step of the slider need not cost: work that napari does for every layer, and ours can do without.

napari has no public way to leave it out. So methods of single objects, our own layers and the fonts of the viewer's
canvas, are replaced here; where a later napari no longer has such a method, nothing is changed.
"""
