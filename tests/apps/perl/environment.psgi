# SPDX-License-Identifier: MIT
# What applications do to their environment. The path names a trick, which is played after the
# environment has been described, as the answer is; the next request must not be able to tell.
use strict;
use warnings;
use Hash::Util ();
use Scalar::Util qw(blessed reftype weaken);

our %kept;
my $kept_count = 0;

# Everything that can be told of an environment: what it is, its keys and values, their types, who
# else has them, and where its iterator stands.
sub describe {
    my ($env) = @_;
    my @lines = (ref $env, tied(%$env) ? 'tied' : 'untied',
                 Internals::SvREADONLY(%$env) ? 'locked' : 'open');
    my %seen;
    while (my ($key) = each %$env) {
        $seen{$key} = 1;
    }
    for my $key (sort keys %$env) {
        my $value = $env->{$key};
        my $text = !defined $value ? 'undefined'
                 : ref $value ? join(' ', reftype $value, blessed $value // '',
                                     reftype $value eq 'ARRAY' ? @$value : ())
                 : $value;
        my $state = join '', utf8::is_utf8($env->{$key}) ? 'characters ' : '',
                    Internals::SvREFCNT($env->{$key}) != 1 ? 'shared ' : '',
                    Internals::SvREADONLY($env->{$key}) ? 'read-only ' : '',
                    defined pos($env->{$key}) ? 'searched ' : '',
                    $seen{$key} ? '' : 'not iterated over ';
        push @lines, "$key=$text $state";
    }
    return join "\n", @lines, '';
}

package Mourned {
    sub DESTROY { $main::kept{mourned}++; die 'in a destructor' }
}

package Tied {
    require Tie::Hash;
    our @ISA = ('Tie::StdHash');
}

