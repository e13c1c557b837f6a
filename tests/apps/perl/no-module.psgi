# An application that needs what is not there.
use strict;
use Liege::Test::NoSuchModule;
sub { [200, [], []] };
