# SPDX-License-Identifier: MIT
# The smallest application, and what is printed while it is loaded.
use strict;
use warnings;
use FindBin;

print "I am the App\n";

my $text = "hello from $FindBin::Script, started as $0\n";
sub { [200, ['Content-Type' => 'text/plain'], [$text]] };
