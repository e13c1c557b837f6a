#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# A vassal in Perl: it tells the time over HTTP, and does all that an Emperor asks of a vassal. Its
# configuration has lines like these, after [clock]; ../python/clock.py says what they mean:
#
#     listen = 127.0.0.1:9092
#     format = %H:%M:%S
#     heartbeat = 10
#     idle = 60
#
# One client is served at a time, and given a second for its request.
use strict;
use warnings;

use Carp qw(cluck);
use IO::Handle;
use IO::Select;
use IO::Socket;
use IO::Socket::IP;
use List::Util qw(first min);
use POSIX qw(strftime);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

use constant { STOP => 0, RELOAD => 1, STOP_GRACEFULLY => 2, STACK => 116 };    # from the Emperor
use constant { READY => 1, ACCEPTING => 5, LOYAL => 17, ASK_TO_STOP => 22, HEARTBEAT => 26 };
use constant NOT_AGAIN => 26;   # the exit code that means: not before my configuration changes

my ($emperor, $listener, $path, %settings);
my ($answered, $leaving, $beat_at, $idle_at) = (0, 0);

sub now { return clock_gettime(CLOCK_MONOTONIC) }

sub say_to_emperor {
    defined $emperor->syswrite(pack 'C*', @_) or die "the Emperor is gone\n";
}

# The settings of a file. Dies of those that are wrong.
sub read_settings {
    my %found = (listen => '127.0.0.1:9092', format => '%H:%M:%S', heartbeat => 10, idle => 0);
    my $section = '';
    open my $file, '<', $path or die "$path: $!\n";
    while (<$file>) {
        if (/^\s*\[(.*)\]/) { $section = $1 }
        next if $section ne 'clock' || !/^\s*(\w+)\s*=\s*(.*?)\s*$/;
        my ($key, $value) = ($1, $2);
        die "$path:$.: $key: no such setting\n" if !exists $found{$key};
        die "$path:$.: $key = $value: not a number of seconds\n"
            if $key =~ /^(heartbeat|idle)$/ && $value !~ /^\d+(\.\d+)?$/;
        $found{$key} = $value;
    }
    return %found;
}

sub start_waiting {
    $beat_at = $settings{heartbeat} > 0 ? now() : undef;
    $idle_at = $settings{idle} > 0      ? now() + $settings{idle} : undef;
}

# The socket of an on-demand vassal is its descriptor 0, and is there already.
sub open_socket {
    $listener = -S STDIN
        ? IO::Socket->new_from_fd(0, '+<')
        : IO::Socket::IP->new(LocalAddr => $settings{listen}, Listen => 100, ReuseAddr => 1);
    die "$path: listen = $settings{listen}: $!\n" if !$listener;
    $listener->blocking(0);
}

# Serves one connection; false if none waits.
sub answer {
    my $client = $listener->accept or return 0;
    $client->blocking(1);
    if (IO::Select->new($client)->can_read(1) && $client->sysread(my $request, 4096)) {
        my $body = strftime($settings{format}, localtime) . " from Perl\n";
        $client->syswrite("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n"
                . "Content-Length: @{[length $body]}\r\n\r\n$body");
        say_to_emperor(LOYAL) if ++$answered == 1;
        $idle_at = now() + $settings{idle} if defined $idle_at;
    }
    return 1;
}

# The socket stays open. A configuration that is wrong leaves the old one in force.
sub reload {
    if (my %new = eval { read_settings() }) {
        %settings = %new;
    } else {
        warn "the old settings stay: $@";
    }
    start_waiting();
    say_to_emperor(READY);
}

my %orders = (
    STOP, sub { $leaving = 1 },
    STOP_GRACEFULLY, sub { 1 while answer(); $leaving = 1 },    # whoever waits already
    RELOAD, \&reload,
    STACK, sub { cluck 'here' },    # who may hang for long hears this in a thread of its own
);

sub obey {
    $emperor->sysread(my $said, 64) or die "the Emperor is gone\n";
    for my $order (unpack 'C*', $said) {
        $orders{$order}->() if $orders{$order};
    }
}

sub look_at_the_time {
    if (defined $beat_at && now() >= $beat_at) {
        say_to_emperor(HEARTBEAT);
        $beat_at = now() + $settings{heartbeat};
    }
    if (defined $idle_at && now() >= $idle_at) {
        say_to_emperor(ASK_TO_STOP);    # and go on until the Emperor says so
        $idle_at = undef;
    }
}

sub run {
    my $both = IO::Select->new($emperor, $listener);
    say_to_emperor(READY, ACCEPTING);
    until ($leaving) {
        look_at_the_time();
        my $next = min grep { defined } $beat_at, $idle_at;
        for my $ready ($both->can_read(defined $next ? $next - now() : undef)) {
            if ($ready == $emperor) { obey() }
            elsif (!$leaving)       { answer() }
        }
    }
}

my $fd = $ENV{UWSGI_EMPEROR_FD} // die "this is a vassal: let an Emperor start it\n";
$emperor = IO::Handle->new_from_fd($fd, '+<') or die "the Emperor's pipe: $!\n";
$SIG{PIPE} = 'IGNORE';
$path = $ARGV[1 + (first { $ARGV[$_] eq '--ini' } 0 .. $#ARGV)];
if (!(%settings = eval { read_settings() })) {
    warn $@;
    exit NOT_AGAIN;
}
start_waiting();
open_socket();
run();
