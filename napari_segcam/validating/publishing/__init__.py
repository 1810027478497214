"""Publishing: what users of a model and readers of a paper want to know, as far as a run can say."""
