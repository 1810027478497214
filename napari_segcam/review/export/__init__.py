"""Export of a review: the frames that raters settled, as image–mask pairs with their provenance."""
