"""The product beside other booking backends, over the same rows: the import of their data and our four requests."""
