"""The store contract and its engines; nothing above asks which engine runs."""
