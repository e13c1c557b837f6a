# An application with a mistake in line 5, for the tests of how that is reported.
use strict;

sub {
    my $env = ;
    return [200, [], []];
};
