# A file that tries to end the process that loads it.
exit 4;
