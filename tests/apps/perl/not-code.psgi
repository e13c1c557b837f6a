# A file whose last value is no application.
[200, [], ['no code']];
