# SPDX-License-Identifier: MIT
# An object that becomes an application by to_app(), as Plack's components do.
package Component;
use strict;
use warnings;

sub new    { bless {}, shift }
sub to_app { my $self = shift; sub { [200, [], ['from a component at ' . $_[0]{SCRIPT_NAME}]] } }

package main;
Component->new;
