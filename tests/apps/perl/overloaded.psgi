# SPDX-License-Identifier: MIT
# An object that can be called like code.
package Callable;
use strict;
use warnings;
use overload '&{}' => sub { my $self = shift; sub { [200, [], ["called $self->{name}"]] } }, fallback => 1;

bless {name => 'object'}, __PACKAGE__;