my %tricks = (
    nothing => sub { },
    add => sub { $_[0]{"plack.$_"} = "value $_" for 1 .. 10 },
    add_characters => sub { $_[0]{"\x{263a}"} = "\x{263a}" },
    add_many => sub { $_[0]{"plack.$_"} = "value $_" for 1 .. 1000 },
    add_object => sub { $_[0]{object} = bless [], 'Mourned' },
    delete => sub { delete @{ $_[0] }{qw(PATH_INFO psgi.version HTTP_HOST)} },
    delete_and_add => sub {
        for my $key (qw(PATH_INFO psgi.run_once psgi.errors psgi.input)) {
            delete $_[0]{$key};
            $_[0]{$key} = 'mine';
        }
    },
    delete_and_add_alike => sub {
        my ($env, $n) = (shift, $kept_count++);
        my $key = join '_', 'HTTP', 'COOKIE'; # not a constant, which would keep Perl's copy
        delete $env->{$key};
        $env->{sprintf 'HTTP_%06d', $n} = 'x';
    },
    slot_object => sub { $_[0]{HTTP_COOKIE} = bless [], 'Mourned' },
    slot_handlers => sub { $_[0]{'psgix.cleanup.handlers'} = bless [], 'Mourned' },
    lock_without_handlers => sub {
        delete $_[0]{'psgix.cleanup.handlers'};
        Internals::SvREADONLY(%{ $_[0] }, 1);
    },
    clear => sub { %{ $_[0] } = () },
    undefine => sub { undef %{ $_[0] } },
    replace => sub { %{ $_[0] } = (PATH_INFO => 'mine', 'psgi.version' => 7) },
    assign => sub { $_ = 'assigned' for values %{ $_[0] } },
    append => sub { $_ .= ' more' for values %{ $_[0] } },
    constants => sub {
        my $env = shift;
        $env->{'psgi.version'} = [9, 9];
        $env->{'psgi.errors'} = \*STDERR;
        $env->{'psgi.run_once'} = 1;
    },
    truth => sub { $_[0]{'psgi.run_once'} = !!1; $_[0]{'psgi.streaming'} = !!0 },
    same_truth => sub { $_[0]{'psgi.run_once'} = 0 },
    software => sub { substr($_[0]{SERVER_SOFTWARE}, 0, 5) = 'other' },
    undefined => sub { undef $_[0]{PATH_INFO}; undef $_[0]{'psgi.logger'} },
    reference => sub { $_[0]{REQUEST_METHOD} = \'text' },
    glob => sub { $_[0]{PATH_INFO} = *STDOUT },
    code => sub { $_[0]{PATH_INFO} = sub { 1 } },
    version => sub { $_[0]{PATH_INFO} = v1.2.3 },
    number => sub { my $sum = $_[0]{SERVER_PORT} + 1; $_[0]{QUERY_STRING} = 12 },
    decode => sub { utf8::decode($_[0]{PATH_INFO}); utf8::upgrade($_[0]{QUERY_STRING}) },
    search => sub { $_[0]{PATH_INFO} =~ /s/g; $_[0]{HTTP_COOKIE} =~ s/^..// },
    chop => sub { chop $_[0]{PATH_INFO}; substr($_[0]{REQUEST_URI}, 0, 2, '') },
    iterate => sub { my @first = each %{ $_[0] } },
    list => sub { my %copy = %{ $_[0] }; my @keys = keys %{ $_[0] } },
    local_value => sub { my $env = shift; local $env->{PATH_INFO} = 'mine'; },
    local_new => sub { my $env = shift; local $env->{'plack.mine'} = 'mine'; delete local $env->{PATH_INFO} },
    bless => sub { bless $_[0], 'Mine' },
    tie => sub { tie %{ $_[0] }, 'Tied' },
    lock => sub { Hash::Util::lock_hash(%{ $_[0] }) },
    lock_value => sub { Internals::SvREADONLY($_[0]{PATH_INFO}, 1) },
    keep => sub { $kept{env} = $_[0]; $kept{expected} = describe($_[0]) },
    keep_weakly => sub { weaken($kept{weak} = $_[0]) },
    keep_values => sub {
        my $env = shift;
        $kept{values} = [map { \$env->{$_} } sort keys %$env];
        $kept{values_expected} = join '|', map { ref $$_ ? '' : $$_ } @{ $kept{values} };
    },
    keep_value_weakly => sub { weaken($kept{weak_value} = \$_[0]{PATH_INFO}) },
    keep_input => sub { $kept{input} = $_[0]{'psgi.input'} },
    keep_copies => sub { push @{ $kept{copies} }, { %{ $_[0] } } },
    keep_long => sub { $kept{cookie} = $_[0]{HTTP_COOKIE} },
    handlers => sub { my $env = shift; push @{ $env->{'psgix.cleanup.handlers'} }, sub { $kept{cleaned}++ } },
    keep_handlers => sub { $kept{handlers} = $_[0]{'psgix.cleanup.handlers'} },
    no_handlers => sub { $_[0]{'psgix.cleanup.handlers'} = undef },
    die => sub { $_[0]{added} = 1; die "as told\n" },
);

# What was kept, and whether it still is what it was.
sub kept {
    my @wrong;
    push @wrong, 'env' if $kept{env} && describe($kept{env}) ne $kept{expected};
    push @wrong, 'values' if $kept{values} && $kept{values_expected} ne
        join '|', map { ref $$_ ? '' : $$_ } @{ $kept{values} };
    push @wrong, 'weak' if $kept{weak} || $kept{weak_value};
    push @wrong, 'cookie' if $kept{cookie} && $kept{cookie} !~ /^(long)+$/;
    push @wrong, 'not mourned' if exists $kept{mourned} && $kept{mourned} != 1;
    push @wrong, 'not cleaned' if exists $kept{cleaned} && $kept{cleaned} != 1;
    %kept = ();
    return "@wrong";
}

sub {
    my $env = shift;
    return [200, [], [join ' ', sort keys %tricks]] if $env->{PATH_INFO} eq '/tricks';
    return [200, [], [kept()]] if $env->{PATH_INFO} eq '/kept';
    my ($trick) = $env->{QUERY_STRING} =~ /^(\w+)/;
    my $text = $trick ? '' : describe($env);
    ($tricks{$trick})->($env) if $trick;
    return [200, [], [$text]];
};
