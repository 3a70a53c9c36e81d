"""Methods that need no model: the crops that every figure is read beside."""
