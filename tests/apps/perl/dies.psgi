# An application that cannot be loaded, for the tests of how that is reported.
use strict;
die "no configuration";
