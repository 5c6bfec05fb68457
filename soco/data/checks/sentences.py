"""The sentence for every fault that the checks find, by its code.

`soco check-data` and the report print them as `WHAT: COUNT (first three); ACTION.`
"""

from typing import Literal

from soco.data.checks.masks import FARTHEST

Kind = Literal["refused", "repaired", "noted"]

SENTENCES: dict[str, tuple[Kind, str, str]] = {
    # Annotation files
    "file.encoding": (
        "repaired",
        "Annotation files in {encoding}, not plain UTF-8",
        "the copy that is used is plain UTF-8",
    ),
    "file.no_usable_object": (
        "refused",
        "Annotation files without a usable object",
        "annotate some objects",
    ),
    # Categories
    "category.bad_id": (
        "refused",
        "Category ids that are not whole numbers up to 2^53",
        "number the categories",
    ),
    "category.number_as_name": ("repaired", "Category names that are numbers", "read as text"),
    "category.no_name": ("repaired", "Categories without a `name`", "named after their id"),
    "category.untidy_name": (
        "repaired",
        "Category names with surrounding spaces, decomposed letters or lone surrogates",
        "cleaned up",
    ),
    "category.text_id": (
        "repaired",
        "Category ids given as text or with a decimal point",
        "read as whole numbers",
    ),
    "category.duplicate": (
        "repaired",
        "Categories listed twice with the same id and name",
        "listed once",
    ),
    "category.id_of_two_names": (
        "refused",
        "Category ids that two names share",
        "give each category its own id",
    ),
    "category.shared_name": (
        "noted",
        "Names that several categories share",
        "the categories stay separate, and results show the id after the name",
    ),
    "category.id_gap": (
        "noted",
        "Gaps in the category ids, shown by the id before each gap",
        "harmless: the {count} categories become the detector's classes 0 to {last}",
    ),
    "category.unused": ("noted", "Categories without an object", "{consequence}"),
    "category.crowds_only": (
        "noted",
        "Categories whose objects are all crowd regions (`iscrowd` 1)",
        "{consequence}",
    ),
    "category.name_from_other_split": (
        "repaired",
        "Categories without a `name` in one split",
        "named as in the other split",
    ),
    "category.ids_differ": (
        "refused",
        "Category ids with different names in the two splits",
        "use the same ids in both",
    ),
    "category.renumbered": (
        "repaired",
        "Categories with other ids in the validation split",
        "given the ids of the training split",
    ),
    "category.train_only": (
        "repaired",
        "Categories that only the training split lists",
        "added to the validation split",
    ),
    "category.val_only": (
        "repaired",
        "Categories that only the validation split lists, so that none is trained on",
        "added to the training split",
    ),
    "lvis.missing_key": (
        "refused",
        "Entries of `{table}` in the validation split without `{key}`",
        "LVIS evaluation needs it: add it, or set `format: coco` for this set",
    ),
    # Images
    "image.bad_id": (
        "repaired",
        "Image ids that are not whole numbers up to 2^53",
        "all images are renumbered from 1",
    ),
    "image.text_id": (
        "repaired",
        "Image ids given as text or with a decimal point",
        "read as whole numbers",
    ),
    "image.duplicate": ("repaired", "Images listed twice with identical entries", "listed once"),
    "image.id_of_two": (
        "refused",
        "Image ids that two different images share",
        "give each image its own id",
    ),
    "image.renamed": (
        "repaired",
        "Images whose `file_name` has backslashes or accents in another Unicode form than its file",
        "the name of the file is used",
    ),
    "image.missing": ("repaired", "Images that are not in {folder}", "dropped{hint}"),
    "image.outside": (
        "repaired",
        "Images whose `file_name` points outside {folder}, which are not opened",
        "dropped{hint}",
    ),
    "image.bad_name": (
        "repaired",
        "Images whose `file_name` is missing or is not the name of a regular file",
        "dropped: correct the name",
    ),
    "image.two_ids": (
        "refused",
        "Image files listed under more than one id",
        "merge the entries: in evaluation, the objects of one would count as missed in the other",
    ),
    "image.unreadable": ("repaired", "Images that cannot be read", "dropped"),
    "image.other_size": (
        "repaired",
        "Images whose size is not the listed one, so that boxes and masks would not fit",
        "dropped",
    ),
    "image.annotated_unrotated": (
        "repaired",
        "Images with an EXIF rotation whose objects were annotated without it",
        "dropped: remove the EXIF tag, or annotate the upright images",
    ),
    "image.no_size": (
        "repaired",
        "Images without whole numbers as `width` and `height`",
        "taken from the image",
    ),
    "image.rotated": (
        "noted",
        "Images with an EXIF rotation",
        "used upright; boxes and masks must refer to the upright image",
    ),
    "image.too_many_dropped": (
        "refused",
        "Images dropped, of {total}",
        "more than a tenth: correct `images` in `datasets`, or the file",
    ),
    "image.no_object": ("noted", "Images without an object", "{consequence}"),
    "image.in_both_splits": (
        "noted",
        "Validation images, of {total}, that are also in the training split",
        "WARNING: AP on images that were trained on is meaningless; remove them from one split",
    ),
    "subset.left_out": (
        "noted",
        "Training images that are left out, since max_train_images is {count}",
        "the seed chose the {count} images that are used",
    ),
    "subset.too_few": (
        "refused",
        "Fewer training images with an object than max_train_images, which is {count}",
        "lower it, or set it to null to use all",
    ),
    # Objects
    "object.unknown_image": (
        "repaired",
        "Objects on images that `images` does not list",
        "dropped",
    ),
    "object.unknown_category": (
        "repaired",
        "Objects of categories that `categories` does not list",
        "dropped",
    ),
    "object.text_ids": (
        "repaired",
        "Objects whose image id or category id is given as text or with a decimal point",
        "read as whole numbers",
    ),
    "mask.none": (
        "repaired",
        "Objects without a mask, which the detector needs for training",
        "dropped",
    ),
    "mask.bad_run_lengths": (
        "repaired",
        "Objects with run-length masks that are broken or not of the image's size",
        "dropped",
    ),
    "mask.not_in_list": (
        "repaired",
        "Objects with a single polygon instead of a list of polygons",
        "put into a list",
    ),
    "mask.unknown_form": (
        "repaired",
        "Objects with masks that are mappings without `size` and `counts`",
        "dropped: write polygons, each as [x1, y1, x2, y2, ...], or run lengths",
    ),
    "polygon.nested": (
        "repaired",
        "Objects with polygons of [x, y] points, or nested deeper than COCO's",
        "written as [[x1, y1, x2, y2, ...]]",
    ),
    "polygon.not_numbers": (
        "repaired",
        "Objects with polygons of text or mappings, such as {{x: 1, y: 2}}",
        "these polygons are dropped: write them as [x1, y1, x2, y2, ...]",
    ),
    "polygon.not_finite": (
        "repaired",
        "Objects with polygons of numbers that are huge or not finite",
        "these polygons are dropped",
    ),
    "polygon.far": (
        "repaired",
        f"Objects with polygons that reach {FARTHEST} times the image's longer side beyond it",
        "these polygons are dropped",
    ),
    "polygon.broken": (
        "repaired",
        "Objects with polygons of fewer than three points or an odd count of numbers",
        "these polygons are dropped",
    ),
    "polygon.outside": (
        "repaired",
        "Objects with polygons entirely outside the image",
        "these polygons are dropped",
    ),
    "polygon.beyond": (
        "noted",
        "Objects with polygons that reach beyond the image",
        "the part outside is ignored",
    ),
    "box.broken": (
        "repaired",
        "Objects whose box is not four numbers or has no area",
        "taken from the mask",
    ),
    "box.outside": ("repaired", "Objects whose box is entirely outside the image", "dropped"),
    "box.beyond": (
        "repaired",
        "Objects whose box reaches beyond the image",
        "clipped to the image",
    ),
    "box.unlike_mask": (
        "noted",
        "Objects whose box does not fit the mask closely",
        "used as they are; look at some",
    ),
    "area.none": (
        "repaired",
        "Objects without `area`, which AP by object size needs",
        "counted from the mask",
    ),
    "area.impossible": (
        "repaired",
        "Objects whose `area` is negative or not in pixels",
        "counted from the mask",
    ),
    "crowd.no_iscrowd": (
        "repaired",
        "Objects whose `iscrowd` is missing, or not 0 or 1, which the evaluation needs",
        "set to 0 or 1; to 0 if it is missing",
    ),
    "crowd.ignore": (
        "repaired",
        "Objects with `ignore`, which detectron2 refuses",
        "made crowd regions, which are neither trained on nor scored",
    ),
    "crowd.unclear_ignore": (
        "repaired",
        "Objects whose `ignore` is false but not the number 0",
        "`ignore` is removed",
    ),
    "crowd.in_lvis": (
        "repaired",
        "Objects with `iscrowd`, which LVIS does not have",
        "used like all others",
    ),
    "object.too_many_dropped": (
        "refused",
        "Objects dropped, of {total}",
        "more than a tenth: correct the file",
    ),
    "object.bad_ids": (
        "repaired",
        "Object ids that are missing, repeated, not whole numbers or not above 0 (COCO's evaluator"
        " never matches 0)",
        "all objects are renumbered from 1 to {count}",
    ),
    "object.run_lengths_among_polygons": (
        "noted",
        "Objects with run-length masks in a split with polygons",
        "harmless: all are trained on as bitmaps",
    ),
    "duplicate.object": (
        "repaired",
        "Objects annotated twice, with the same image, category, box and mask",
        "the second is dropped",
    ),
    "duplicate.published": (
        "noted",
        "Objects annotated twice, with the same image, category, box and mask",
        "used as they are, since the published set has them",
    ),
    "duplicate.two_categories": (
        "noted",
        "Objects with the same image, box and mask, but two categories",
        "used as they are; check which category is right",
    ),
    "crowd.many": (
        "noted",
        "Objects with `iscrowd` 1, {share:.0%} of all",
        "crowd regions are not {use}: if each is a single object, as in CVAT's brush masks, set it"
        " to 0",
    ),
    "crowd.all": (
        "repaired",
        "Objects with `iscrowd` 1, in a split without any other",
        "used as single objects, as CVAT exports brush masks this way: `iscrowd` is set to 0",
    ),
    "crowd.all_ignored": (
        "refused",
        "Objects with `ignore`, in a split without any other",
        "nothing is left to {use}: remove `ignore`",
    ),
    # Units and order of coordinates
    "coordinates.boxes_misread": (
        "refused",
        "Boxes, of {total}, that fit their masks only if read as {reading}",
        "{remedy}",
    ),
    "coordinates.masks_misread": (
        "refused",
        "Masks, of {total}, that fit their boxes only if read as {reading}",
        "{remedy}",
    ),
    "coordinates.fractions": (
        "refused",
        "Objects, of {total}, whose coordinates are all from 0 to 1",
        "they are fractions of the image, and COCO's are pixels: multiply them by its width and"
        " height",
    ),
    "coordinates.first_pixel": (
        "noted",
        "Objects, of {total}, within the first pixel of the image",
        "correct only if they are that small: fractions of the image must be multiplied by its"
        " width and height",
    ),
    "coordinates.far_beyond": (
        "noted",
        "Objects, of {total}, that reach far beyond the image",
        "up to {width:.1f} times the width and {height:.1f} times the height: if the coordinates"
        " are percentages or belong to larger copies of the images, scale them",
    ),
    "coordinates.upper_left": (
        "noted",
        "Objects within the first {width:.0%} of the width and {height:.0%} of the height",
        "all of them are: if the coordinates are percentages or belong to smaller copies of the"
        " images, scale them",
    ),
}
