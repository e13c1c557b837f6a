#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Runs every test of Plack's test suite for servers against one that is running and has loaded
# plack-suite.psgi:  plack-suite-client.pl PORT | URL
# Prints TAP; the exit status is not 0 when a test failed.
use strict;
use warnings;
use Plack::LWPish;
use Plack::Test::Suite;
use Test::More;
use URI;

@ARGV == 1 or die "usage: $0 PORT | URL\n";
my $base = URI->new($ARGV[0] =~ /\A\d+\z/ ? "http://127.0.0.1:$ARGV[0]" : $ARGV[0]);

# The suite compares SCRIPT_NAME with this: the path of the URL is where it is mounted.
$ENV{PLACK_TEST_SCRIPT_NAME} = $base->path eq '/' ? '' : $base->path;

my $agent = Plack::LWPish->new(no_proxy => [$base->host]);
for my $i (0 .. $#Plack::Test::Suite::TEST) {
    my ($name, $client) = @{$Plack::Test::Suite::TEST[$i]};

    subtest $name => sub {
        $client->(sub {
            my $request = shift;
            $request->uri->scheme($base->scheme);
            $request->uri->host_port($base->host_port);
            $request->uri->path($ENV{PLACK_TEST_SCRIPT_NAME} . $request->uri->path);
            $request->header('X-Plack-Test' => $i);
            return $agent->request($request);
        });
        done_testing;
    };
}
done_testing;
