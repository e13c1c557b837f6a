# SPDX-License-Identifier: MIT
# psgi.input by all its methods, chosen by the path.
use strict;
use warnings;

my $kept;

my %ways = (
    '/read'       => sub { my $in = shift; $in->read(my $buf, 5); "$buf|" },
    '/read-all'   => sub { my ($in, $n) = @_; my $buf = ''; 1 while $in->read($buf, 3, length $buf); $buf },
    '/read-off'   => sub { my $in = shift; my $buf = 'abc'; $in->read($buf, 2, 5); $buf =~ tr/\0/./; $buf },
    '/read-neg'   => sub { my $in = shift; my $buf = 'abc'; $in->read($buf, 2, -1); $buf },
    '/read-short' => sub { my $in = shift; my $buf = 'longer than what is read'; $in->read($buf, 2); $buf },
    '/read-hash'  => sub { my $in = shift; my %h; $in->read($h{new}, 4); $h{new} },
    '/read-huge'  => sub { my $in = shift; $in->read(my $buf, 1 << 40); $buf },
    '/read-past'  => sub { my $in = shift; my $buf = 'abc'; $in->read($buf, 2, -4) },
    '/read-wide'  => sub { my $in = shift; my $buf = "\x{263a}"; $in->read($buf, 2, 1) },
    '/seek'       => sub {
        my $in = shift;
        $in->read(my $buf, 100);
        join ' ', $in->tell, $in->eof ? 'end' : 'more', $in->seek(2, 0) ? 'ok' : 'no', $in->tell,
            $in->seek(1, 1) ? 'ok' : 'no', $in->tell, $in->seek(-1, 2) ? 'ok' : 'no', $in->tell,
            $in->seek(1, 2) ? 'ok' : 'no', $in->seek(-1, 0) ? 'ok' : 'no', $in->eof ? 'end' : 'more';
    },
    '/lines'      => sub { my $in = shift; join '|', $in->getlines },
    '/slurp'      => sub { my $in = shift; local $/; join '|', $in->getlines },
    '/records'    => sub { my $in = shift; local $/ = \4; join '|', $in->getlines },
    '/paragraphs' => sub { my $in = shift; local $/ = ''; join '|', $in->getlines },
    '/separated'  => sub { my $in = shift; local $/ = '--'; join '|', $in->getlines },
    '/builtins'   => sub {
        my $in = shift;
        my $n = read $in, my $buf, 2;
        my $c = getc $in;
        my $line = <$in>;
        seek $in, -3, 2;
        my @rest = <$in>;
        join '|', $n, $buf, $c, $line, scalar @rest, @rest, eof $in ? 'end' : 'more', defined fileno $in ? 'fd' : 'none';
    },
    '/stdin'      => sub { local *STDIN = shift; read STDIN, my $buf, 3; $buf . '|' . join '', <STDIN> },
    '/left'       => sub { my $in = shift; *$in->{left} = 'behind'; 'left' },
    '/found'      => sub { my $in = shift; defined *$in->{left} ? 'found' : 'nothing' },
    '/reblessed'  => sub { my $in = shift; bless $in, 'Reblessed'; ref $in },
    '/class'      => sub { ref $_[0] },
    '/at-end'     => sub { my $in = shift; $in->seek(0, 2); defined $in->getline ? 'line' : 'undef' },
    '/keep'       => sub { $kept = shift; 'kept' },
    '/kept'       => sub {
        my $n = $kept->read(my $buf, 10);
        join ' ', $n, length $buf, $kept->tell, $kept->eof ? 'end' : 'more',
            defined $kept->getline ? 'line' : 'undef', $kept->seek(0, 0) ? 'ok' : 'no';
    },
    '/forged'     => sub {
        my $no = 0x1234;
        my $object = bless \$no, 'liege::input';
        $object->read(my $buf, 10);
    },
    '/content'    => sub { require Plack::Request; Plack::Request->new($_[1])->content },
);

sub {
    my $env = shift;
    my $way = $ways{$env->{PATH_INFO}} or return [404, [], ['no such way']];
    [200, [], [$way->($env->{'psgi.input'}, $env)]];
};
