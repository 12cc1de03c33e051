"""What the sub-commands of `musae` do, one module a family; each is imported when one of its commands runs."""
