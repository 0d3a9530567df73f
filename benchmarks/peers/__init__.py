"""The measured queues, each behind the same few verbs, in the interpreter that has its packages."""
