# SPDX-License-Identifier: MIT
# Answers with the value of the expression in the query.
use strict;
use warnings;

$main::loaded++;
$main::environment = \%ENV;

sub {
    my $request = shift;
    my $value = eval $request->{QUERY_STRING};
    return [200, [], ["$value$@"]];
};
