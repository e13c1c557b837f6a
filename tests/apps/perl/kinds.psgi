# SPDX-License-Identifier: MIT
# Every kind of response and of error, chosen by the path.
use strict;
use warnings;

my $text = ['Content-Type' => 'text/plain'];
my %kept;    # what a request leaves behind to the next one

package Records {
    sub new     { my ($class, @records) = @_; bless {records => \@records, closed => \$kept{closed}}, $class }
    sub getline { my $self = shift; ${$self->{closed}} = 0; shift @{$self->{records}} }
    sub close   { ${$_[0]{closed}} = 1 }
}

package WithPath {
    sub new  { my ($class, $path) = @_; bless {path => $path}, $class }
    sub path { $_[0]{path} }
}

package Upper {    # a class of handles whose getline() changes what the file has
    require IO::Handle;
    our @ISA = ('IO::Handle');
    sub getline { my $line = readline $_[0]; defined $line ? uc $line : undef }
}

package Failure {
    use overload '""' => sub { "failure number $_[0]{number}" }, fallback => 1;
    sub new { my ($class, $number) = @_; bless {number => $number}, $class }
}

package main;

sub this_file {
    my ($layer, $offset) = @_;
    open my $fh, "<$layer", __FILE__ or die $!;
    if ($offset) { read $fh, my $skipped, $offset }
    return $fh;
}

sub nested { die $_[1] }

