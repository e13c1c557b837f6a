# SPDX-License-Identifier: MIT
# The part of the plugin that is easier said in Perl: loading applications, running scripts, and
# putting errors into words. It is compiled into the plugin (embed.pl) and run once, before any
# code of the user; interp.c has defined the functions in C that it refers to. Names with a leading
# underscore are called by the plugin only.
package liege;
use strict;
use warnings;
use File::Spec ();
use Scalar::Util ();
use overload ();

# An application that exits would take the worker along: see package.c.
BEGIN { *CORE::GLOBAL::exit = \&liege::_exit }

BEGIN {
    no strict 'refs';
    *{"uwsgi::$_"} = \&{"liege::$_"} for qw(worker_id masterpid reload log postfork zygote VERSION);
    *uwsgi::opt = \%liege::opt;
}

# IO::Handle has more than PSGI asks for; these are what applications are seen to use.
*liege::input::sysread = \&liege::input::read;
*liege::errors::say = sub { my $self = shift; $self->print(@_, "\n") };
*liege::errors::printf = sub { my ($self, $format) = splice @_, 0, 2; $self->print(sprintf $format, @_) };

# What is the same in a new interpreter and in one of a base vassal.
sub _setup {
    my ($local_lib, $catch) = @_;

    if (defined $local_lib) {
        my $dir = File::Spec->catdir(File::Spec->rel2abs($local_lib), qw(lib perl5));
        require lib;
        lib->import($dir);
        $ENV{PERL5LIB} = join ':', $dir, grep { defined && length } $ENV{PERL5LIB};
    }
    $ENV{PLACK_ENV}    = 'deployment' unless defined $ENV{PLACK_ENV};
    $ENV{PLACK_SERVER} = 'liege'      unless defined $ENV{PLACK_SERVER};
    if ($catch) {
        $SIG{__DIE__} = \&liege::_on_die unless ref $SIG{__DIE__};
    }
    elsif (ref $SIG{__DIE__} && $SIG{__DIE__} == \&liege::_on_die) {
        delete $SIG{__DIE__};
    }
}

# What environ(7) is now. Of a name that is there twice getenv(3) sees the first. What is the same is not
# touched, so that it stays in memory that is shared.
sub _replace_env {
    my ($variables) = @_;
    my %env;

    for (@$variables) {
        my ($name, $value) = split /=/, $_, 2;
        $env{$name} = $value unless !defined $value || exists $env{$name};
    }
    delete $ENV{$_} for grep { !exists $env{$_} } keys %ENV;
    for (keys %env) {
        $ENV{$_} = $env{$_} unless defined $ENV{$_} && $ENV{$_} eq $env{$_};
    }
}

sub _readable {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    -d $fh and die "$file: is a directory\n";
}

# A package for each file, so that two applications do not share their variables by accident.
sub _do_file {
    my ($_file) = @_;
    my $_package = $_file =~ s/([^A-Za-z0-9])/sprintf '_%02x', ord $1/egr;

    my $app = eval qq{package liege::app::$_package; my \$app = do \$_file; die \$@ if \$@; \$app};
    die $@ if $@;
    return $app;
}

sub _plack_file {
    my ($file) = @_;

    my $app = eval { Plack::Util::load_psgi($file) };
    # A file that ends in a false value: Plack makes an error of what happens to be in $!.
    return undef if $@ =~ /\A[^\n]* at \(eval \d+\) line 4\.\n\z/ && $file =~ m{/};
    die $@ if $@;
    return $app;
}

sub _is_code {
    my ($value) = @_;
    return ref $value && (Scalar::Util::reftype($value) eq 'CODE' || overload::Method($value, '&{}'));
}

# Applications by what was loaded, a file or a class: those that are given again to who asks for the
# same, and those that will be to the vassals that are forked from this instance.
my (%known, %loaded);

sub _adopt_apps {
    %known  = (%loaded, %known);
    %loaded = ();
}

sub _load_place {
    my ($place, $is_file, $plack) = @_;

    _readable($place) if $is_file;
    my $app = $plack ? _plack_file($place) : _do_file($place);
    $app = $app->to_app if Scalar::Util::blessed($app) && $app->can('to_app');
    return $app if _is_code($app);

    my $what = !defined $app ? 'undef' : ref $app ? 'a reference to ' . ref $app : "'$app'";
    die "$place: the last value of the file is $what, not a code reference\n";
}

sub _load_to {
    my ($to, $source, $no_plack) = @_;
    my $is_class = $source =~ /\A[A-Za-z_]\w*(?:::\w+)*\z/ && !-e $source;
    my $plack = !$no_plack && eval { local $SIG{__DIE__}; require Plack::Util; 1 };
    my $is_file = !($plack && $is_class);
    my $place = $is_file ? File::Spec->rel2abs($source) : $source;

    $0 = $place if $is_file;
    return $known{$place} if $known{$place};
    return $to->{$place} = _load_place($place, $is_file, $plack);
}

sub _load       { return _load_to(\%loaded, @_) }
sub _load_early { return _load_to(\%known,  @_) }

sub _exec {
    my ($file) = @_;
    my $_file = File::Spec->rel2abs($file);

    _readable($_file);
    local $0 = $_file;
    {
        package main;
        do $_file;
    }
    die $@ if $@;
}

# The whole text of an exception, whatever it is.
sub _text {
    my ($error) = @_;
    my $text = eval { local $SIG{__DIE__}; "$error" };

    $text = 'an exception of class ' . ref($error) . ' that cannot be turned into text'
        unless defined $text;
    $text =~ s/\s+\z//;
    return $text;
}

# One sentence with the place in front, "FILE:LINE: message", of what Perl says at length.
sub _sentence {
    my ($text, $file) = @_;
    my $path = File::Spec->rel2abs($file);

    my ($line) = split /\n/, $text =~ s/\AError while loading .*?: //r;
    return $line if $line =~ /\A\Q$path\E: /;
    return "$2:$3: $1$4" if $line =~ /\A(.*) at (?!\(eval )(.+?) line (\d+)(.*?)\.?\z/;
    return "$file: $line";
}

# Who called whom, without the arguments: they may hold what does not belong into a log. The first
# two frames are this function and its eval; the one that the plugin itself called has no place.
sub _trace {
    my @lines;

    for (my $i = 2; my (undef, $file, $line, $sub) = caller $i; $i++) {
        push @lines, "    $sub called at $file line $line" if $file ne '-e';
    }
    return join "\n", @lines;
}

1;
