# SPDX-License-Identifier: MIT
# The smallest PSGI application: twelve bytes.
use strict;
use warnings;

sub {
    return [200, ['Content-Type' => 'text/plain', 'Content-Length' => 12], ["hello world\n"]];
};