my %kinds = (
    '/array'        => sub { [200, $text, ['one piece']] },
    '/empty'        => sub { [200, $text, []] },
    '/pieces'       => sub { [200, $text, ['a', undef, '', 'b', 3]] },
    '/large'        => sub { [200, $text, ['x' x 40_000, 'y' x 40_000]] },
    '/latin'        => sub { my $s = "\x{e9}"; utf8::upgrade($s); [200, $text, [$s]] },
    '/no-content'   => sub { [204, [], []] },
    '/headers'      => sub { [200, ['X-A' => 1, 'X-A' => 2, 'X-None' => undef, 'X-O' => Failure->new(7)], ['h']] },
    '/many-headers' => sub { [200, [map { ("X-$_" => $_) } 1 .. 100], ['h']] },

    '/file'         => sub { [200, $text, this_file('')] },
    '/file-offset'  => sub { [200, $text, this_file('', 7)] },
    '/file-part'    => sub { [206, ['Content-Length' => 3], this_file('', 2)] },
    '/file-encoded' => sub { [200, $text, this_file(':encoding(UTF-8)')] },
    '/file-upper'   => sub { [200, $text, bless this_file(''), 'Upper'] },
    '/file-path'    => sub { [200, $text, WithPath->new(__FILE__)] },
    '/file-none'    => sub { [200, $text, WithPath->new('/nonexistent/file')] },
    '/memory'       => sub { open my $fh, '<', \'in memory' or die $!; [200, $text, $fh] },
    '/records'      => sub { [200, $text, Records->new('1', '', '2', '3')] },
    '/closed'       => sub { [200, $text, [$kept{closed}]] },
    '/separator'    => sub { [200, $text, [$/]] },

    '/delayed'      => sub { sub { $_[0]->([200, $text, ['later']]) } },
    '/stream'       => sub {
        sub {
            my $writer = $_[0]->([200, $text]);
            $kept{writer} = $writer;
            $writer->write($_) for 'a', 'b', 'c';
            $writer->close;
            $kept{after} = $writer->write('d');
        }
    },
    '/stream-open'  => sub { sub { $_[0]->([200, $text])->write('not closed') } },
    '/stream-gone'  => sub {
        sub {
            my $writer = $_[0]->([200, $text]);
            $kept{writes} = 0;
            $kept{writes}++ while $kept{writes} < 1000 && $writer->write('x' x 100);
        }
    },
    '/writes'       => sub { [200, $text, [$kept{writes}]] },
    '/after'        => sub { [200, $text, [$kept{after} ? 'true' : 'false', $kept{writer}->write('e') ? 'true' : 'false']] },
    '/keep'         => sub { sub { $kept{responder} = $_[0]; $_[0]->([200, $text, ['kept']]) } },
    '/late'         => sub { $kept{responder}->([200, $text, ['late']]) },
    '/silent'       => sub { sub { } },
    '/twice'        => sub { sub { $_[0]->([200, $text, ['once']]); $_[0]->([200, $text, ['twice']]) } },
    '/stream-dies'  => sub { sub { $_[0]->([200, $text])->write('begun'); die "in the stream\n" } },

    '/die'          => sub { nested(1, 'out of ideas') },
    '/die-object'   => sub { die Failure->new(3) },
    '/die-caught'   => sub { eval { nested(1, 'no matter') }; [200, $text, ['caught']] },
    '/wide'         => sub { [200, $text, ['plain', "\x{263a}"]] },
    '/wide-write'   => sub { sub { $_[0]->([200, $text])->write("\x{263a}") } },
    '/exit'         => sub { exit 3 },
    '/fork'         => sub {
        my $pid = fork;
        exit 7 if $pid == 0;
        waitpid $pid, 0;
        [200, $text, [$? >> 8]];
    },
    '/undef'        => sub { undef },
    '/hash'         => sub { {} },
    '/short'        => sub { [200, $text] },
    '/no-body'      => sub { [200, $text, 'text'] },
    '/odd-headers'  => sub { [200, ['X-A'], []] },
    '/no-headers'   => sub { [200, 'X-A', []] },
    '/status-100'   => sub { [100, [], []] },
    '/status-text'  => sub { ['fine', [], []] },
    '/bad-header'   => sub { [200, ["X-A" => "a\nb"], ['h']] },

    '/env'          => sub {
        my $env = shift;
        [200, $text, [map { "$_=" . (ref $env->{$_} eq 'ARRAY' ? "@{$env->{$_}}" : $env->{$_}) . "\n" }
                      grep { $_ !~ /^psgi\.(input|errors)$|logger$/ } sort keys %$env]];
    },
    '/change-env'   => sub { my $env = shift; $env->{$_} = 'changed' for keys %$env; [200, $text, ['changed']] },
    '/overwrite'    => sub { $_[0] = undef; [200, $text, ['overwritten']] },
    '/errors'       => sub {
        my $errors = $_[0]{'psgi.errors'};
        $errors->print('half a line, ');
        $errors->print("and the rest\n");
        $errors->printf('%s %d', 'number', 5);
        [200, $text, ['errors']];
    },
    '/logger'       => sub {
        $_[0]{'psgix.logger'}->({level => 'error', message => 'from the logger'});
        [200, $text, ['logger']];
    },
    '/cleanup'      => sub {
        my $env = shift;
        push @{$env->{'psgix.cleanup.handlers'}},
            sub { $kept{cleaned} = $_[0]{PATH_INFO} . ' ' . ($_[0] == $env ? 'same' : 'other') },
            sub { die "cleanup failed\n" },
            sub { $kept{cleaned} .= ', third' };
        [200, $text, ['will clean']];
    },
    '/cleaned'      => sub { [200, $text, [$kept{cleaned}]] },
    '/server'       => sub {
        [200, $text, [join ' ', liege::worker_id(), uwsgi::worker_id(), uwsgi::masterpid(), uwsgi::VERSION(),
                      $uwsgi::opt{processes}, "@{$uwsgi::opt{env}}", uwsgi::reload() ? 'reloaded' : 'refused',
                      "@ARGV"]];
    },
    '/random'       => sub { [200, $text, [rand]] },
    '/forked'       => sub { no warnings 'once'; [200, $text, [join ' ', $$, @main::forked]] },
    '/started'      => sub {
        require LiegeLocal;
        no warnings 'once';
        [200, $text, [LiegeLocal::where(), ' ', $main::first =~ s{.*/}{}r]];
    },
    '/plack-env'    => sub { [200, $text, ["$ENV{PLACK_ENV} $ENV{PLACK_SERVER}"]] },
);

sub {
    my $kind = $kinds{$_[0]{PATH_INFO}} or return [404, $text, ['no such kind']];
    $kind->(@_);
};
